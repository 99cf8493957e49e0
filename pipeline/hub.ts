import type { Codec } from '../core/block/codec.ts';
import { type CompactionRules, DEFAULT_COMPACTION_RULES } from '../core/compaction/compaction-rules.ts';
import type { KeepTimes } from '../core/retention/retention-policy.ts';
import type { BatchQueue } from '../storage/batch-queue.ts';
import type { BlockCatalog } from '../storage/block-catalog.ts';
import type { LeaseStore } from '../storage/lease.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Registry } from '../storage/registry.ts';
import type { AnswerCache } from './answer-cache.ts';
import type { QueryWorkers } from './query-workers.ts';

/** Where a use case tells what it does; each host turns this into its own metrics and log lines. */
export interface Telemetry {
  /** Adds to a counter that only grows. */
  count(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
  gauge(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object): void;
}

/** Limits and times of a hub. Every one can be raised by whoever runs it; messages name them as written here. */
export interface HubSettings {
  /** Longest batch body, in bytes. */
  readonly batchBytesMax: number;
  /** Most that the sections of one batch may unfold to, in bytes, each. */
  readonly batchSectionBytesMax: number;
  /** Longest pushed profile after inflating, in bytes. */
  readonly pprofBytesMax: number;
  /** Windows older than this are refused, ms. */
  readonly lateWindowMs: number;
  /** Windows that end later than this from now are refused, ms. */
  readonly futureWindowMs: number;
  /** Most batches merged into one level-0 block. */
  readonly processBatchesMax: number;
  /** Most bytes of batches merged into one level-0 block. */
  readonly processBytesMax: number;
  /** How long a batch is hidden from other processors while one works on it, ms. */
  readonly processVisibilityMs: number;
  /** How often agents are asked to say that they live, ms. */
  readonly heartbeatMs: number;
  /** Blocks read at once by one query. */
  readonly queryConcurrency: number;
  /** Most stored bytes that one query reads, about: what is left out is older, and the answer says from where on. */
  readonly queryBytesMax: number;
  /** Flame graphs that take at least so many stored bytes to read are shared with workers, where a host has some. */
  readonly queryFanOutBytes: number;
  /** When and how blocks are merged and downsampled. */
  readonly compaction: CompactionRules;
  /** For how long is kept what no retention policy names; absent = DEFAULT_KEEP. */
  readonly keepMs?: KeepTimes;
}

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

export const defaultHubSettings: HubSettings = {
  batchBytesMax: 4 * MIB,
  batchSectionBytesMax: 64 * MIB,
  pprofBytesMax: 64 * MIB,
  lateWindowMs: 72 * HOUR_MS,
  futureWindowMs: 600_000,
  processBatchesMax: 500,
  processBytesMax: 32 * MIB,
  processVisibilityMs: 60_000,
  // Each is a request and a write that AWS bills; at 15 s they would cost more than all batches (docs/cost.md).
  heartbeatMs: 300_000,
  queryConcurrency: 16,
  queryBytesMax: 512 * MIB,
  queryFanOutBytes: 32 * MIB,
  compaction: DEFAULT_COMPACTION_RULES,
};

/** How agents prove which cluster they are of, and what an operator is told when a cluster is added. */
export type ClusterAccess =
  /** The hub issues key pairs and checks signatures itself. */
  | { readonly kind: 'key-pair' }
  /** AWS checks signatures; each cluster has a role in the hub's account, named prefix + cluster. */
  | {
      readonly kind: 'role';
      readonly account: string;
      readonly region: string;
      readonly rolePrefix: string;
      /** Where agents send to, without a slash at the end. */
      readonly ingestUrl: string;
    };

/** Everything a use case works on. A host builds one and passes it to every call. */
export interface Hub {
  readonly objects: ObjectStore;
  readonly catalog: BlockCatalog;
  readonly queue: BatchQueue;
  readonly registry: Registry;
  readonly leases: LeaseStore;
  readonly access: ClusterAccess;
  readonly codec: Codec;
  /** Inflates gzip to at most `maxBytes`. @throws MalformedInputError, RejectedError('too-large') */
  readonly gunzip: (bytes: Uint8Array, maxBytes: number) => Uint8Array;
  /** A linear-time matcher for a regular expression, fully anchored. @throws RejectedError('invalid') */
  readonly compileRegex: (pattern: string) => (text: string) => boolean;
  /** Now, ms since epoch. */
  clock(): number;
  /** In [0, 1). */
  random(): number;
  readonly tenant: string;
  readonly settings: HubSettings;
  readonly telemetry: Telemetry;
  /** Who reads a share of large flame graphs; absent = nobody. */
  readonly queryWorkers?: QueryWorkers;
  /** Answers that are still right; absent = none are kept. */
  readonly answers?: AnswerCache;
}

import { gunzip } from '../api/gunzip.ts';
import { AnswerCache } from '../pipeline/answer-cache.ts';
import { defaultHubSettings, type Hub, type HubSettings, type Telemetry } from '../pipeline/hub.ts';
import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import type { EmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';

/** Tenant of everything on a single node. */
export const LOCAL_TENANT = 'local';

/**
 * One process alone takes batches off the queue, one round after the other, so nobody else can take what it works on.
 * What a crash left hidden is soon seen again.
 */
const VISIBILITY_MS = 5000;

/** On one machine a heartbeat costs nothing, and who watches a first agent wants to see it live. */
const HEARTBEAT_MS = 15_000;

/** Answers kept in memory, for pages that are looked at again. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** The hub of one machine: the use cases' ports on a data folder. */
export function openHub(
  storage: EmbeddedStorage,
  options: { telemetry: Telemetry; clock: () => number; settings?: Partial<HubSettings> },
): Hub {
  const { objects, catalog, queue, registry, leases } = storage;
  return {
    ...{ objects, catalog, queue, registry, leases },
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip,
    compileRegex: compileLinearRegex,
    clock: options.clock,
    random: Math.random,
    tenant: LOCAL_TENANT,
    settings: {
      ...defaultHubSettings,
      processVisibilityMs: VISIBILITY_MS,
      heartbeatMs: HEARTBEAT_MS,
      ...options.settings,
    },
    telemetry: options.telemetry,
    answers: new AnswerCache(ANSWER_BYTES_MAX),
  };
}

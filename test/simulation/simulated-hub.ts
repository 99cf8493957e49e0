import type { BlockJob } from '../../core/compaction/plan-rewrites.ts';
import { RetryableError } from '../../core/errors.ts';
import { type CompactionReport, runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { defaultHubSettings, type Hub, type HubSettings } from '../../pipeline/hub.ts';
import { compileLinearRegex } from '../../pipeline/linear-regex.ts';
import type { BatchMessage } from '../../storage/batch-queue.ts';
import type { BlockSwap } from '../../storage/block-catalog.ts';
import { type EmbeddedStorage, openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import {
  type Fault,
  type FaultPlan,
  type FaultRates,
  seededFaults,
} from '../../storage/faults/fault-plan.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { gunzipBounded } from '../../storage/gzip.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { BatchRecord } from '../../storage/registry.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { memoryObjects } from '../pipeline/memory-hub.ts';
import { counted, newCounts, type PortCounts } from './counted-ports.ts';

const PORTS = ['objects', 'catalog', 'queue', 'registry', 'leases'] as const;
type Ports = Pick<Hub, (typeof PORTS)[number]>;

export const FAULT_RATES: FaultRates = { 'fail-before': 0.01, 'fail-after': 0.01, duplicate: 0.01 };
/** Runs of housekeepers take many calls, and are done again from the beginning: more would keep each from its end. */
const KEEPER_RATES: FaultRates = { 'fail-before': 0.001, 'fail-after': 0.001, duplicate: 0.001 };

/** So that few batches make as many blocks of an hour as many batches would: the steps are those of a large fleet. */
export const SIMULATED_SETTINGS: HubSettings = {
  ...defaultHubSettings,
  processBatchesMax: 8,
  compaction: { ...defaultHubSettings.compaction, fanIn: 4 },
};

/** An hour of blocks is two jobs then, and a day some more. */
export const LOW_BYTES_MAX = 24 * 1024;

/** Clocks of hosts are off by up to so much, ms: two of them by less than deletions take to settle. */
const SKEW_MAX_MS = 240_000;

export interface HubOptions {
  readonly folder: string;
  readonly seed: number;
  readonly random: () => number;
  /** Hears of every message that is durable on the queue. */
  readonly onSent: (message: BatchMessage) => void;
  /** Hears of every record that the ledger took, also when it has it already. */
  readonly onRecorded: (record: BatchRecord) => void;
  /** Ids of all deletions that were recorded so far. */
  readonly deletionIds: () => readonly string[];
}

/** A process of the hub, on a host with a clock of its own, and the job it is at. */
export interface Host {
  readonly hub: Hub;
  job?: BlockJob;
}

/** A hub on real storage whose processes die and whose storage fails, and the same hub as it is to who checks it. */
export class SimulatedHub {
  /** Ms since epoch. */
  now: number;
  /** In force for whatever is done from now on. */
  settings = SIMULATED_SETTINGS;
  readonly counts: Readonly<Record<(typeof PORTS)[number], PortCounts>>;
  /** What was logged as an error. */
  readonly errors: string[] = [];
  /** Faults that were injected by kind, and processes that died. */
  readonly faults: Record<Exclude<Fault, 'none' | 'delay'>, number> = {
    ...{ 'fail-before': 0, 'fail-after': 0, duplicate: 0 },
  };
  deaths = 0;
  /** Blocks that swaps took out of the catalog, and put into it. */
  readonly swapped = { removed: 0, added: 0 };
  /** Key → object. In memory: turns of the disk are what a simulation would wait for most. Everything else is SQLite. */
  readonly stored = new Map<string, Uint8Array>();
  readonly #writtenAt = new Map<string, number>();
  readonly #options: HubOptions;
  #storage!: EmbeddedStorage;
  readonly #objects = this.#datedObjects();
  /** Block id → deletions whose rows it holds no more. */
  readonly #applied = new Map<string, ReadonlySet<string>>();
  #starts = 0;
  /** Calls until the process dies. */
  #callsLeft = Number.POSITIVE_INFINITY;
  #host!: Host;
  #other!: Host;
  #keeper!: Host;
  #sound!: Hub;

  private constructor(now: number, options: HubOptions) {
    this.now = now;
    this.#options = options;
    this.counts = {
      ...{ objects: newCounts(), catalog: newCounts(), queue: newCounts() },
      ...{ registry: newCounts(), leases: newCounts() },
    };
  }

  static async open(now: number, options: HubOptions): Promise<SimulatedHub> {
    const hub = new SimulatedHub(now, options);
    await hub.#open();
    return hub;
  }

  /** What works. */
  get host(): Host {
    return this.#host;
  }

  /** A second one like it, with a clock of its own, that nobody dooms. */
  get other(): Host {
    return this.#other;
  }

  /** What expires, rewrites and sums, in long runs. */
  get keeper(): Host {
    return this.#keeper;
  }

  /** What works, as a hub. */
  get process(): Hub {
    return this.#host.hub;
  }

  /** For who checks: without faults, and not counted. */
  get sound(): Hub {
    return this.#sound;
  }

  /** The process will die within its nth call of storage from now, and be started again by `revive`. */
  doom(calls: number): void {
    this.#callsLeft = calls;
  }

  revive(): void {
    if (this.#callsLeft < 0) this.deaths++;
    this.#callsLeft = Number.POSITIVE_INFINITY;
    this.#start();
  }

  /** The data folder is closed and opened again. */
  async restart(): Promise<void> {
    await this.close();
    await this.#open();
  }

  async close(): Promise<void> {
    await this.#storage.close();
  }

  /** Runs one job as a host does, and remembers which deletions its output obeys. */
  async runJob(host: Host, job: BlockJob): Promise<CompactionReport> {
    host.job = job;
    try {
      return await runCompactionJob(host.hub, job);
    } finally {
      host.job = undefined;
    }
  }

  /** Deletions whose rows a block holds no more; of a level-0 block, and of one that is unknown, none. */
  appliedTo(blockId: string): ReadonlySet<string> {
    return this.#applied.get(blockId) ?? new Set();
  }

  async #open(): Promise<void> {
    this.#storage = await openEmbeddedStorage({ folder: this.#options.folder, clock: () => this.now });
    this.#sound = this.#hubOn({ ...this.#storage, objects: this.#objects }, () => this.now);
    this.#start();
  }

  #start(): void {
    this.#host = this.#newHost(FAULT_RATES, (start) => this.#deathOf(start));
    this.#other = this.#newHost(FAULT_RATES, () => undefined);
    this.#keeper = this.#newHost(KEEPER_RATES, (start) => this.#deathOf(start));
  }

  #newHost(rates: FaultRates, deathOf: (start: number) => Fault | undefined): Host {
    const { random, seed } = this.#options;
    const start = seed * 1000 + ++this.#starts;
    const seeded = seededFaults(start, rates);
    const plan: FaultPlan = (call) => {
      const death = deathOf(start);
      if (death !== undefined) return death;
      const fault = seeded(call);
      if (fault !== 'none') this.faults[fault as keyof typeof this.faults]++;
      return fault;
    };
    const skew = Math.round((2 * random() - 1) * SKEW_MAX_MS);
    const host: { hub: Hub; job?: BlockJob } = { hub: this.#sound };
    host.hub = this.#hubOn(this.#portsOf(host, plan), () => this.now + skew);
    return host;
  }

  /** What is dead makes no further call, and hears no answer of the last one. */
  #deathOf(start: number): Fault | undefined {
    if (this.#callsLeft-- > 0) return undefined;
    return this.#callsLeft === -1 && start % 4 < 2 ? 'fail-after' : 'fail-before';
  }

  #portsOf(host: Host, plan: FaultPlan): Ports {
    const { catalog, queue, registry, leases } = this.#storage;
    const { onSent, onRecorded } = this.#options;
    return {
      objects: withFaults(counted(this.#objects, this.counts.objects), plan),
      catalog: withFaults(
        counted(
          catalog,
          this.counts.catalog,
          hearing('swap', (swap: BlockSwap) => this.#noteSwap(swap)),
          hearing('swap', (swap: BlockSwap) => this.#noteApplied(host, swap)),
        ),
        plan,
      ),
      queue: withFaults(counted(queue, this.counts.queue, hearing('send', onSent)), plan),
      registry: withFaults(counted(registry, this.counts.registry, hearing('recordBatch', onRecorded)), plan),
      leases: withFaults(counted(leases, this.counts.leases), plan),
    };
  }

  #datedObjects(): ObjectStore {
    const objects = memoryObjects(this.stored, { gets: 0, bytes: 0 });
    return {
      ...objects,
      put: (key, bytes) => {
        if (!this.stored.has(key)) this.#writtenAt.set(key, this.now);
        return objects.put(key, bytes);
      },
      delete: (key) => {
        this.#writtenAt.delete(key);
        return objects.delete(key);
      },
      list: async (prefix, page) => {
        const entries = await objects.list(prefix, page);
        return entries.map((entry) => ({ ...entry, writtenAt: this.#writtenAt.get(entry.key) ?? 0 }));
      },
    };
  }

  #noteSwap({ remove, add }: BlockSwap): void {
    this.swapped.removed += remove.length;
    this.swapped.added += add.length;
  }

  #noteApplied({ job }: Host, { add }: BlockSwap): void {
    if (job === undefined) return;
    const applied = this.#appliedBy(job);
    for (const { blockId } of add) this.#applied.set(blockId, applied);
  }

  #appliedBy(job: BlockJob): ReadonlySet<string> {
    if (job.step === 'expire') return this.appliedTo(job.blockIds[0]!);
    if (job.step === 'rewrite') return new Set([...this.appliedTo(job.blockIds[0]!), ...job.tombstoneIds]);
    return new Set(this.#options.deletionIds());
  }

  #hubOn(ports: Ports, clock: () => number): Hub {
    const settings = () => this.settings;
    return {
      ...{ objects: ports.objects, catalog: ports.catalog, queue: ports.queue },
      ...{ registry: ports.registry, leases: ports.leases },
      access: { kind: 'key-pair' },
      codec: zstdCodec,
      gunzip: gunzipBounded,
      compileRegex: compileLinearRegex,
      clock,
      random: this.#options.random,
      tenant: 'default',
      get settings() {
        return settings();
      },
      telemetry: {
        count() {},
        gauge() {},
        log: (level, text) => void (level === 'error' && this.errors.push(text)),
      },
    };
  }
}

function hearing<T>(
  wanted: string,
  listener: (arg: T) => void,
): (method: string, args: readonly unknown[]) => void {
  return (method, [arg]) => void (method === wanted && listener(arg as T));
}

/**
 * Runs work that may meet an injected fault, or somebody who died at the same; undefined when it did.
 * @throws what was not injected
 */
export async function despiteFaults<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RetryableError && /injected|somebody else/.test(error.message)) return undefined;
    throw error;
  }
}

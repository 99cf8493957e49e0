import { RetryableError } from '../../core/errors.ts';
import { defaultHubSettings, type Hub, type HubSettings } from '../../pipeline/hub.ts';
import { compileLinearRegex } from '../../pipeline/linear-regex.ts';
import type { BatchMessage } from '../../storage/batch-queue.ts';
import type { BlockSwap } from '../../storage/block-catalog.ts';
import { type EmbeddedStorage, openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { type FaultPlan, type FaultRates, seededFaults } from '../../storage/faults/fault-plan.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { gunzipBounded } from '../../storage/gzip.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { memoryObjects } from '../pipeline/memory-hub.ts';
import { counted, newCounts, type PortCounts } from './counted-ports.ts';

const PORTS = ['objects', 'catalog', 'queue', 'registry', 'leases'] as const;
type Ports = Pick<Hub, (typeof PORTS)[number]>;

export const FAULT_RATES: FaultRates = { 'fail-before': 0.01, 'fail-after': 0.01, duplicate: 0.01 };

/** So that few batches make as many blocks of an hour as many batches would: the steps are those of a large fleet. */
export const SIMULATED_SETTINGS: HubSettings = {
  ...defaultHubSettings,
  processBatchesMax: 8,
  compaction: { ...defaultHubSettings.compaction, fanIn: 4 },
};

export interface HubOptions {
  readonly folder: string;
  readonly seed: number;
  readonly random: () => number;
  readonly rates: FaultRates;
  /** Hears of every message that is durable on the queue. */
  readonly onSent: (message: BatchMessage) => void;
}

/** A hub on real storage whose processes die and whose storage fails, and the same hub as it is to who checks it. */
export class SimulatedHub {
  /** Ms since epoch. */
  now: number;
  readonly counts: Readonly<Record<(typeof PORTS)[number], PortCounts>>;
  /** What was logged as an error. */
  readonly errors: string[] = [];
  /** Faults that were injected, processes that died. */
  faults = 0;
  deaths = 0;
  /** Blocks that swaps took out of the catalog, and put into it. */
  readonly swapped = { removed: 0, added: 0 };
  readonly #options: HubOptions;
  #storage!: EmbeddedStorage;
  /** In memory: turns of the disk are what a simulation would wait for most. Everything else is SQLite. */
  readonly #objects = memoryObjects(new Map(), { gets: 0, bytes: 0 });
  #starts = 0;
  /** Calls until the process dies. */
  #callsLeft = Number.POSITIVE_INFINITY;
  #process!: Hub;
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

  /** What works: a process of the hub as it is now. */
  get process(): Hub {
    return this.#process;
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

  async #open(): Promise<void> {
    this.#storage = await openEmbeddedStorage({ folder: this.#options.folder, clock: () => this.now });
    this.#sound = this.#hubOn({ ...this.#storage, objects: this.#objects });
    this.#start();
  }

  #start(): void {
    const plan = this.#plan(this.#options.seed * 1000 + ++this.#starts);
    const observe = (method: string, [message]: readonly unknown[]) =>
      void (method === 'send' && this.#options.onSent(message as BatchMessage));
    const observeSwap = (method: string, [swap]: readonly unknown[]) => {
      if (method === 'swap') this.#noteSwap(swap as BlockSwap);
    };
    const { catalog, queue, registry, leases } = this.#storage;
    this.#process = this.#hubOn({
      objects: withFaults(counted(this.#objects, this.counts.objects), plan),
      catalog: withFaults(counted(catalog, this.counts.catalog, observeSwap), plan),
      queue: withFaults(counted(queue, this.counts.queue, observe), plan),
      registry: withFaults(counted(registry, this.counts.registry), plan),
      leases: withFaults(counted(leases, this.counts.leases), plan),
    });
  }

  #noteSwap({ remove, add }: BlockSwap): void {
    this.swapped.removed += remove.length;
    this.swapped.added += add.length;
  }

  #plan(seed: number): FaultPlan {
    const seeded = seededFaults(seed, this.#options.rates);
    return (call) => {
      // What is dead makes no further call, and hears no answer of the last one.
      if (this.#callsLeft-- <= 0)
        return this.#callsLeft === -1 && seed % 2 === 0 ? 'fail-after' : 'fail-before';
      const fault = seeded(call);
      if (fault !== 'none') this.faults++;
      return fault;
    };
  }

  #hubOn(ports: Ports): Hub {
    return {
      ...{ objects: ports.objects, catalog: ports.catalog, queue: ports.queue },
      ...{ registry: ports.registry, leases: ports.leases },
      access: { kind: 'key-pair' },
      codec: zstdCodec,
      gunzip: gunzipBounded,
      compileRegex: compileLinearRegex,
      clock: () => this.now,
      random: this.#options.random,
      tenant: 'default',
      settings: SIMULATED_SETTINGS,
      telemetry: {
        count() {},
        gauge() {},
        log: (level, text) => void (level === 'error' && this.errors.push(text)),
      },
    };
  }
}

/** Runs work that may meet an injected fault; undefined when it did. @throws what was not injected */
export async function despiteFaults<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RetryableError && /injected/.test(error.message)) return undefined;
    throw error;
  }
}

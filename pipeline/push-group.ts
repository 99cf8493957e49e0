import { type BatchOrigin, batchIdOf } from '../core/batch/batch-origin.ts';
import { BlockBuilder } from '../core/block/block-builder.ts';
import { RejectedError } from '../core/errors.ts';
import type { Hub } from './hub.ts';
import { acceptBatch } from './ingest-batch.ts';
import { nextPushOrigin } from './push-sequence.ts';

// Pushes that arrive together are stored together: profiles of one service share nearly all their symbols, so decoding
// into tables that are warm, compressing once, and one durable write for all cost a fraction of doing it per push. Each
// push keeps a batch id of its own, by which its rows are told from equal ones of another push. A push is answered
// once the block that holds it is durable; one that is refused leaves no row behind.

/** How long a group waits for company, ms. */
const GROUP_MS = 4;
/** A group that took in this many raw bytes is closed: bounds memory, and the size of its batch. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;

/** What one push adds its rows to. */
export interface PushTarget {
  readonly cluster: string;
  readonly builder: BlockBuilder;
  /** Another batch of this push: rows of equal series and window need one each. */
  nextBatch(): number;
  /** Says that the push holds windows up to `endMs`. @throws RejectedError('invalid') when that is too far ahead */
  checkEnd(endMs: number): void;
}

class PushGroup {
  readonly builder = new BlockBuilder();
  readonly #hub: Hub;
  readonly #cluster: string;
  /** Batches of pushes that were refused after they had added rows. */
  readonly #refused = new Set<number>();
  readonly #stored = Promise.withResolvers<void>();
  #origin: ReturnType<typeof nextPushOrigin> | undefined;
  #rawBytes = 0;

  constructor(hub: Hub, cluster: string) {
    this.#hub = hub;
    this.#cluster = cluster;
    // Nobody may be waiting: a group all of whose pushes were refused.
    this.#stored.promise.catch(() => {});
  }

  get isFull(): boolean {
    return this.#rawBytes >= GROUP_BYTES_MAX;
  }

  /** Lets one push add its rows, and resolves when they are durable. */
  async add<T>(rawBytes: number, decode: (target: PushTarget) => T): Promise<{ batchId: string; result: T }> {
    const first = this.builder.batchIds.length;
    this.#rawBytes += rawBytes;
    let result: T;
    try {
      result = decode(this.#target());
    } catch (error) {
      for (let batch = first; batch < this.builder.batchIds.length; batch++) this.#refused.add(batch);
      throw error;
    }
    await this.#stored.promise;
    return { batchId: this.builder.batchIds[first] ?? '', result };
  }

  #target(): PushTarget {
    const { builder } = this;
    return {
      builder,
      cluster: this.#cluster,
      nextBatch: () => {
        const origin = nextPushOrigin(this.#hub, this.#cluster);
        this.#origin ??= origin;
        return builder.batch(batchIdOf(origin));
      },
      checkEnd: (endMs) => checkEnd(this.#hub, endMs),
    };
  }

  /** Stores what was added; everybody who waits gets the outcome. */
  async store(): Promise<void> {
    try {
      await this.#store();
      this.#stored.resolve();
    } catch (error) {
      this.#stored.reject(error);
    }
  }

  async #store(): Promise<void> {
    if (this.#origin === undefined) return;
    const builder = this.#refused.size === 0 ? this.builder : this.#withoutRefused();
    const counted = countRows(builder);
    if (counted === undefined) return;
    const { kept, firstWindow, lastWindow } = counted;
    const origin: BatchOrigin = {
      ...this.#origin,
      taken: kept,
      lost: 0,
      dropped: 0,
      kept,
      firstWindow,
      lastWindow,
      agentVersion: '',
      engine: 'push',
      droppedBatches: 0,
      droppedBatchSamples: 0,
    };
    const blockId = batchIdOf(origin).replaceAll('/', '=');
    const meta = { blockId, tenant: '', level: 0, resolutionSeconds: 0, origin };
    await acceptBatch(this.#hub, origin, builder.write(meta, this.#hub.codec).bytes);
  }

  #withoutRefused(): BlockBuilder {
    const kept = new BlockBuilder();
    const batchOf = Uint32Array.from(this.builder.batchIds, (id) => kept.batch(id));
    for (const dataset of this.builder.datasets()) {
      kept
        .dataset(dataset.service)
        .addDataset(dataset, batchOf, (_type, rows, row) => this.#refused.has(rows.batch[row]!));
    }
    return kept;
  }
}

/** Open groups by hub and cluster. */
const groups = new WeakMap<Hub, Map<string, PushGroup>>();

/**
 * Stores one push together with others that arrive at about the same time.
 * @param rawBytes inflated size of the push
 * @param decode adds the rows; whatever it throws refuses the push, and only this one
 */
export function storePush<T>(
  hub: Hub,
  cluster: string,
  rawBytes: number,
  decode: (target: PushTarget) => T,
): Promise<{ batchId: string; result: T }> {
  const open = groups.get(hub) ?? new Map<string, PushGroup>();
  groups.set(hub, open);
  let group = open.get(cluster);
  if (group === undefined) {
    const created = new PushGroup(hub, cluster);
    group = created;
    open.set(cluster, created);
    setTimeout(() => close(open, cluster, created), GROUP_MS);
  }
  const stored = group.add(rawBytes, decode);
  if (group.isFull) close(open, cluster, group);
  return stored;
}

function close(open: Map<string, PushGroup>, cluster: string, group: PushGroup): void {
  if (open.get(cluster) !== group) return;
  open.delete(cluster);
  void group.store();
}

/** Old profiles are welcome (a backfill); a profile from the future is a wrong clock. */
function checkEnd(hub: Hub, endMs: number): void {
  const { futureWindowMs } = hub.settings;
  if (endMs <= hub.clock() + futureWindowMs) return;
  throw new RejectedError(
    'invalid',
    `the profile ends at ${new Date(endMs).toISOString()}, later than futureWindowMs (${futureWindowMs} ms) from now`,
  );
}

/** Samples of all rows, and the time that their windows span; undefined when there are no rows. */
function countRows(
  builder: BlockBuilder,
): { kept: number; firstWindow: number; lastWindow: number } | undefined {
  let kept = 0;
  let firstWindow = Number.POSITIVE_INFINITY;
  let lastWindow = 0;
  for (const dataset of builder.datasets()) {
    for (const rows of dataset.types.values()) {
      for (let row = 0; row < rows.count; row++) {
        kept += rows.samples[row]!;
        firstWindow = Math.min(firstWindow, rows.start[row]!);
        lastWindow = Math.max(lastWindow, rows.start[row]! + rows.duration[row]!);
      }
    }
  }
  return lastWindow === 0 ? undefined : { kept, firstWindow, lastWindow };
}

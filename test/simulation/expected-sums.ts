import type { RowSpec } from '../core/block/fixtures.ts';

// What a hub must know, kept apart from all of its code: plain sums of the windows that reached its queue, each batch once
// however often it was sent.

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export type Window = Required<Pick<RowSpec, 'service' | 'type' | 'pod' | 'start' | 'samples' | 'stacks'>>;

export interface Sum {
  value: bigint;
  samples: number;
}

export interface SimulatedBatch {
  readonly id: string;
  readonly cluster: string;
  /** Start of its first window, ms. */
  readonly start: number;
  readonly windows: readonly Window[];
}

/** Sums by a text key. */
export type Sums = Map<string, Sum>;

/** A part of a key that no name has in it. */
export const keyOf = (...parts: readonly (string | number)[]): string => parts.join('|');

export function addTo(sums: Sums, key: string, value: bigint, samples: number): void {
  const sum = sums.get(key);
  if (sum === undefined) sums.set(key, { value, samples });
  else {
    sum.value += value;
    sum.samples += samples;
  }
}

export class ExpectedSums {
  /** Service and type → sum, per batch on the queue: what of it stands in a block that names the batch. */
  readonly ofBatch = new Map<string, Sums>();
  /** Per day in which batches begin: service, type → sum. Blocks belong to the day in which they begin. */
  readonly ofBlockDay = new Map<number, Sums>();
  /** Per day of the windows: service, type, cluster → sum. */
  readonly ofDay = new Map<number, Sums>();
  /** Per hour of the windows: service, type → sum. */
  readonly ofHour = new Map<number, Sums>();
  /** Per day of the windows, of sampled services: service, type, path of names → sum. */
  readonly ofStack = new Map<number, Sums>();
  batches = 0;
  samples = 0;
  /** Start of each batch that `ofBatch` knows; in the order in which they came. */
  readonly #starts = new Map<string, number>();
  readonly #sampled: ReadonlySet<string>;

  /** @param sampled services whose stacks are summed one by one */
  constructor(sampled: ReadonlySet<string>) {
    this.#sampled = sampled;
  }

  /** A batch is on the queue, perhaps once more. */
  add(batch: SimulatedBatch): void {
    if (this.ofBatch.has(batch.id)) return;
    const ofBatch: Sums = new Map();
    this.ofBatch.set(batch.id, ofBatch);
    this.#starts.set(batch.id, batch.start);
    this.batches++;
    for (const window of batch.windows) this.#addWindow(batch, ofBatch, window);
  }

  /** Forgets batches that begin before `before`, ms: their ids are shed by then. */
  forgetBatches(before: number): void {
    for (const [id, start] of this.#starts) {
      if (start >= before) continue;
      this.#starts.delete(id);
      this.ofBatch.delete(id);
    }
  }

  #addWindow({ cluster, start }: SimulatedBatch, ofBatch: Sums, window: Window): void {
    const { service, type, samples, stacks } = window;
    let value = 0n;
    for (const self of Object.values(stacks)) value += BigInt(self);
    const key = keyOf(service, type);
    this.samples += samples;
    const day = Math.floor(window.start / DAY_MS);
    addTo(ofBatch, key, value, samples);
    addTo(within(this.ofBlockDay, Math.floor(start / DAY_MS)), key, value, samples);
    addTo(within(this.ofDay, day), keyOf(service, type, cluster), value, samples);
    addTo(within(this.ofHour, Math.floor(window.start / HOUR_MS)), key, value, samples);
    if (!this.#sampled.has(service)) return;
    const ofStack = within(this.ofStack, day);
    for (const [path, self] of Object.entries(stacks))
      addTo(ofStack, keyOf(service, type, path), BigInt(self), 0);
  }

  /** Of every service and type, over batches that begin in whole days [from, until). */
  blockDays(from: number, until: number): Sums {
    const sums: Sums = new Map();
    for (let day = from; day < until; day++)
      for (const [key, { value, samples }] of this.ofBlockDay.get(day) ?? [])
        addTo(sums, key, value, samples);
    return sums;
  }

  /** Path of names → sum, of a sampled service over whole days [from, until). */
  stacks(service: string, type: string, from: number, until: number): Map<string, bigint> {
    const prefix = keyOf(service, type, '');
    const sums = new Map<string, bigint>();
    for (let day = from; day < until; day++) {
      for (const [key, { value }] of this.ofStack.get(day) ?? []) {
        if (!key.startsWith(prefix)) continue;
        const path = key.slice(prefix.length);
        sums.set(path, (sums.get(path) ?? 0n) + value);
      }
    }
    return sums;
  }
}

function within(all: Map<number, Sums>, time: number): Sums {
  let sums = all.get(time);
  if (sums === undefined) all.set(time, (sums = new Map()));
  return sums;
}

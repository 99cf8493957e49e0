import type { RowSpec } from '../core/block/fixtures.ts';

// What a hub must know, kept apart from all of its code: the windows that reached its queue, each batch once however often
// it was sent, and plain sums of them. What was deleted, or waits among dead letters, is out of the sums.

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

/** A deletion that was recorded: it takes windows of the time [start, end), ms, that it matches. */
export interface ExpectedDeletion {
  /** Of its tombstone. */
  readonly id: string;
  readonly start: number;
  readonly end: number;
  readonly matches: (window: Window, cluster: string) => boolean;
  /** Whether the hub proved that no block holds anything of it. */
  isProven: boolean;
}

/** Sums by a text key. */
export type Sums = Map<string, Sum>;

interface KnownWindow {
  readonly window: Window;
  readonly value: bigint;
  readonly cluster: string;
  /** Day in which its batch begins: blocks belong to the day in which they begin. */
  readonly blockDay: number;
  readonly deletedBy: ExpectedDeletion[];
  isWithheld: boolean;
}

/** A part of a key that no name has in it. */
export const keyOf = (...parts: readonly (string | number)[]): string => parts.join('|');

/** Adds; a sum of nothing leaves. */
export function addTo(sums: Sums, key: string, value: bigint, samples: number): void {
  const sum = sums.get(key);
  if (sum === undefined) sums.set(key, { value, samples });
  else {
    sum.value += value;
    sum.samples += samples;
    if (sum.value === 0n && sum.samples === 0) sums.delete(key);
  }
}

export class ExpectedSums {
  /** Per day in which batches begin: service, type, cluster → sum. */
  readonly ofBlockDay = new Map<number, Sums>();
  /** Per day of the windows: service, type, cluster → sum. */
  readonly ofDay = new Map<number, Sums>();
  /** Per hour of the windows: service, type → sum. */
  readonly ofHour = new Map<number, Sums>();
  /** Per day of the windows, of sampled services: service, type, path of names → sum. */
  readonly ofStack = new Map<number, Sums>();
  readonly deletions: ExpectedDeletion[] = [];
  batches = 0;
  samples = 0;
  /** Batches whose ids may stand in blocks; in the order in which they came. */
  readonly #ofBatch = new Map<string, { start: number; windows: KnownWindow[] }>();
  readonly #ids = new Set<string>();
  readonly #byDay = new Map<number, KnownWindow[]>();
  readonly #sampled: ReadonlySet<string>;

  /** @param sampled services whose stacks are summed one by one */
  constructor(sampled: ReadonlySet<string>) {
    this.#sampled = sampled;
  }

  /** A batch is on the queue, perhaps once more. */
  add({ id, cluster, start, windows }: SimulatedBatch): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.batches++;
    const known = windows.map((window) => this.#know(window, cluster, Math.floor(start / DAY_MS)));
    this.#ofBatch.set(id, { start, windows: known });
  }

  hasCome(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Whether a batch is known whose id blocks may still name. */
  isTold(id: string): boolean {
    return this.#ofBatch.has(id);
  }

  /** A batch is among dead letters, or back from there: what is withheld is in no answer. */
  withhold(id: string, isWithheld: boolean): void {
    for (const known of this.#ofBatch.get(id)?.windows ?? []) {
      const was = isCounted(known);
      known.isWithheld = isWithheld;
      if (was !== isCounted(known)) this.#count(known, isWithheld ? -1 : 1);
    }
  }

  /** Answers how many samples go. */
  delete(deletion: ExpectedDeletion): number {
    this.deletions.push(deletion);
    let samples = 0;
    for (let day = Math.floor(deletion.start / DAY_MS); day * DAY_MS < deletion.end; day++)
      for (const known of this.#byDay.get(day) ?? []) {
        if (!isTaken(deletion, known)) continue;
        if (isCounted(known)) {
          this.#count(known, -1);
          samples += known.window.samples;
        }
        known.deletedBy.push(deletion);
      }
    return samples;
  }

  /** Forgets batches that begin before `before`, ms: their ids are shed by then. */
  forgetBatches(before: number): void {
    for (const [id, { start }] of this.#ofBatch) if (start < before) this.#ofBatch.delete(id);
  }

  /** Of these batches per service and type, without what some deletions take. */
  ofBatches(ids: readonly string[], deletions: ReadonlySet<string>): Sums {
    const sums: Sums = new Map();
    for (const id of ids)
      for (const { window, value, deletedBy } of this.#ofBatch.get(id)!.windows) {
        if (deletedBy.some((deletion) => deletions.has(deletion.id))) continue;
        addTo(sums, keyOf(window.service, window.type), value, window.samples);
      }
    return sums;
  }

  /**
   * Of every service, type and cluster, over batches that begin in whole days [from, until).
   * @param holes whole days of windows that are left out
   */
  blockDays(from: number, until: number, holes: readonly { start: number; end: number }[] = []): Sums {
    const sums: Sums = new Map();
    for (let day = from; day < until; day++)
      for (const [key, { value, samples }] of this.ofBlockDay.get(day) ?? [])
        addTo(sums, key, value, samples);
    for (const day of new Set(holes.map(({ start }) => start / DAY_MS)))
      for (const known of this.#byDay.get(day) ?? []) {
        const { window, value, cluster, blockDay } = known;
        if (isCounted(known) && blockDay >= from && blockDay < until)
          addTo(sums, keyOf(window.service, window.type, cluster), -value, -window.samples);
      }
    return sums;
  }

  /** What blocks of these days may hold more than that: of deletions that are not proven yet. */
  unprovenBlockDays(from: number, until: number): Sums {
    const sums: Sums = new Map();
    const isUnproven = ({ isProven, start, end }: ExpectedDeletion) =>
      !isProven && start < (until + 1) * DAY_MS && end > from * DAY_MS;
    if (!this.deletions.some(isUnproven)) return sums;
    for (let day = from; day <= until; day++)
      for (const { window, value, cluster, blockDay, deletedBy } of this.#byDay.get(day) ?? []) {
        if (blockDay < from || blockDay >= until || deletedBy.length === 0) continue;
        if (deletedBy.some(({ isProven }) => isProven)) continue;
        addTo(sums, keyOf(window.service, window.type, cluster), value, window.samples);
      }
    return sums;
  }

  /** Of one service and type, over windows that start in [start, end), ms. */
  ofSpan(service: string, type: string, { start, end }: { start: number; end: number }): bigint {
    let sum = 0n;
    for (let day = Math.floor(start / DAY_MS); day * DAY_MS < end; day++)
      for (const known of this.#byDay.get(day) ?? []) {
        const { window, value } = known;
        const isMeant = window.service === service && window.type === type && isCounted(known);
        if (isMeant && window.start >= start && window.start < end) sum += value;
      }
    return sum;
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

  #know(window: Window, cluster: string, blockDay: number): KnownWindow {
    let value = 0n;
    for (const self of Object.values(window.stacks)) value += BigInt(self);
    const known: KnownWindow = { window, value, cluster, blockDay, deletedBy: [], isWithheld: false };
    known.deletedBy.push(...this.deletions.filter((deletion) => isTaken(deletion, known)));
    listAt(this.#byDay, Math.floor(window.start / DAY_MS)).push(known);
    this.samples += window.samples;
    if (isCounted(known)) this.#count(known, 1);
    return known;
  }

  #count({ window, value, cluster, blockDay }: KnownWindow, sign: 1 | -1): void {
    const { service, type, start } = window;
    const [signed, samples] = [value * BigInt(sign), window.samples * sign];
    const day = Math.floor(start / DAY_MS);
    addTo(within(this.ofBlockDay, blockDay), keyOf(service, type, cluster), signed, samples);
    addTo(within(this.ofDay, day), keyOf(service, type, cluster), signed, samples);
    addTo(within(this.ofHour, Math.floor(start / HOUR_MS)), keyOf(service, type), signed, samples);
    if (!this.#sampled.has(service)) return;
    const ofStack = within(this.ofStack, day);
    for (const [path, self] of Object.entries(window.stacks))
      addTo(ofStack, keyOf(service, type, path), BigInt(self * sign), 0);
  }
}

function isCounted({ deletedBy, isWithheld }: KnownWindow): boolean {
  return deletedBy.length === 0 && !isWithheld;
}

function isTaken({ start, end, matches }: ExpectedDeletion, { window, cluster }: KnownWindow): boolean {
  return window.start >= start && window.start < end && matches(window, cluster);
}

function within(all: Map<number, Sums>, time: number): Sums {
  let sums = all.get(time);
  if (sums === undefined) all.set(time, (sums = new Map()));
  return sums;
}

function listAt<T>(all: Map<number, T[]>, time: number): T[] {
  let list = all.get(time);
  if (list === undefined) all.set(time, (list = []));
  return list;
}

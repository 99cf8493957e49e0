import { greatestCommonDivisor } from './entry-accumulator.ts';

// The values of one profile type of one dataset, in columns. A row is what one batch says about one series in one
// window; its entries are (stack, value) pairs, each stack once, in ascending order of stack.

/** Values are small, and those of a large dataset most of what merging it keeps in memory: doubles only where one needs to be. */
export type EntryValues = Uint32Array | Float64Array;

/** Largest value of a column of 32 bits. */
export const SHORT_VALUE_MAX = 0xffff_ffff;

/** Read side of the rows. Entries of row r are stacks/values[entryStarts[r]..entryStarts[r+1]). */
export interface ProfileRows {
  readonly count: number;
  /** Per row: index of the label set. */
  readonly series: Uint32Array;
  /** Per row: start of the window, ms since epoch. */
  readonly start: Float64Array;
  /** Per row: length of the window in ms; the window is [start, start + duration). */
  readonly duration: Float64Array;
  /** Per row: index of the batch that brought it, in the block's batch table. */
  readonly batch: Uint32Array;
  /** Per row: real value = column value × scale. The greatest common divisor of what came in, so columns stay small. */
  readonly scale: Float64Array;
  /** Per row: how many samples were taken for it. */
  readonly samples: Float64Array;
  /** Per row: sum of its values, in units of scale, below 2^53. */
  readonly total: Float64Array;
  readonly entryStarts: Uint32Array;
  readonly stacks: Uint32Array;
  readonly values: EntryValues;
}

/** What identifies a row, and how many samples it stands for. */
export interface RowHead {
  series: number;
  start: number;
  duration: number;
  batch: number;
  samples: number;
}

/** Rows that can be added to. */
export class ProfileRowsBuilder implements ProfileRows {
  count = 0;
  entryCount = 0;
  series = new Uint32Array(16);
  start = new Float64Array(16);
  duration = new Float64Array(16);
  batch = new Uint32Array(16);
  scale = new Float64Array(16);
  samples = new Float64Array(16);
  total = new Float64Array(16);
  entryStarts = new Uint32Array(17);
  stacks = new Uint32Array(256);
  values: EntryValues = new Uint32Array(256);

  /**
   * Adds one row whose entries are already distinct, ascending by stack and non-zero.
   * @param total sum of the values, in units of scale; at most 2^53 − 1
   */
  add(
    head: RowHead,
    scale: number,
    total: number,
    stacks: Uint32Array,
    values: EntryValues,
    length: number,
  ): void {
    if (this.count === this.series.length) this.#growRows();
    this.reserveEntries(length);
    const row = this.count++;
    this.series[row] = head.series;
    this.start[row] = head.start;
    this.duration[row] = head.duration;
    this.batch[row] = head.batch;
    this.samples[row] = head.samples;
    this.scale[row] = scale;
    this.total[row] = total;
    this.#addEntries(stacks, values, length);
    this.entryStarts[row + 1] = this.entryCount;
  }

  #addEntries(stacks: Uint32Array, values: EntryValues, length: number): void {
    const at = this.entryCount;
    const ownStacks = this.stacks;
    const ownValues = this.values;
    let largest = 0;
    for (let i = 0; i < length; i++) {
      const value = values[i]!;
      ownStacks[at + i] = stacks[i]!;
      ownValues[at + i] = value;
      if (value > largest) largest = value;
    }
    this.entryCount = at + length;
    if (largest <= SHORT_VALUE_MAX || ownValues instanceof Float64Array) return;
    this.values = new Float64Array(ownValues);
    this.values.set(values.subarray(0, length), at);
  }

  reserveEntries(more: number): void {
    const need = this.entryCount + more;
    if (need <= this.stacks.length) return;
    const size = Math.max(need, this.stacks.length * 2);
    this.stacks = grown(this.stacks, size);
    this.values = grown(this.values, size);
  }

  #growRows(): void {
    const size = this.count * 2;
    this.series = grown(this.series, size);
    this.start = grown(this.start, size);
    this.duration = grown(this.duration, size);
    this.batch = grown(this.batch, size);
    this.scale = grown(this.scale, size);
    this.samples = grown(this.samples, size);
    this.total = grown(this.total, size);
    this.entryStarts = grown(this.entryStarts, size + 1);
  }
}

function grown<T extends Uint32Array | Float64Array>(column: T, size: number): T {
  const next = new (column.constructor as new (length: number) => T)(size);
  next.set(column);
  return next;
}

/** The exact sum of total × scale over all rows. */
export function exactTotal(rows: ProfileRows): bigint {
  let sum = 0n;
  // Rows of one scale are summed as doubles as long as that is exact, which is nearly always all of them.
  let scale = 0;
  let part = 0;
  for (let r = 0; r < rows.count; r++) {
    const next = part + rows.total[r]!;
    if (rows.scale[r] !== scale || next > Number.MAX_SAFE_INTEGER) {
      sum += BigInt(part) * BigInt(scale);
      scale = rows.scale[r]!;
      part = rows.total[r]!;
    } else part = next;
  }
  return sum + BigInt(part) * BigInt(scale);
}

/** How many samples all rows stand for. */
export function sampleCount(rows: ProfileRows): number {
  let sum = 0;
  for (let r = 0; r < rows.count; r++) sum += rows.samples[r]!;
  return sum;
}

/** Greatest common divisor of all scales; 1 for no rows. */
export function commonScale(rows: Pick<ProfileRows, 'count' | 'scale'>): number {
  let scale = 0;
  for (let r = 0; r < rows.count && scale !== 1; r++) {
    if (rows.scale[r] !== scale) scale = greatestCommonDivisor(rows.scale[r]!, scale);
  }
  return scale === 0 ? 1 : scale;
}

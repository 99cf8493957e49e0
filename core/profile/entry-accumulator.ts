import { RejectedError } from '../errors.ts';

/** Default for the largest sum of one window: beyond 2^53 − 1 a double stops being exact. */
export const WINDOW_TOTAL_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Sums values per stack for one row at a time. A dense column indexed by stack makes adding one array write; the list
 * of touched stacks makes emptying it proportional to the row, not to the table.
 */
export class EntryAccumulator {
  /** After finish(): distinct stacks, ascending, and their values in units of `scale`. */
  stacks = new Uint32Array(256);
  values = new Float64Array(256);
  length = 0;
  scale = 1;
  total = 0;
  #dense = new Float64Array(1024);

  /** Empties it for the next row, whose stacks are all below `stackCount`. */
  begin(stackCount: number): void {
    for (let i = 0; i < this.length; i++) this.#dense[this.stacks[i]!] = 0;
    this.length = 0;
    if (stackCount > this.#dense.length)
      this.#dense = new Float64Array(Math.max(stackCount, this.#dense.length * 2));
  }

  /** Adds a whole number in [0, 2^53) to a stack. */
  add(stack: number, value: number): void {
    if (value === 0) return;
    const before = this.#dense[stack]!;
    if (before === 0) {
      if (this.length === this.stacks.length) this.#grow();
      this.stacks[this.length++] = stack;
    }
    this.#dense[stack] = before + value;
  }

  /**
   * Sorts the row, divides it by the greatest common divisor of its values, and sums it.
   * @throws RejectedError when the sum passes WINDOW_TOTAL_MAX units
   */
  finish(): void {
    const { length } = this;
    sortAscending(this.stacks, length);
    let divisor = 0;
    for (let i = 0; i < length; i++) {
      const value = this.#dense[this.stacks[i]!]!;
      this.values[i] = value;
      if (divisor !== 1) divisor = greatestCommonDivisor(value, divisor);
    }
    this.scale = divisor === 0 ? 1 : divisor;
    let total = 0;
    for (let i = 0; i < length; i++) {
      if (this.values[i]! > WINDOW_TOTAL_MAX) this.#refuse(this.values[i]!);
      if (divisor > 1) this.values[i] = this.values[i]! / divisor;
      total += this.values[i]!;
    }
    if (total > WINDOW_TOTAL_MAX) this.#refuse(total);
    this.total = total;
  }

  /** Sorts the row and leaves its values as they were added: for rows that were scaled and summed before. */
  sortOnly(): void {
    const { length } = this;
    sortAscending(this.stacks, length);
    for (let i = 0; i < length; i++) this.values[i] = this.#dense[this.stacks[i]!]!;
  }

  #refuse(seen: number): never {
    throw new RejectedError(
      'invalid',
      `the values of one window sum to ${seen} units, the limit window_total_max is ${WINDOW_TOTAL_MAX} (2^53 - 1, beyond which sums are not exact); send shorter windows`,
    );
  }

  #grow(): void {
    const size = this.stacks.length * 2;
    const stacks = new Uint32Array(size);
    stacks.set(this.stacks);
    this.stacks = stacks;
    this.values = new Float64Array(size);
  }
}

/** Sorts numbers[0..length). Rows often come sorted, as stacks are numbered in the order of their first sight. */
function sortAscending(numbers: Uint32Array, length: number): void {
  let at = 1;
  while (at < length && numbers[at - 1]! <= numbers[at]!) at++;
  if (at < length) numbers.subarray(0, length).sort();
}

/** Euclid; 32-bit arithmetic when both numbers allow it, as a double's remainder is ten times slower. */
export function greatestCommonDivisor(a: number, b: number): number {
  if (a > 0x7fffffff || b > 0x7fffffff) {
    while (b > 0x7fffffff || a > 0x7fffffff) {
      if (b === 0) return a;
      [a, b] = [b, a % b];
    }
  }
  let x = a | 0;
  let y = b | 0;
  while (y !== 0) {
    const rest = (x % y) | 0;
    x = y;
    y = rest;
  }
  return x;
}

import { RejectedError } from '../errors.ts';
import type { ProfileRows } from './profile-rows.ts';

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
  readonly #marks = new Marks();

  /** Empties it for the next row, whose stacks are all below `stackCount`. */
  begin(stackCount: number): void {
    const { length, stacks } = this;
    const dense = this.#dense;
    for (let i = 0; i < length; i++) dense[stacks[i]!] = 0;
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

  /** Adds values[i] to the stack that stacks[i] became, for i in [from, end). The same as `add` for each, with the columns at hand. */
  addMoved(
    stackOf: Uint32Array,
    { stacks, values }: Pick<ProfileRows, 'stacks' | 'values'>,
    from: number,
    end: number,
  ): void {
    while (this.stacks.length < this.length + end - from) this.#grow();
    const dense = this.#dense;
    const touched = this.stacks;
    let length = this.length;
    for (let i = from; i < end; i++) {
      const stack = stackOf[stacks[i]!]!;
      const before = dense[stack]!;
      if (before === 0) touched[length++] = stack;
      dense[stack] = before + values[i]!;
    }
    this.length = length;
  }

  /**
   * Adds column[order[i] × stride] × sign to stacks[order[i]], for i in [from, to), where that is positive. The same as
   * `add` for each, with the columns at hand. Answers how many were added.
   */
  addColumn(
    order: Int32Array,
    from: number,
    to: number,
    stacks: Int32Array,
    column: Float64Array,
    offset: number,
    stride: number,
    sign: 1 | -1,
  ): number {
    while (this.stacks.length < this.length + to - from) this.#grow();
    const dense = this.#dense;
    const touched = this.stacks;
    let length = this.length;
    let added = 0;
    for (let i = from; i < to; i++) {
      const at = order[i]!;
      const value = column[Math.imul(at, stride) + offset]! * sign;
      if (!(value > 0)) continue;
      const stack = stacks[at]!;
      const before = dense[stack]!;
      if (before === 0) touched[length++] = stack;
      dense[stack] = before + value;
      added++;
    }
    this.length = length;
    return added;
  }

  /**
   * Sorts the row, divides it by the greatest common divisor of its values, and sums it.
   * @throws RejectedError when the sum passes WINDOW_TOTAL_MAX units
   */
  finish(): void {
    const { length, stacks, values } = this;
    const dense = this.#dense;
    sortAscending(stacks, length, this.#marks);
    let divisor = 0;
    let sum = 0;
    let largest = 0;
    for (let i = 0; i < length; i++) {
      const value = dense[stacks[i]!]!;
      values[i] = value;
      sum += value;
      if (value > largest) largest = value;
      if (divisor !== 1) divisor = greatestCommonDivisor(value, divisor);
    }
    if (largest > WINDOW_TOTAL_MAX) this.#refuse(largest);
    this.scale = divisor === 0 ? 1 : divisor;
    this.total = divisor > 1 ? this.#divide(divisor) : sum;
    if (this.total > WINDOW_TOTAL_MAX) this.#refuse(this.total);
  }

  /** Divides all values and sums them anew, as the sum before may have been too large to be exact. */
  #divide(divisor: number): number {
    const { length, values } = this;
    let total = 0;
    for (let i = 0; i < length; i++) total += values[i] = values[i]! / divisor;
    return total;
  }

  /** Sorts the row and leaves its values as they were added: for rows that were scaled and summed before. */
  sortOnly(): void {
    const { length } = this;
    sortAscending(this.stacks, length, this.#marks);
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

/** From this many on, counting beats comparing. */
const RADIX_MIN = 256;
const RADIX_BITS = 11;
const RADIX = 1 << RADIX_BITS;

/** From this many on, and with numbers of at most so many times 1,024 for each, marking beats both. */
const MARKED_MIN = 24;
const MARKED_PER_NUMBER = 8;

/** Sorts numbers[0..length), which are distinct. Rows often come sorted, as stacks are numbered in the order of their first sight. */
function sortAscending(numbers: Uint32Array, length: number, marks: Marks): void {
  let at = 1;
  let largest = numbers[0]!;
  for (; at < length && largest <= numbers[at]!; at++) largest = numbers[at]!;
  if (at >= length) return;
  for (; at < length; at++) if (numbers[at]! > largest) largest = numbers[at]!;
  if (length >= MARKED_MIN && largest >>> 10 < length * MARKED_PER_NUMBER)
    marks.sort(numbers, length, largest);
  else if (length < RADIX_MIN) numbers.subarray(0, length).sort();
  else radixSort(numbers, length);
}

/** Sorts distinct numbers by setting a bit for each and reading the bits in order. A second row of bits tells which words have any. */
class Marks {
  /** All 0 between two calls. */
  #words = new Int32Array(1024);
  #groups = new Int32Array(32);

  sort(numbers: Uint32Array, length: number, largest: number): void {
    const groupCount = (largest >>> 10) + 1;
    if (groupCount > this.#groups.length) {
      this.#groups = new Int32Array(groupCount * 2);
      this.#words = new Int32Array(groupCount * 64);
    }
    this.#mark(numbers, length);
    this.#read(numbers, groupCount);
  }

  #mark(numbers: Uint32Array, length: number): void {
    const words = this.#words;
    const groups = this.#groups;
    for (let i = 0; i < length; i++) {
      const number = numbers[i]!;
      words[number >>> 5]! |= 1 << (number & 31);
      groups[number >>> 10]! |= 1 << ((number >>> 5) & 31);
    }
  }

  #read(numbers: Uint32Array, groupCount: number): void {
    const words = this.#words;
    const groups = this.#groups;
    let next = 0;
    for (let group = 0; group < groupCount; group++) {
      for (let inGroup = groups[group]!; inGroup !== 0; inGroup &= inGroup - 1) {
        const word = (group << 5) | lowestBit(inGroup);
        for (let bits = words[word]!; bits !== 0; bits &= bits - 1)
          numbers[next++] = (word << 5) | lowestBit(bits);
        words[word] = 0;
      }
      groups[group] = 0;
    }
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** Least significant digit first, as many digits as the largest number has. */
function radixSort(numbers: Uint32Array, length: number): void {
  let largest = 0;
  for (let i = 0; i < length; i++) largest |= numbers[i]!;
  let from: Uint32Array = numbers;
  let to: Uint32Array = new Uint32Array(length);
  const starts = new Int32Array(RADIX);
  for (let shift = 0; shift < 32 && largest >>> shift !== 0; shift += RADIX_BITS) {
    starts.fill(0);
    for (let i = 0; i < length; i++) starts[(from[i]! >>> shift) & (RADIX - 1)]!++;
    for (let digit = 0, sum = 0; digit < RADIX; digit++) {
      const count = starts[digit]!;
      starts[digit] = sum;
      sum += count;
    }
    for (let i = 0; i < length; i++) {
      const number = from[i]!;
      to[starts[(number >>> shift) & (RADIX - 1)]!++] = number;
    }
    [from, to] = [to, from];
  }
  if (from !== numbers) numbers.set(from.subarray(0, length));
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

import { MalformedInputError } from '../errors.ts';
import type { ProfileRows } from '../profile/profile-rows.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

// Sections `totals` and `samples` of one profile type. `totals` has a row per (series, window, batch), column by
// column, times as differences; a timeline reads nothing else. `samples` has the entries of the same rows: per row
// the number of entries and the lengths of its two byte runs (so that a row can be passed over without reading it),
// then all stack ids as differences within the row, then all values.

/** What section `totals` holds: the rows without their entries. */
export type RowTotals = Omit<ProfileRows, 'entryStarts' | 'stacks' | 'values'>;

/** Order in which rows are written: by series, then time, then batch, whatever order they came in. */
export function rowOrder(rows: RowTotals): Uint32Array {
  const order = new Uint32Array(rows.count);
  let sorted = true;
  for (let i = 0; i < order.length; i++) {
    order[i] = i;
    if (i > 0 && compareRows(rows, i - 1, i) > 0) sorted = false;
  }
  return sorted ? order : order.sort((a, b) => compareRows(rows, a, b));
}

function compareRows(rows: RowTotals, a: number, b: number): number {
  return (
    rows.series[a]! - rows.series[b]! ||
    rows.start[a]! - rows.start[b]! ||
    rows.duration[a]! - rows.duration[b]! ||
    rows.batch[a]! - rows.batch[b]! ||
    a - b
  );
}

export function encodeTotals(rows: RowTotals, order: Uint32Array): Uint8Array {
  const out = new ByteWriter(rows.count * 8 + 16);
  out.varint(rows.count);
  writeDeltas(out, rows.series, order);
  writeDeltas(out, rows.start, order);
  writeDeltas(out, rows.duration, order);
  writeDeltas(out, rows.batch, order);
  // Not as differences: a scale may be as large as a number can be, and equal ones compress as well.
  for (const row of order) out.varint(rows.scale[row]!);
  for (const row of order) out.varint(rows.samples[row]!);
  for (const row of order) out.varint(rows.total[row]!);
  return out.finish();
}

/** @throws MalformedInputError */
export function decodeTotals(bytes: Uint8Array, seriesCount: number, batchCount: number): RowTotals {
  const input = new ByteReader(bytes, 'totals section');
  const count = input.count(7);
  const series = readDeltas(input, new Uint32Array(count), seriesCount);
  const start = readDeltas(input, new Float64Array(count), Number.MAX_SAFE_INTEGER);
  const duration = readDeltas(input, new Float64Array(count), Number.MAX_SAFE_INTEGER);
  const batch = readDeltas(input, new Uint32Array(count), batchCount);
  const scale = new Float64Array(count);
  for (let i = 0; i < count; i++) scale[i] = input.varint();
  const samples = new Float64Array(count);
  for (let i = 0; i < count; i++) samples[i] = input.varint();
  const total = new Float64Array(count);
  for (let i = 0; i < count; i++) total[i] = input.varint();
  input.expectEnd();
  return { count, series, start, duration, batch, scale, samples, total };
}

function writeDeltas(out: ByteWriter, column: Uint32Array | Float64Array, order: Uint32Array): void {
  let before = 0;
  for (const row of order) {
    out.zigzag(column[row]! - before);
    before = column[row]!;
  }
}

function readDeltas<T extends Uint32Array | Float64Array>(input: ByteReader, column: T, limit: number): T {
  let value = 0;
  for (let i = 0; i < column.length; i++) {
    value += input.zigzag();
    if (value < 0 || value >= limit) input.fail(`row ${i} holds ${value}, which is not in [0, ${limit})`);
    column[i] = value;
  }
  return column;
}

export function encodeSamples(rows: ProfileRows, order: Uint32Array): Uint8Array {
  const stackBytes = new ByteWriter(rows.stacks.length + 16);
  const valueBytes = new ByteWriter(rows.stacks.length + 16);
  const lengths = new ByteWriter(rows.count * 4 + 16);
  lengths.varint(rows.count);
  for (const row of order) lengths.varint(rows.entryStarts[row + 1]! - rows.entryStarts[row]!);
  for (const row of order) {
    const stacksBefore = stackBytes.length;
    const valuesBefore = valueBytes.length;
    let before = 0;
    for (let i = rows.entryStarts[row]!, end = rows.entryStarts[row + 1]!; i < end; i++) {
      stackBytes.varint(rows.stacks[i]! - before);
      before = rows.stacks[i]!;
      valueBytes.varint(rows.values[i]! - 1);
    }
    lengths.varint(stackBytes.length - stacksBefore);
    lengths.varint(valueBytes.length - valuesBefore);
  }
  lengths.bytes(stackBytes.view());
  lengths.bytes(valueBytes.view());
  return lengths.finish();
}

/** Section `samples`, its row lengths read and checked, its entries still packed. */
export interface PackedSamples {
  readonly bytes: Uint8Array;
  readonly entryCounts: Uint32Array;
  /** Row r has its stack ids in bytes[stackStarts[r]..stackStarts[r+1]), its values in bytes[valueStarts[r]..valueStarts[r+1]). */
  readonly stackStarts: Uint32Array;
  readonly valueStarts: Uint32Array;
}

/** @throws MalformedInputError when lengths do not add up to the section or to `rowCount` rows */
export function openSamples(bytes: Uint8Array, rowCount: number): PackedSamples {
  const input = new ByteReader(bytes, 'samples section');
  if (input.varint() !== rowCount) input.fail(`does not have the ${rowCount} rows of its totals section`);
  const entryCounts = new Uint32Array(rowCount);
  for (let row = 0; row < rowCount; row++) entryCounts[row] = input.count();
  const stackStarts = new Uint32Array(rowCount + 1);
  const valueStarts = new Uint32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row++) {
    const stacksLength = input.count();
    const valuesLength = input.count();
    // Each entry takes at least one byte in each run, so a count cannot promise more than is there.
    if (entryCounts[row]! > Math.min(stacksLength, valuesLength))
      input.fail(`row ${row} has fewer bytes than entries`);
    stackStarts[row + 1] = stackStarts[row]! + stacksLength;
    valueStarts[row + 1] = valueStarts[row]! + valuesLength;
  }
  const body = input.offset;
  const stacksEnd = body + stackStarts[rowCount]!;
  if (stacksEnd + valueStarts[rowCount]! !== bytes.length)
    input.fail('row lengths do not add up to the section');
  for (let row = 0; row <= rowCount; row++) {
    stackStarts[row] = stackStarts[row]! + body;
    valueStarts[row] = valueStarts[row]! + stacksEnd;
  }
  return { bytes, entryCounts, stackStarts, valueStarts };
}

/**
 * Adds the entries of one row to `dense` (indexed by stack), each value times `factor`. This loop is what a flame graph
 * costs, so single-byte numbers, which nearly all are, take a path of their own, and checks are one comparison each.
 * @returns the sum of the row's values (before `factor`)
 * @throws MalformedInputError when an entry is out of range or the row does not end where its lengths say
 */
export function addRowEntries(
  packed: PackedSamples,
  row: number,
  dense: Float64Array,
  factor: number,
): number {
  const { bytes } = packed;
  let stackAt = packed.stackStarts[row]!;
  let valueAt = packed.valueStarts[row]!;
  const stackEnd = packed.stackStarts[row + 1]!;
  const valueEnd = packed.valueStarts[row + 1]!;
  const stackCount = dense.length;
  let stack = 0;
  let sum = 0;
  for (let left = packed.entryCounts[row]!; left > 0; left--) {
    let byte = bytes[stackAt++]!;
    if (byte < 128) stack += byte;
    else {
      let shift = 7;
      let delta = byte & 127;
      do {
        byte = bytes[stackAt++]!;
        delta += (byte & 127) * 2 ** shift;
        shift += 7;
      } while (byte >= 128 && shift < 35);
      stack += delta;
    }
    let value = bytes[valueAt++]!;
    if (value >= 128) {
      value &= 127;
      let unit = 128;
      do {
        byte = bytes[valueAt++]!;
        value += (byte & 127) * unit;
        unit *= 128;
      } while (byte >= 128 && unit < 2 ** 56);
    }
    value += 1;
    if (!(stack < stackCount)) failRow(row, `refers to stack ${stack}, there are ${stackCount}`);
    dense[stack]! += value * factor;
    sum += value;
  }
  if (stackAt !== stackEnd || valueAt !== valueEnd) failRow(row, 'does not end where its lengths say');
  return sum;
}

function failRow(row: number, message: string): never {
  throw new MalformedInputError('samples section', `row ${row} ${message}`);
}

/**
 * All rows with their entries unpacked, for merging.
 * @throws MalformedInputError also when entries do not sum to a row's total
 */
export function unpackRows(totals: RowTotals, packed: PackedSamples, stackCount: number): ProfileRows {
  const entryStarts = new Uint32Array(totals.count + 1);
  for (let row = 0; row < totals.count; row++)
    entryStarts[row + 1] = entryStarts[row]! + packed.entryCounts[row]!;
  const stacks = new Uint32Array(entryStarts[totals.count]!);
  const values = new Float64Array(stacks.length);
  for (let row = 0; row < totals.count; row++) {
    unpackStacks(packed, row, stacks, entryStarts[row]!, stackCount);
    const sum = unpackValues(packed, row, values, entryStarts[row]!);
    if (sum !== totals.total[row]) failRow(row, `sums to ${sum}, its total is ${totals.total[row]}`);
  }
  return { ...totals, entryStarts, stacks, values };
}

function unpackStacks(
  packed: PackedSamples,
  row: number,
  stacks: Uint32Array,
  at: number,
  stackCount: number,
): void {
  const { bytes } = packed;
  let from = packed.stackStarts[row]!;
  const end = at + packed.entryCounts[row]!;
  let stack = 0;
  for (let i = at; i < end; i++) {
    let byte = bytes[from++]!;
    let delta = byte & 127;
    for (let shift = 7; byte >= 128 && shift < 35; shift += 7) {
      byte = bytes[from++]!;
      delta += (byte & 127) * 2 ** shift;
    }
    if (delta === 0 && i > at) failRow(row, 'names a stack twice');
    stack += delta;
    if (!(stack < stackCount)) failRow(row, `refers to stack ${stack}, there are ${stackCount}`);
    stacks[i] = stack;
  }
  if (from !== packed.stackStarts[row + 1]) failRow(row, 'does not end where its lengths say');
}

function unpackValues(packed: PackedSamples, row: number, values: Float64Array, at: number): number {
  const { bytes } = packed;
  let from = packed.valueStarts[row]!;
  const end = at + packed.entryCounts[row]!;
  let sum = 0;
  for (let i = at; i < end; i++) {
    let byte = bytes[from++]!;
    let value = byte & 127;
    for (let unit = 128; byte >= 128 && unit < 2 ** 56; unit *= 128) {
      byte = bytes[from++]!;
      value += (byte & 127) * unit;
    }
    values[i] = value + 1;
    sum += value + 1;
  }
  if (from !== packed.valueStarts[row + 1]) failRow(row, 'does not end where its lengths say');
  if (sum > Number.MAX_SAFE_INTEGER) failRow(row, 'sums past 2^53');
  return sum;
}

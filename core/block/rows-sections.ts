import { MalformedInputError } from '../errors.ts';
import { type EntryValues, type ProfileRows, SHORT_VALUE_MAX } from '../profile/profile-rows.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { ByteWriter, putVarint, varintLength } from '../wire/byte-writer.ts';
import { ANY_NUMBER, readColumn } from './number-column.ts';
import type { BlockRows, WindowSpread } from './window-spread.ts';

// Sections `totals` and `samples` of one profile type. `totals` has a row per (series, window, batch), column by
// column, times as differences; a timeline reads nothing else. `samples` has the entries of the same rows: the table of
// the stacks that have a value, per row the number of entries and the lengths of its two byte runs (so that a row can be
// passed over without reading it), then all entries' places in that table as differences within the row, then all
// values less one. Most stacks only lead to others, so places are a tenth as many as stacks: their differences fit one
// byte and compress better (a third off the section), and a sum over windows runs over a column that stays in cache.

/** What section `totals` holds: the rows without their entries. */
export type RowTotals = Omit<BlockRows, 'entryStarts' | 'stacks' | 'values'>;

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
  if (rows.spread !== undefined) writeSpread(out, rows.spread, order);
  return out.finish();
}

function writeSpread(out: ByteWriter, { windows, least, most }: WindowSpread, order: Uint32Array): void {
  for (const row of order) out.varint(windows[row]!);
  for (const row of order) out.varint(least[row]!);
  for (const row of order) out.varint(most[row]!);
}

/**
 * @param hasSpread whether the block is downsampled, see `writeSpread`
 * @throws MalformedInputError
 */
export function decodeTotals(
  bytes: Uint8Array,
  seriesCount: number,
  batchCount: number,
  hasSpread: boolean,
): RowTotals {
  const input = new ByteReader(bytes, 'totals section');
  const count = input.count(hasSpread ? 10 : 7);
  const series = readDeltas(input, new Uint32Array(count), seriesCount);
  const start = readDeltas(input, new Float64Array(count), Number.MAX_SAFE_INTEGER);
  const duration = readDeltas(input, new Float64Array(count), Number.MAX_SAFE_INTEGER);
  const batch = readDeltas(input, new Uint32Array(count), batchCount);
  const scale = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    scale[i] = input.varint();
    if (scale[i] === 0) input.fail(`row ${i} has the scale 0`);
  }
  const samples = readVarints(input, count);
  const total = readVarints(input, count);
  const rows = { count, series, start, duration, batch, scale, samples, total };
  const spread = hasSpread ? readSpread(input, total) : undefined;
  input.expectEnd();
  return { ...rows, spread };
}

function readSpread(input: ByteReader, total: Float64Array): WindowSpread {
  const windows = readVarints(input, total.length);
  const least = readVarints(input, total.length);
  const most = readVarints(input, total.length);
  for (let i = 0; i < total.length; i++) {
    const fits = windows[i]! > 0 && least[i]! * windows[i]! <= total[i]! && most[i]! <= total[i]!;
    if (!fits || most[i]! * windows[i]! < total[i]!)
      input.fail(
        `row ${i} has windows from ${least[i]} to ${most[i]}, ${windows[i]} of them sum to ${total[i]}`,
      );
  }
  return { windows, least, most };
}

function readVarints(input: ByteReader, count: number): Float64Array {
  const column = new Float64Array(count);
  for (let i = 0; i < count; i++) column[i] = input.varint();
  return column;
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

/** The section is made in one piece of its exact length: a large dataset has tens of millions of entries. */
export function encodeSamples(rows: ProfileRows, order: Uint32Array): Uint8Array {
  const entryCount = rows.entryStarts[rows.count]!;
  const head = new ByteWriter(rows.count * 4 + 1024);
  head.varint(rows.count);
  const placeOf = writeStackTable(head, rows.stacks, entryCount);
  for (const row of order) head.varint(rows.entryStarts[row + 1]! - rows.entryStarts[row]!);
  const { placeBytes, valueBytes } = writeRunLengths(head, rows, order, placeOf);
  const section = new Uint8Array(head.length + placeBytes + valueBytes);
  section.set(head.view());
  writeEntries(section, head.length, head.length + placeBytes, rows, order, placeOf);
  return section;
}

/** Writes how many bytes the places and the values of each row take. @returns the sums of both */
function writeRunLengths(
  out: ByteWriter,
  { entryStarts, stacks, values }: ProfileRows,
  order: Uint32Array,
  placeOf: Uint32Array,
): { placeBytes: number; valueBytes: number } {
  let placeBytes = 0;
  let valueBytes = 0;
  for (const row of order) {
    const from = entryStarts[row]!;
    const end = entryStarts[row + 1]!;
    let ofPlaces = end - from;
    let ofValues = end - from;
    let before = 0;
    for (let i = from; i < end; i++) {
      const place = placeOf[stacks[i]!]!;
      if (place - before > 127) ofPlaces += varintLength(place - before) - 1;
      before = place;
      if (values[i]! > 128) ofValues += varintLength(values[i]! - 1) - 1;
    }
    out.varint(ofPlaces);
    out.varint(ofValues);
    placeBytes += ofPlaces;
    valueBytes += ofValues;
  }
  return { placeBytes, valueBytes };
}

/** Writes all places from `placeAt` on and all values from `valueAt` on. */
function writeEntries(
  section: Uint8Array,
  placeAt: number,
  valueAt: number,
  { entryStarts, stacks, values }: ProfileRows,
  order: Uint32Array,
  placeOf: Uint32Array,
): void {
  for (const row of order) {
    const end = entryStarts[row + 1]!;
    let before = 0;
    for (let i = entryStarts[row]!; i < end; i++) {
      const place = placeOf[stacks[i]!]!;
      if (place - before < 128) section[placeAt++] = place - before;
      else placeAt = putVarint(section, placeAt, place - before);
      before = place;
      const value = values[i]! - 1;
      if (value < 128) section[valueAt++] = value;
      else valueAt = putVarint(section, valueAt, value);
    }
  }
}

/** Writes the distinct stacks, ascending, as differences; the result tells the place of each in that table. */
function writeStackTable(out: ByteWriter, stacks: Uint32Array, entryCount: number): Uint32Array {
  let stackCount = 0;
  for (let i = 0; i < entryCount; i++) if (stacks[i]! >= stackCount) stackCount = stacks[i]! + 1;
  const placeOf = new Uint32Array(stackCount);
  for (let i = 0; i < entryCount; i++) placeOf[stacks[i]!] = 1;
  const deltas = new Uint32Array(Math.min(entryCount, stackCount));
  let places = 0;
  let before = 0;
  for (let stack = 0; stack < stackCount; stack++) {
    if (placeOf[stack] === 0) continue;
    deltas[places] = stack - before;
    before = stack;
    placeOf[stack] = places++;
  }
  out.varint(places);
  out.varints(deltas, 0, places);
  return placeOf;
}

/** Section `samples`, its stack table and row lengths read and checked, its entries still packed. */
export interface PackedSamples {
  readonly bytes: Uint8Array;
  /** The stacks that have a value, ascending; entries name them by their place here. */
  readonly stackTable: Uint32Array;
  readonly entryCounts: Uint32Array;
  /** Row r has its places in bytes[placeStarts[r]..placeStarts[r+1]), its values in bytes[valueStarts[r]..valueStarts[r+1]). */
  readonly placeStarts: Uint32Array;
  readonly valueStarts: Uint32Array;
}

/** @throws MalformedInputError when lengths do not add up to the section or to `rowCount` rows */
export function openSamples(bytes: Uint8Array, rowCount: number): PackedSamples {
  const input = new ByteReader(bytes, 'samples section');
  if (input.varint() !== rowCount) input.fail(`does not have the ${rowCount} rows of its totals section`);
  const stackTable = readStackTable(input);
  const entryCounts = new Uint32Array(rowCount);
  for (let row = 0; row < rowCount; row++) entryCounts[row] = input.count();
  const placeStarts = new Uint32Array(rowCount + 1);
  const valueStarts = new Uint32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row++) {
    const placesLength = input.count();
    const valuesLength = input.count();
    // Each entry takes at least one byte in each run, so a count cannot promise more than is there.
    if (entryCounts[row]! > Math.min(placesLength, valuesLength))
      input.fail(`row ${row} has fewer bytes than entries`);
    placeStarts[row + 1] = placeStarts[row]! + placesLength;
    valueStarts[row + 1] = valueStarts[row]! + valuesLength;
  }
  const body = input.offset;
  const placesEnd = body + placeStarts[rowCount]!;
  if (placesEnd + valueStarts[rowCount]! !== bytes.length)
    input.fail('row lengths do not add up to the section');
  for (let row = 0; row <= rowCount; row++) {
    placeStarts[row] = placeStarts[row]! + body;
    valueStarts[row] = valueStarts[row]! + placesEnd;
  }
  return { bytes, stackTable, entryCounts, placeStarts, valueStarts };
}

function readStackTable(input: ByteReader): Uint32Array {
  const table = new Uint32Array(input.count());
  readColumn(input, table, 0, 1, ANY_NUMBER);
  let stack = 0;
  for (let place = 0; place < table.length; place++) {
    const delta = table[place]!;
    if (delta === 0 && place > 0) input.fail(`names stack ${stack} twice in its table`);
    stack += delta;
    if (stack > 0xffff_ffff) input.fail(`refers to stack ${stack}`);
    table[place] = stack;
  }
  return table;
}

/** Every stack of the table must be one of the dataset's. @throws MalformedInputError */
export function checkStackTable({ stackTable }: PackedSamples, stackCount: number): void {
  const last = stackTable.at(-1) ?? -1;
  if (last < stackCount) return;
  throw new MalformedInputError('samples section', `refers to stack ${last}, there are ${stackCount}`);
}

/**
 * Adds the entries of rows to `sums` (indexed by place in the stack table), each value times scales[row] / scale. This
 * loop is what a flame graph costs, so single-byte numbers, which nearly all are, take a path of their own, and checks
 * are one comparison each.
 * @throws MalformedInputError when an entry is out of range or a row does not end where its lengths say
 */
export function addRows(
  packed: PackedSamples,
  rows: Uint32Array,
  scales: Float64Array,
  scale: number,
  sums: Float64Array,
): void {
  const { bytes, entryCounts, placeStarts, valueStarts } = packed;
  const places = sums.length;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const factor = scales[row]! / scale;
    let placeAt = placeStarts[row]!;
    let valueAt = valueStarts[row]!;
    let place = 0;
    for (let left = entryCounts[row]!; left > 0; left--) {
      let byte = bytes[placeAt++]!;
      if (byte < 128) place += byte;
      else {
        let shift = 7;
        let delta = byte & 127;
        do {
          byte = bytes[placeAt++]!;
          delta += (byte & 127) * 2 ** shift;
          shift += 7;
        } while (byte >= 128 && shift < 35);
        place += delta;
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
      if (!(place < places)) failRow(row, `refers to place ${place} of a table of ${places} stacks`);
      sums[place]! += (value + 1) * factor;
    }
    if (placeAt !== placeStarts[row + 1] || valueAt !== valueStarts[row + 1])
      failRow(row, 'does not end where its lengths say');
  }
}

function failRow(row: number, message: string): never {
  throw new MalformedInputError('samples section', `row ${row} ${message}`);
}

/**
 * All rows with their entries unpacked, for merging.
 * @throws MalformedInputError also when entries do not sum to a row's total
 */
export function unpackRows(totals: RowTotals, packed: PackedSamples, stackCount: number): BlockRows {
  const entryStarts = new Uint32Array(totals.count + 1);
  for (let row = 0; row < totals.count; row++)
    entryStarts[row + 1] = entryStarts[row]! + packed.entryCounts[row]!;
  const stacks = new Uint32Array(entryStarts[totals.count]!);
  checkStackTable(packed, stackCount);
  for (let row = 0; row < totals.count; row++) unpackStacks(packed, row, stacks, entryStarts[row]!);
  // No value is larger than the total of its row.
  const isShort = totals.total.every((total) => total <= SHORT_VALUE_MAX);
  const values = isShort ? new Uint32Array(stacks.length) : new Float64Array(stacks.length);
  for (let row = 0; row < totals.count; row++) {
    const sum = unpackValues(packed, row, values, entryStarts[row]!);
    if (sum !== totals.total[row]) failRow(row, `sums to ${sum}, its total is ${totals.total[row]}`);
  }
  return { ...totals, entryStarts, stacks, values };
}

function unpackStacks(packed: PackedSamples, row: number, stacks: Uint32Array, at: number): void {
  const { bytes, stackTable } = packed;
  let from = packed.placeStarts[row]!;
  const end = at + packed.entryCounts[row]!;
  let place = 0;
  for (let i = at; i < end; i++) {
    let byte = bytes[from++]!;
    let delta = byte & 127;
    for (let shift = 7; byte >= 128 && shift < 35; shift += 7) {
      byte = bytes[from++]!;
      delta += (byte & 127) * 2 ** shift;
    }
    if (delta === 0 && i > at) failRow(row, 'names a stack twice');
    place += delta;
    if (!(place < stackTable.length))
      failRow(row, `refers to place ${place} of a table of ${stackTable.length} stacks`);
    stacks[i] = stackTable[place]!;
  }
  if (from !== packed.placeStarts[row + 1]) failRow(row, 'does not end where its lengths say');
}

function unpackValues(packed: PackedSamples, row: number, values: EntryValues, at: number): number {
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

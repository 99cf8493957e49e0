import { StringColumn, type Strings } from '../profile/string-table.ts';
import {
  FrameColumn,
  FunctionColumn,
  MappingColumn,
  type Stacks,
  type Symbols,
  type Tuples,
} from '../profile/symbol-table.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

// Section `symbols`: strings, functions, mappings, frames, stacks, in this order. Rows 0 are not written: they are
// always the empty string, the zero row and the empty stack. Tables are written column by column, as like stands next
// to like and compresses; stacks write the distance to their parent, which is small.

export function encodeSymbols(symbols: Symbols): Uint8Array {
  const out = new ByteWriter(64 * 1024);
  writeStrings(out, symbols.strings);
  writeTuples(out, symbols.functions);
  writeTuples(out, symbols.mappings);
  writeTuples(out, symbols.frames);
  const { count, parents, frames } = symbols.stacks;
  out.varint(count - 1);
  const distances = new Uint32Array(count);
  for (let i = 1; i < count; i++) distances[i] = i - parents[i]! - 1;
  out.varints(distances, 1, count);
  out.varints(frames, 1, count);
  return out.finish();
}

/** @throws MalformedInputError when a length, an index or the order of stacks is wrong */
export function decodeSymbols(bytes: Uint8Array): Symbols {
  const input = new ByteReader(bytes, 'symbols section');
  const strings = readStrings(input);
  const functions = readTuples(input, FunctionColumn.width);
  checkColumn(input, functions, FunctionColumn.name, strings.count, 'string');
  checkColumn(input, functions, FunctionColumn.systemName, strings.count, 'string');
  checkColumn(input, functions, FunctionColumn.filename, strings.count, 'string');
  const mappings = readTuples(input, MappingColumn.width);
  checkColumn(input, mappings, MappingColumn.filename, strings.count, 'string');
  checkColumn(input, mappings, MappingColumn.buildId, strings.count, 'string');
  const frames = readTuples(input, FrameColumn.width);
  checkColumn(input, frames, FrameColumn.func, functions.count, 'function');
  checkColumn(input, frames, FrameColumn.mapping, mappings.count, 'mapping');
  const stacks = readStacks(input, frames.count);
  input.expectEnd();
  return { strings, functions, mappings, frames, stacks };
}

function writeStrings(out: ByteWriter, strings: Strings): void {
  const { count, starts, bytes } = strings;
  out.varint(count - 1);
  for (let i = 1; i < count; i++) out.varint(starts[i + 1]! - starts[i]!);
  out.bytes(bytes.subarray(starts[1], starts[count]));
}

function readStrings(input: ByteReader): Strings {
  const count = input.count() + 1;
  const starts = new Uint32Array(count + 1);
  for (let i = 1; i < count; i++) {
    const end = starts[i]! + input.varint();
    if (end > input.bytes.length) input.fail('the strings are longer than the section');
    starts[i + 1] = end;
  }
  return new StringColumn(input.take(starts[count]!), starts);
}

function writeTuples(out: ByteWriter, table: Tuples): void {
  const { count, width, rows } = table;
  out.varint(count - 1);
  for (let k = 0; k < width; k++) out.varints(rows, width + k, count * width, width);
}

function readTuples(input: ByteReader, width: number): Tuples {
  const count = input.count(width) + 1;
  const rows = new Uint32Array(count * width);
  for (let k = 0; k < width; k++) readColumn(input, rows, width + k, width);
  return { width, count, rows };
}

/**
 * Reads varints below 2^32 into column[first], column[first + step], … to its end. What a query reads of symbols is
 * mostly this loop, so numbers of one and two bytes, which nearly all are, do not leave it.
 */
function readColumn(input: ByteReader, column: Uint32Array, first: number, step: number): void {
  const { bytes, end } = input;
  let from = input.offset;
  for (let at = first; at < column.length; at += step) {
    if (end - from >= 2) {
      const byte = bytes[from]!;
      if (byte < 128) {
        column[at] = byte;
        from++;
        continue;
      }
      const next = bytes[from + 1]!;
      if (next < 128) {
        column[at] = (byte & 127) | (next << 7);
        from += 2;
        continue;
      }
    }
    input.offset = from;
    column[at] = input.index(0x1_0000_0000);
    from = input.offset;
  }
  input.offset = from;
}

function checkColumn(input: ByteReader, table: Tuples, column: number, limit: number, what: string): void {
  for (let at = column; at < table.count * table.width; at += table.width) {
    if (table.rows[at]! >= limit) input.fail(`refers to ${what} ${table.rows[at]}, there are ${limit}`);
  }
}

function readStacks(input: ByteReader, frameCount: number): Stacks {
  const count = input.count(2) + 1;
  const parents = new Uint32Array(count);
  const frames = new Uint32Array(count);
  readColumn(input, parents, 1, 1);
  for (let i = 1; i < count; i++) {
    const distance = parents[i]!;
    if (distance >= i) input.fail(`stack ${i} has a parent ${distance + 1} before it`);
    parents[i] = i - 1 - distance;
  }
  readColumn(input, frames, 1, 1);
  for (let i = 1; i < count; i++) {
    if (frames[i]! >= frameCount)
      input.fail(`stack ${i} refers to frame ${frames[i]}, there are ${frameCount}`);
  }
  return { count, parents, frames };
}

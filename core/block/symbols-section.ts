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
import { ANY_NUMBER, type Reference, readColumn, readParents } from './number-column.ts';

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
  const string = { what: 'string', limit: strings.count };
  const functions = readTuples(input, FunctionColumn.width, {
    [FunctionColumn.name]: string,
    [FunctionColumn.systemName]: string,
    [FunctionColumn.filename]: string,
  });
  const mappings = readTuples(input, MappingColumn.width, {
    [MappingColumn.filename]: string,
    [MappingColumn.buildId]: string,
  });
  const frames = readTuples(input, FrameColumn.width, {
    [FrameColumn.func]: { what: 'function', limit: functions.count },
    [FrameColumn.mapping]: { what: 'mapping', limit: mappings.count },
  });
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

function readTuples(
  input: ByteReader,
  width: number,
  references: Readonly<Record<number, Reference>>,
): Tuples {
  const count = input.count(width) + 1;
  const rows = new Uint32Array(count * width);
  for (let k = 0; k < width; k++) readColumn(input, rows, width + k, width, references[k] ?? ANY_NUMBER);
  return { width, count, rows };
}

function readStacks(input: ByteReader, frameCount: number): Stacks {
  const count = input.count(2) + 1;
  const parents = new Uint32Array(count);
  const frames = new Uint32Array(count);
  readParents(input, parents);
  readColumn(input, frames, 1, 1, { what: 'frame', limit: frameCount });
  return { count, parents, frames };
}

import type { ByteReader } from '../wire/byte-reader.ts';

// What a query reads of symbols is mostly these loops. Each checks what it reads as it reads it, and is a function of
// its own: the first query of a process pays for compiling every loop that it runs.

/** What the numbers of a column refer to, and how many of those there are; at most 2^32. */
export interface Reference {
  readonly what: string;
  readonly limit: number;
}

export const ANY_NUMBER: Reference = { what: 'number', limit: 0x1_0000_0000 };

/**
 * Reads varints into column[first], column[first + step], … to its end.
 * @throws MalformedInputError when one is not below the limit
 */
export function readColumn(
  input: ByteReader,
  column: Uint32Array,
  first: number,
  step: number,
  { what, limit }: Reference,
): void {
  const { bytes } = input;
  const { length } = column;
  let from = input.offset;
  for (let at = first; at < length; at += step) {
    let byte = bytes[from++]!;
    let value = byte;
    if (byte > 127) {
      value &= 127;
      let unit = 128;
      do {
        byte = bytes[from++]!;
        value += (byte & 127) * unit;
        unit *= 128;
      } while (byte > 127 && unit < 2 ** 35);
    }
    // Not so either when the bytes have ended.
    if (!(value < limit && byte < 128)) failReference(input, from, value, what, limit);
    column[at] = value;
  }
  endColumn(input, from);
}

/**
 * Reads how far before the one before it the parent of each stack is; stack 0 has none.
 * @throws MalformedInputError when a parent does not come before its child
 */
export function readParents(input: ByteReader, parents: Uint32Array): void {
  const { bytes } = input;
  const { length } = parents;
  let from = input.offset;
  for (let stack = 1; stack < length; stack++) {
    let byte = bytes[from++]!;
    let distance = byte;
    if (byte > 127) {
      distance &= 127;
      let unit = 128;
      do {
        byte = bytes[from++]!;
        distance += (byte & 127) * unit;
        unit *= 128;
      } while (byte > 127 && unit < 2 ** 35);
    }
    if (!(distance < stack && byte < 128)) failParent(input, from, stack, distance);
    parents[stack] = stack - 1 - distance;
  }
  endColumn(input, from);
}

function endColumn(input: ByteReader, from: number): void {
  if (from > input.end) input.fail('ends inside a number');
  input.offset = from;
}

function failReference(input: ByteReader, from: number, value: number, what: string, limit: number): never {
  endColumn(input, from);
  return input.fail(`refers to ${what} ${value}, there are ${limit}`);
}

function failParent(input: ByteReader, from: number, stack: number, distance: number): never {
  endColumn(input, from);
  return input.fail(`stack ${stack} has a parent ${distance + 1} before it`);
}

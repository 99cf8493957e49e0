import type { Codec } from '../core/block/codec.ts';
import type { TimeSpan } from '../core/query/time-span.ts';
import { ByteReader } from '../core/wire/byte-reader.ts';
import { ByteWriter } from '../core/wire/byte-writer.ts';
import { type MessageKind, packMessage, unpackMessage } from './packed-message.ts';
import type { ReadingReport, ShareSum } from './query-workers.ts';

// The sum of a share as bytes: a section of symbols, a value per stack, the total, covered time, and what was read.

const KIND: MessageKind = { magic: 0x4d534243, name: 'share sum' }; // "CBSM"

/** Longest sentence about a block, in bytes. */
const NOTE_BYTES_MAX = 64 * 1024;

/** @throws RejectedError('too-large') when no function would answer it; RangeError when a value passes 2^53 */
export function encodeShareSum(sum: ShareSum, codec: Codec): Uint8Array {
  const { symbols, values, total, covered, reading } = sum;
  const out = new ByteWriter(symbols.length + values.length * 2 + 1024);
  out.varint(symbols.length);
  out.bytes(symbols);
  writeValues(out, values);
  out.bigVarint(total);
  writeSpans(out, covered);
  writeReading(out, reading);
  return packMessage(codec, KIND, out.finish());
}

/**
 * Reads a sum that nobody vouches for; its section of symbols is taken as it is.
 * @throws MalformedInputError and nothing else, however the bytes are broken
 */
export function decodeShareSum(bytes: Uint8Array, codec: Codec): ShareSum {
  const input = new ByteReader(unpackMessage(codec, KIND, bytes), KIND.name);
  const symbols = input.take(input.count());
  const values = readValues(input);
  const total = input.bigVarint();
  const covered = readSpans(input);
  const reading = readReading(input);
  input.expectEnd();
  return { symbols, values, total, covered, reading };
}

/** Stacks that only lead to others have a value of 0: a byte, of which compression leaves little. */
function writeValues(out: ByteWriter, values: Float64Array): void {
  out.varint(values.length);
  for (const value of values) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`a stack has the value ${value}`);
    out.varint(value);
  }
}

function readValues(input: ByteReader): Float64Array {
  const values = new Float64Array(input.count());
  for (let stack = 0; stack < values.length; stack++) values[stack] = input.varint();
  return values;
}

/** Ascending: each as its distance to the one before it, and its length. */
function writeSpans(out: ByteWriter, spans: readonly TimeSpan[]): void {
  out.varint(spans.length);
  let last = 0;
  for (const { start, end } of spans) {
    out.varint(start - last);
    out.varint(end - start);
    last = end;
  }
}

function readSpans(input: ByteReader): TimeSpan[] {
  const spans: TimeSpan[] = [];
  let last = 0;
  for (let left = input.count(2); left > 0; left--) {
    const start = last + input.varint();
    const end = start + input.varint();
    if (!Number.isSafeInteger(end)) input.fail('covers time beyond all time');
    spans.push({ start, end });
    last = end;
  }
  return spans;
}

function writeReading(out: ByteWriter, reading: ReadingReport): void {
  out.u8(reading.complete ? 1 : 0);
  for (const number of [reading.bytesRead, reading.missingBlocks, reading.corruptBlocks, reading.samples])
    out.varint(number);
  out.varint(reading.notes.length);
  for (const note of reading.notes) out.text(note);
}

function readReading(input: ByteReader): ReadingReport {
  const complete = input.index(2) === 1;
  const [bytesRead, missingBlocks, corruptBlocks, samples] = Array.from({ length: 4 }, () =>
    input.varint(),
  ) as [number, number, number, number];
  const notes: string[] = [];
  for (let left = input.count(); left > 0; left--) notes.push(input.text(NOTE_BYTES_MAX));
  return { complete, bytesRead, missingBlocks, corruptBlocks, samples, notes };
}

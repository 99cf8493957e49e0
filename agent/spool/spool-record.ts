import { crc32 } from 'node:zlib';
import { MalformedInputError } from '../../core/errors.ts';
import { ByteReader } from '../../core/wire/byte-reader.ts';
import { ByteWriter } from '../../core/wire/byte-writer.ts';
import type { Ledger } from './ledger.ts';

// One record of a segment file, little-endian:
//   u32 magic "CBSR" | u32 header length | u32 payload length | u32 payload CRC-32 | u32 CRC-32 of the 16 bytes before
//   and the header | header | payload
// The header has a checksum of its own, so that a record whose payload is damaged still says how much it stood for.

export const RECORD_MAGIC = 0x52534243;
/** Bytes before the header. */
export const RECORD_PREFIX_BYTES = 20;
/** Longest header that is believed. */
export const HEADER_BYTES_MAX = 1024;
/** Longest payload that is believed: well above the longest batch that a hub takes. */
export const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

const HEADER_VERSION = 1;

/** What a record says of the batch that it holds. */
export interface RecordHeader {
  /** Number of the record in this spool folder, from 1, over all boots. */
  readonly ordinal: number;
  readonly bootId: string;
  /** Number of the batch within its boot, from 1. */
  readonly sequence: number;
  /** When it was spooled, ms since epoch on the hub's clock. */
  readonly createdMs: number;
  /** Windows lie in [firstWindow, lastWindow), ms since epoch on the hub's clock. */
  readonly firstWindow: number;
  readonly lastWindow: number;
  /** Samples in the batch. */
  readonly kept: number;
  /** What had been said before this batch, and what this batch says: running totals of the folder. */
  readonly before: Ledger;
  readonly says: Ledger;
}

export function encodeRecord(header: RecordHeader, payload: Uint8Array): Uint8Array {
  const head = encodeHeader(header);
  const out = new ByteWriter(RECORD_PREFIX_BYTES + head.length + payload.length);
  out.u32(RECORD_MAGIC);
  out.u32(head.length);
  out.u32(payload.length);
  out.u32(crc32(payload));
  out.u32(crc32(head, crc32(out.view())));
  out.bytes(head);
  out.bytes(payload);
  return out.finish();
}

/** Where a record lies and what its header says. */
export interface RecordPlace {
  readonly header: RecordHeader;
  readonly offset: number;
  /** Of the whole record. */
  readonly length: number;
  readonly payloadOffset: number;
  readonly payloadLength: number;
  readonly payloadCrc: number;
}

/**
 * Reads the record that starts at `bytes[0]`, without its payload.
 * @param bytes at least RECORD_PREFIX_BYTES + HEADER_BYTES_MAX bytes, or all that there are
 * @param offset where `bytes` starts in its file
 * @throws MalformedInputError when no sound header starts there
 */
export function decodeRecordHead(bytes: Uint8Array, offset: number): RecordPlace {
  const input = new ByteReader(bytes, 'spool record');
  if (input.u32() !== RECORD_MAGIC) input.fail('does not start as a record does');
  const headerLength = input.u32();
  const payloadLength = input.u32();
  const payloadCrc = input.u32();
  const crc = input.u32();
  if (headerLength > HEADER_BYTES_MAX) input.fail(`announces a header of ${headerLength} bytes`);
  if (payloadLength > PAYLOAD_BYTES_MAX) input.fail(`announces a payload of ${payloadLength} bytes`);
  const head = input.take(headerLength);
  if (crc32(head, crc32(bytes.subarray(0, 16))) !== crc)
    input.fail('the checksum of its header does not match');
  const payloadOffset = offset + RECORD_PREFIX_BYTES + headerLength;
  return {
    header: decodeHeader(head),
    offset,
    length: RECORD_PREFIX_BYTES + headerLength + payloadLength,
    payloadOffset,
    payloadLength,
    payloadCrc,
  };
}

/** Whether a payload, as read, is the one that was written. */
export function isPayloadSound(place: RecordPlace, payload: Uint8Array): boolean {
  return payload.length === place.payloadLength && crc32(payload) === place.payloadCrc;
}

function encodeHeader(header: RecordHeader): Uint8Array {
  const out = new ByteWriter(256);
  out.u8(HEADER_VERSION);
  out.varint(header.ordinal);
  out.text(header.bootId);
  out.varint(header.sequence);
  out.varint(Math.max(0, Math.floor(header.createdMs)));
  out.varint(header.firstWindow);
  out.varint(header.lastWindow);
  out.varint(header.kept);
  writeLedger(out, header.before);
  writeLedger(out, header.says);
  return out.finish();
}

function decodeHeader(bytes: Uint8Array): RecordHeader {
  const input = new ByteReader(bytes, 'spool record header');
  const version = input.u8();
  if (version !== HEADER_VERSION) {
    throw new MalformedInputError(
      'spool record header',
      `has version ${version}, this reads ${HEADER_VERSION}`,
    );
  }
  const header: RecordHeader = {
    ordinal: input.varint(),
    bootId: input.text(128),
    sequence: input.varint(),
    createdMs: input.varint(),
    firstWindow: input.varint(),
    lastWindow: input.varint(),
    kept: input.varint(),
    before: readLedger(input),
    says: readLedger(input),
  };
  input.expectEnd();
  return header;
}

function writeLedger(out: ByteWriter, ledger: Ledger): void {
  out.varint(ledger.taken);
  out.varint(ledger.lost);
  out.varint(ledger.droppedBatches);
  out.varint(ledger.droppedSamples);
}

function readLedger(input: ByteReader): Ledger {
  return {
    taken: input.varint(),
    lost: input.varint(),
    droppedBatches: input.varint(),
    droppedSamples: input.varint(),
  };
}

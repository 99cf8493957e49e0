import type { Codec } from '../core/block/codec.ts';
import { limitExceeded } from '../core/errors.ts';
import { ByteReader } from '../core/wire/byte-reader.ts';
import { ByteWriter } from '../core/wire/byte-writer.ts';

// What is sent between functions, compressed and checked as sections of blocks are: magic u32, format version u16, flags
// u16, raw length u32, CRC-32 of the packed bytes u32, and these.

const HEADER_LENGTH = 16;
const VERSION = 1;

/** Most that a message may unfold to. */
const RAW_BYTES_MAX = 128 * 1024 * 1024;

/**
 * Most bytes of a packed message. Lambda takes and answers 6 MB of JSON, in which bytes stand in base64, four for three:
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MESSAGE_BYTES_MAX = 4_500_000;

/** What a kind of message begins with, and what errors call it. */
export interface MessageKind {
  readonly magic: number;
  readonly name: string;
}

/** @throws RejectedError('too-large') */
export function packMessage(codec: Codec, { magic, name }: MessageKind, raw: Uint8Array): Uint8Array {
  checkLength(`${name}.rawBytesMax`, RAW_BYTES_MAX, raw.length);
  const packed = codec.compress(raw);
  checkLength(`${name}.bytesMax`, MESSAGE_BYTES_MAX, HEADER_LENGTH + packed.length);
  const out = new ByteWriter(HEADER_LENGTH + packed.length);
  out.u32(magic);
  out.u16(VERSION);
  out.u16(0);
  out.u32(raw.length);
  out.u32(codec.crc32(packed));
  out.bytes(packed);
  return out.finish();
}

/** @throws MalformedInputError */
export function unpackMessage(codec: Codec, { magic, name }: MessageKind, bytes: Uint8Array): Uint8Array {
  const input = new ByteReader(bytes, name);
  if (input.u32() !== magic) input.fail(`does not begin as a ${name} does`);
  const version = input.u16();
  if (version !== VERSION) input.fail(`has format version ${version}, this reads ${VERSION}`);
  input.u16();
  const rawLength = input.u32();
  if (rawLength > RAW_BYTES_MAX) input.fail(`unfolds to ${rawLength} bytes, the limit is ${RAW_BYTES_MAX}`);
  const crc = input.u32();
  const packed = input.take(input.remaining);
  if (codec.crc32(packed) !== crc) input.fail('its checksum does not match');
  return codec.decompress(packed, rawLength);
}

function checkLength(name: string, value: number, seen: number): void {
  if (seen > value) throw limitExceeded({ name, value, unit: 'bytes' }, seen);
}

import type { Codec } from '../block/codec.ts';
import { limitExceeded } from '../errors.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

// Bytes on their own, compressed and checked as sections of blocks are: magic u32, format version u16, flags u16 (0), raw
// length u32, CRC-32 of the packed bytes u32, and these.

const HEADER_LENGTH = 16;
const VERSION = 1;

/** What bytes of a kind begin with, what errors call them, and the most that they may unfold to. */
export interface PackedKind {
  readonly magic: number;
  readonly name: string;
  readonly rawBytesMax: number;
}

/** @throws RejectedError('too-large') */
export function packBytes(
  codec: Codec,
  { magic, name, rawBytesMax }: PackedKind,
  raw: Uint8Array,
): Uint8Array {
  if (raw.length > rawBytesMax)
    throw limitExceeded({ name: `${name}.rawBytesMax`, value: rawBytesMax, unit: 'bytes' }, raw.length);
  const packed = codec.compress(raw);
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
export function unpackBytes(
  codec: Codec,
  { magic, name, rawBytesMax }: PackedKind,
  bytes: Uint8Array,
): Uint8Array {
  const input = new ByteReader(bytes, name);
  if (input.u32() !== magic) input.fail(`does not begin as ${name}`);
  const version = input.u16();
  if (version !== VERSION) input.fail(`has format version ${version}, this reads ${VERSION}`);
  if (input.u16() !== 0) input.fail('has unknown flags');
  const rawLength = input.u32();
  if (rawLength > rawBytesMax) input.fail(`unfolds to ${rawLength} bytes, the limit is ${rawBytesMax}`);
  const crc = input.u32();
  const packed = input.take(input.remaining);
  if (codec.crc32(packed) !== crc) input.fail('its checksum does not match');
  return codec.decompress(packed, rawLength);
}

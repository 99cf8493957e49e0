import type { Codec } from '../core/block/codec.ts';
import { limitExceeded } from '../core/errors.ts';
import { type PackedKind, packBytes, unpackBytes } from '../core/wire/packed-bytes.ts';

/** Most that a message may unfold to. */
const RAW_BYTES_MAX = 128 * 1024 * 1024;

/**
 * Most bytes of a packed message. Lambda takes and answers 6 MB of JSON, in which bytes stand in base64, four for three:
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MESSAGE_BYTES_MAX = 4_500_000;

/** What a kind of message between functions begins with, and what errors call it. */
export type MessageKind = Pick<PackedKind, 'magic' | 'name'>;

/** @throws RejectedError('too-large') */
export function packMessage(codec: Codec, kind: MessageKind, raw: Uint8Array): Uint8Array {
  const bytes = packBytes(codec, { ...kind, rawBytesMax: RAW_BYTES_MAX }, raw);
  const limit = { name: `${kind.name}.bytesMax`, value: MESSAGE_BYTES_MAX, unit: 'bytes' };
  if (bytes.length > MESSAGE_BYTES_MAX) throw limitExceeded(limit, bytes.length);
  return bytes;
}

/** @throws MalformedInputError */
export function unpackMessage(codec: Codec, kind: MessageKind, bytes: Uint8Array): Uint8Array {
  return unpackBytes(codec, { ...kind, rawBytesMax: RAW_BYTES_MAX }, bytes);
}

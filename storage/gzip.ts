import { gunzipSync } from 'node:zlib';
import { limitExceeded, MalformedInputError } from '../core/errors.ts';

/** Whether bytes begin as gzip does (RFC 1952). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Inflates gzip, also of several members, to at most `maxBytes`.
 * @throws RejectedError('too-large') when it unfolds to more; MalformedInputError when it is damaged or cut off
 */
export function gunzipBounded(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    const inflated = gunzipSync(bytes, { maxOutputLength: maxBytes, chunkSize: chunkBytes(bytes, maxBytes) });
    return new Uint8Array(inflated.buffer, inflated.byteOffset, inflated.byteLength);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw limitExceeded(
        { name: 'pprofBytesMax', value: maxBytes, unit: 'bytes after inflating' },
        maxBytes + 1,
      );
    }
    throw new MalformedInputError('gzip', (error as Error).message, undefined, { cause: error });
  }
}

const CHUNK_BYTES_MIN = 1024;
const CHUNK_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Output is made in pieces of this size. The last four bytes of gzip say how long the last member is (RFC 1952), which
 * for an honest input makes it one piece; nobody is believed further than a dozen times what was sent.
 */
function chunkBytes(bytes: Uint8Array, maxBytes: number): number {
  const { buffer, byteOffset, length } = bytes;
  const said = length < 4 ? 0 : new DataView(buffer, byteOffset, length).getUint32(length - 4, true);
  const believed = Math.min(said + 1, length * 12, maxBytes, CHUNK_BYTES_MAX);
  return Math.max(CHUNK_BYTES_MIN, believed);
}

import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Codec } from '../core/block/codec.ts';
import { MalformedInputError } from '../core/errors.ts';

const FORMAT = 'zstd';

/** Denser levels cost time in proportion and save little on columns, which are small and already delta-coded. */
const LEVEL = 3;

/** Output is gathered in pieces of this size when its length is not known beforehand. */
const CHUNK_BYTES = 64 * 1024;
const CHUNK_BYTES_MIN = 1024;

/** RFC 8878 section 3.1.1.2: a block takes 3 bytes of header plus at least 1, and yields at most 128 KiB. */
const MAX_EXPANSION = (128 * 1024) / 4;

/** Windows past 2^27 are refused by default in zstd; level 3 never asks for more than 2^21. */
const MAX_WINDOW_LOG = 27;
const MIN_WINDOW_LOG = 10;

/**
 * Codec on the zstd and CRC-32 that Node.js brings. `compress` writes one frame with its content size in the header.
 * `decompress` takes one frame and nothing after it, and checks the declared size before it allocates, so a small
 * hostile section cannot ask for much memory.
 */
export const zstdCodec: Codec = {
  compress(raw) {
    return zstdCompressSync(raw, {
      // One buffer that nearly always holds all output: several would be joined in one more. What it is not filled with
      // takes no memory where it is large, and little where it is small.
      chunkSize: Math.max(CHUNK_BYTES_MIN, raw.length),
      params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    });
  },

  decompress(compressed, rawLength) {
    if (!Number.isSafeInteger(rawLength) || rawLength < 0) {
      throw new MalformedInputError(FORMAT, `${rawLength} is not a length`);
    }
    if (rawLength > compressed.length * MAX_EXPANSION) {
      throw new MalformedInputError(FORMAT, `${compressed.length} bytes cannot hold ${rawLength}`);
    }
    const declared = contentSize(compressed);
    if (declared !== undefined && declared !== rawLength) {
      throw new MalformedInputError(FORMAT, `content has ${declared} bytes, ${rawLength} were expected`);
    }
    return inflate(compressed, rawLength, declared === undefined ? CHUNK_BYTES : rawLength);
  },

  crc32(bytes) {
    return crc32(bytes);
  },
};

function inflate(compressed: Uint8Array, rawLength: number, chunkBytes: number): Uint8Array {
  let raw: Uint8Array;
  let consumed: number;
  try {
    ({ raw, consumed } = decompressFrame(compressed, rawLength, chunkBytes));
  } catch (error) {
    throw new MalformedInputError(FORMAT, error instanceof Error ? error.message : String(error), undefined, {
      cause: error,
    });
  }
  if (raw.length !== rawLength) {
    throw new MalformedInputError(FORMAT, `content has ${raw.length} bytes, ${rawLength} were expected`);
  }
  if (consumed !== compressed.length)
    throw new MalformedInputError(FORMAT, 'bytes follow the frame', consumed);
  return raw;
}

function decompressFrame(compressed: Uint8Array, rawLength: number, chunkBytes: number) {
  const windowLog = Math.max(
    MIN_WINDOW_LOG,
    Math.min(MAX_WINDOW_LOG, Math.ceil(Math.log2(Math.max(1, rawLength)))),
  );
  // With `info` the answer also carries the engine, which knows how many bytes of input it took; the types omit that.
  const { buffer, engine } = zstdDecompressSync(compressed, {
    info: true,
    maxOutputLength: Math.max(1, rawLength),
    chunkSize: Math.max(64, Math.min(rawLength, chunkBytes)),
    params: { [constants.ZSTD_d_windowLogMax]: windowLog },
  }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
  return { raw: buffer, consumed: engine.bytesWritten };
}

/** The content size that the frame header declares, if it does (RFC 8878 section 3.1.1.1). */
function contentSize(frame: Uint8Array): number | undefined {
  if (frame.length < 6) throw new MalformedInputError(FORMAT, `${frame.length} bytes are no frame`);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== 0xfd2fb528) throw new MalformedInputError(FORMAT, 'not a zstd frame', 0);
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
  const at = 5 + (singleSegment ? 0 : 1) + dictionaryBytes;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  if (at + sizeBytes > frame.length)
    throw new MalformedInputError(FORMAT, 'the frame header is cut off', frame.length);
  if (sizeBytes === 0) return undefined;
  if (sizeBytes === 1) return view.getUint8(at);
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}

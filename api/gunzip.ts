import { gzipSync } from 'node:zlib';
import { RejectedError } from '../core/errors.ts';
import { gunzipBounded } from '../storage/gzip.ts';

/** Profiles shrink to a third or a tenth, rarely to a hundredth; what unfolds further than this is a bomb. */
export const GZIP_RATIO_MAX = 250;

/** Up to here an input may unfold at any ratio: small profiles of one repeated stack do. */
const ALWAYS_ALLOWED_BYTES = 1024 * 1024;

/**
 * Inflates gzip from outside. Output is made in pieces and stops at the limit, so a bomb costs at most `maxBytes` of
 * memory, or GZIP_RATIO_MAX times its own size.
 * @throws MalformedInputError when it is no gzip or ends early; RejectedError('too-large') past `maxBytes` or the ratio
 */
export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> {
  const byRatio = Math.max(ALWAYS_ALLOWED_BYTES, bytes.length * GZIP_RATIO_MAX);
  try {
    return gunzipBounded(bytes, Math.min(maxBytes, byRatio)) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    if (!(error instanceof RejectedError) || byRatio >= maxBytes) throw error;
    const message = `gzip: ${bytes.length} bytes unfold to more than ${GZIP_RATIO_MAX} times as many`;
    throw new RejectedError('too-large', message, { cause: error });
  }
}

export function gzip(bytes: Uint8Array, level = 4): Uint8Array<ArrayBuffer> {
  return gzipSync(bytes, { level });
}

import { createHash } from 'node:crypto';
import { limitExceeded, MalformedInputError, RejectedError } from '../core/errors.ts';
import { gunzip } from './gunzip.ts';

/** A limit as messages name it. */
export interface SizeLimit {
  name: string;
  value: number;
}

/**
 * The body, at most `limit.value` bytes: a longer one is refused by its Content-Length, or once that many were read.
 * @throws RejectedError('too-large'); MalformedInputError when the sender stops halfway.
 */
export async function readBody(request: Request, limit: SizeLimit): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > limit.value) throw tooLarge(limit, declared);
  if (!request.body) return new Uint8Array(0);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of chunksOf(request.body)) {
    length += piece.length;
    if (length > limit.value) throw tooLarge(limit, length);
    pieces.push(piece);
  }
  return joined(pieces, length);
}

/** Undoes `Content-Encoding: gzip`. @throws RejectedError, MalformedInputError as `gunzip`; 'invalid' for other codings. */
export function decodeContent(request: Request, body: Uint8Array, maxBytes: number): Uint8Array {
  const coding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding === 'identity' || coding === '') return body;
  if (coding === 'gzip' || coding === 'x-gzip') return gunzip(body, maxBytes);
  throw new RejectedError('invalid', `Content-Encoding ${coding} is not understood; send gzip or none`);
}

/** Lowercase hex, as `x-amz-content-sha256` carries it. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause) => {
        throw new MalformedInputError('body', 'the sender stopped halfway', undefined, { cause });
      });
      finished = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!finished) await reader.cancel().catch(() => undefined);
  }
}

function joined(pieces: Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function tooLarge(limit: SizeLimit, seen: number): RejectedError {
  return limitExceeded({ ...limit, unit: 'bytes' }, seen);
}

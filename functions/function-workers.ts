import type { Codec } from '../core/block/codec.ts';
import { MalformedInputError, RejectedError } from '../core/errors.ts';
import type { QueryWorkers, ShareSum } from '../pipeline/query-workers.ts';
import { encodeShare } from '../pipeline/share-codec.ts';
import { decodeShareSum } from '../pipeline/share-sum-codec.ts';
import type { InvokeFunction } from '../storage/aws/lambda-function.ts';
import type { ShareResult } from './query-worker.ts';

/**
 * How long the query function waits for a worker, in ms; then it reads the share itself, for which it has the rest of its
 * 29 s. A share of a fifth of the most that a query reads (512 MiB) takes a few seconds.
 */
export const WORKER_TIMEOUT_MS = 12_000;

/**
 * Workers that are invocations of a function.
 * @param count how many at once for one query
 */
export function functionWorkers(count: number, invoke: InvokeFunction, codec: Codec): QueryWorkers {
  return {
    count,
    async sum(share): Promise<ShareSum> {
      const event = JSON.stringify({ share: Buffer.from(encodeShare(share, codec)).toString('base64') });
      return decodeShareSum(sumOf(await invoke(event)), codec);
    },
  };
}

/** @throws MalformedInputError for what no worker answers; RejectedError('too-large') when the sum does not fit */
function sumOf(answer: string): Uint8Array {
  const { sum, tooLarge } = parsed(answer);
  if (typeof tooLarge === 'string') throw new RejectedError('too-large', tooLarge);
  if (typeof sum !== 'string') throw new MalformedInputError('answer of a worker', 'has no sum');
  return Buffer.from(sum, 'base64');
}

function parsed(answer: string): Partial<Record<keyof ShareResult, unknown>> {
  try {
    const value = JSON.parse(answer);
    if (typeof value === 'object' && value !== null) return value;
  } catch {}
  throw new MalformedInputError('answer of a worker', 'is not an object of JSON');
}

import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError } from '../../core/errors.ts';
import { isCollision } from './aws-errors.ts';

/** Waits between tries of one call, and how many there are. */
export interface Backoff {
  tries: number;
  /** The wait before try n (from 1) is random in [0, min(capMs, baseMs * 2^n)). */
  baseMs: number;
  capMs: number;
}

/** Within a call that somebody waits for: seven tries within about a second and a half. */
export const CALL_BACKOFF: Backoff = { tries: 7, baseMs: 20, capMs: 500 };

/**
 * Calls until it goes through. The SDK repeats what it knows to be throttled by itself; this is for what it takes as final:
 * conflicts of transactions and of conditional puts, and parts of a batch that were not processed.
 * @param again what `call` answers when there is more to do
 */
export async function untilDone<T>(
  doing: string,
  backoff: Backoff,
  call: () => Promise<T | 'again'>,
): Promise<T> {
  let last: unknown;
  for (let attempt = 1; attempt <= backoff.tries; attempt++) {
    try {
      const answer = await call();
      if (answer !== 'again') return answer as T;
    } catch (error) {
      if (!isCollision(error)) throw error;
      last = error;
    }
    if (attempt < backoff.tries) await sleep(waitMs(backoff, attempt));
  }
  throw new RetryableError(`${doing}: given up after ${backoff.tries} tries`, { cause: last });
}

/** Full jitter: callers that collided once do not collide again ("Exponential Backoff And Jitter", AWS, 2015). */
function waitMs({ baseMs, capMs }: Backoff, attempt: number): number {
  return Math.random() * Math.min(capMs, baseMs * 2 ** attempt);
}

import { RejectedError } from '../core/errors.ts';
import { type DeadLetter, MAX_RECEIVE, type QueueDepth } from '../storage/batch-queue.ts';
import type { Hub } from './hub.ts';

/** How much waits, and the oldest batches that were tried too often. @param limit most dead letters, 0 to 1,000 */
export async function inspectQueue(
  hub: Hub,
  limit: number,
): Promise<{ depth: QueueDepth; deadLetters: DeadLetter[]; nowMs: number }> {
  if (limit > MAX_RECEIVE) {
    throw new RejectedError('invalid', `the limit is ${limit}, it may be at most ${MAX_RECEIVE}`);
  }
  const [depth, deadLetters] = await Promise.all([
    hub.queue.depth(),
    limit === 0 ? [] : hub.queue.deadLetters(limit),
  ]);
  return { depth, deadLetters, nowMs: hub.clock() };
}

/** Lets processors try dead letters again. Answers how many. */
export async function redriveDeadLetters(hub: Hub, ids: string[] | 'all'): Promise<number> {
  const redriven = await hub.queue.redrive(ids);
  hub.telemetry.log('info', `${redriven} dead letters were sent again`);
  return redriven;
}

/** Deletes dead letters for good; their samples show as missing in the audit of loss. Answers how many. */
export async function discardDeadLetters(hub: Hub, ids: string[] | 'all'): Promise<number> {
  const discarded = ids === 'all' ? await discardAll(hub) : await hub.queue.discard(ids);
  hub.telemetry.log('warn', `${discarded} dead letters were discarded for good`);
  return discarded;
}

async function discardAll(hub: Hub): Promise<number> {
  let discarded = 0;
  for (;;) {
    const letters = await hub.queue.deadLetters(MAX_RECEIVE);
    const gone = letters.length === 0 ? 0 : await hub.queue.discard(letters.map(({ id }) => id));
    if (gone === 0) return discarded;
    discarded += gone;
  }
}

import type { Completeness } from '../core/query/completeness.ts';
import type { Hub } from './hub.ts';
import type { PlannedRead } from './read-blocks.ts';
import { SETTLE_MS } from './tombstone-store.ts';

/** What an answer adds to the completeness of its plan. */
type Read = Pick<Completeness, 'blocksRead' | 'samples' | 'coveredMs'>;

/**
 * The answer to a question over a plan: from the cache when it was given before over the same blocks, else computed, and
 * kept when it is whole and none of its blocks is fresh: those are merged soon.
 * @param question all that the answer depends on besides the plan, in one text
 * @param compute fills in the completeness of the plan
 * @param sizeOf bytes of an answer in memory, about
 */
export async function cachedAnswer<T>(
  hub: Hub,
  question: string,
  { plan, completeness, tombstones }: PlannedRead,
  compute: () => Promise<T>,
  sizeOf: (answer: T) => number,
): Promise<T> {
  const { answers } = hub;
  if (answers === undefined || plan.blocks.some(({ row }) => row.level === 0)) return compute();
  const blocks = plan.blocks.map(({ row, spans }) => [
    row.blockId,
    ...tombstones.concerning(row, SETTLE_MS).all.map(({ id }) => id),
    ...spans.flatMap(({ start, end }) => [start, end]),
  ]);
  const key = JSON.stringify([hub.tenant, question, blocks]);
  const known = answers.get(key) as { answer: T; read: Read } | undefined;
  hub.telemetry.count('query_cache_lookups_total', 1, { outcome: known === undefined ? 'miss' : 'hit' });
  if (known !== undefined) {
    Object.assign(completeness, known.read);
    return known.answer;
  }
  const answer = await compute();
  const { blocksRead, samples, coveredMs, missingBlocks, corruptBlocks, continueBefore } = completeness;
  const isWhole = missingBlocks === 0 && corruptBlocks === 0 && continueBefore === undefined;
  if (isWhole) {
    const read: Read = { blocksRead, samples, coveredMs };
    answers.put(key, { answer, read }, key.length * 2 + sizeOf(answer));
  }
  return answer;
}

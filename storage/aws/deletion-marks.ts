import type { DeletionMark } from '../block-catalog.ts';
import { type Fields, type Item, number, text } from './attribute-values.ts';
import { blockIdOf } from './block-items.ts';
import type { DynamoTable } from './dynamodb-table.ts';
import { mergeAscending } from './merge-streams.ts';
import { blockKey, MARK_SHARDS, marksPartition, padded } from './names.ts';

/** Marks that are checked against the items of their blocks in one go, at least. */
const CHECK_AT_ONCE = 100;

/** Swaps per page. */
const SWAP_PAGE = 25;

/** The list of the blocks that one swap marked, as an item: the marks of a swap are one write, not one each. */
export function markFields(removed: Item[], markedAt: number): Fields {
  const blocks = removed.map((item) => [blockIdOf(item), text(item, 'tenant'), number(item, 'level')]);
  return { markedAt, blocks: JSON.stringify(blocks) };
}

/**
 * The oldest marks set before `before`, by (markedAt, blockId). A mark counts while its block's item names its list; a list of
 * which no block is marked any more is removed in passing.
 */
export async function deletionMarks(
  table: DynamoTable,
  before: number,
  limit: number,
): Promise<DeletionMark[]> {
  if (!(before > 0)) return [];
  const to = padded(Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(before)));
  const shards = Array.from({ length: MARK_SHARDS }, (_, shard) =>
    table.query(marksPartition(shard), { to, pageSize: SWAP_PAGE }),
  );
  const marks: DeletionMark[] = [];
  let waiting: Item[] = [];
  let waitingBlocks = 0;
  const check = async () => {
    marks.push(...(await stillMarked(table, waiting)));
    waiting = [];
    waitingBlocks = 0;
  };
  for await (const list of mergeAscending(shards, (item) => text(item, 'sk'))) {
    const last = waiting.at(-1);
    // Marks of one moment may be in several lists: they are put in order together.
    const newMoment = last !== undefined && number(last, 'markedAt') < number(list, 'markedAt');
    if (newMoment && waitingBlocks >= Math.min(CHECK_AT_ONCE, limit)) await check();
    if (marks.length >= limit) break;
    waiting.push(list);
    waitingBlocks += toMarks(list).length;
  }
  if (marks.length < limit) await check();
  return marks.slice(0, limit);
}

async function stillMarked(table: DynamoTable, lists: Item[]): Promise<DeletionMark[]> {
  const all = lists.map(toMarks);
  const items = await table.getMany(
    [...new Set(all.flat().map(({ blockId }) => blockId))].map((blockId) => blockKey(blockId)),
  );
  const listOf = new Map(
    items
      .filter((item) => text(item, 'state') === 'marked')
      .map((item) => [blockIdOf(item), text(item, 'markedBy')]),
  );
  const counting = all.map((marks, i) =>
    marks.filter(({ blockId }) => listOf.get(blockId) === text(lists[i]!, 'sk')),
  );
  const done = lists.filter((_, i) => counting[i]!.length === 0);
  await table.deleteMany(done.map((list) => ({ pk: text(list, 'pk'), sk: text(list, 'sk') })));
  return counting.flat().sort(byAge);
}

function toMarks(list: Item): DeletionMark[] {
  const blocks = JSON.parse(text(list, 'blocks')) as [string, string, number][];
  const markedAt = number(list, 'markedAt');
  return blocks.map(([blockId, tenant, level]) => ({ blockId, tenant, level, markedAt }));
}

function byAge(a: DeletionMark, b: DeletionMark): number {
  return a.markedAt - b.markedAt || (a.blockId < b.blockId ? -1 : a.blockId > b.blockId ? 1 : 0);
}

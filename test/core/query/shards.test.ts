// Blocks of different shards name the same batches, and hold none of the same rows: a query pays nothing for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IndexRow, planQuery } from '../../../core/query/query-plan.ts';
import { shareBlocks } from '../../../core/query/share-blocks.ts';

const START = 1_700_006_400_000;
const HOUR = 3_600_000;

function row(blockId: string, services: readonly string[], rest: Partial<IndexRow> = {}): IndexRow {
  const time = { minTime: START, maxTime: START + HOUR };
  return {
    ...{ blockId, ...time, resolutionSeconds: 0, batchIds: ['c/n/b/1-60'] },
    datasets: services.map((service) => ({ service, profileTypes: ['cpu'], ...time })),
    ...rest,
  };
}

const version = (family: string, services: readonly string[]) =>
  row(`${family}-300`, services, { resolutionSeconds: 300, batchIds: ['c/sealed', family] });

const REQUEST = { start: START, end: START + HOUR, wantsService: () => true };

test('shards of an hour are read without tracking duplicates, and shared out freely', () => {
  const rows = [row('a', ['shop']), row('b', ['cart', 'pay']), row('c', ['mail'])];
  const { blocks, shared } = planQuery(rows, REQUEST);
  assert.equal(blocks.length, 3);
  assert.equal(shared.size, 0);
  const priced = blocks.map(({ row: { batchIds }, services }) => ({ batchIds, services, bytes: 1 }));
  assert.deepEqual(shareBlocks(priced, shared, 3), [[0], [1], [2]]);
});

test('a late block of several shards that repeats a batch is tied to each of them', () => {
  const late = row('late', ['shop', 'cart'], { batchIds: ['c/n/b/7'] });
  const rows = [row('a', ['shop']), row('b', ['cart', 'pay']), row('c', ['mail']), late];
  const { blocks, shared } = planQuery(rows, REQUEST);
  assert.deepEqual([...shared], ['c/n/b/7']);
  const priced = blocks.map(({ row: { batchIds }, services }) => ({ batchIds, services, bytes: 1 }));
  const shares = shareBlocks(priced, shared, 3).map((places) => places.map((i) => blocks[i]!.row.blockId));
  assert.deepEqual(shares.sort(), [['a', 'b', 'late'], ['c']]);
  const onlyMail = planQuery(rows, { ...REQUEST, wantsService: (service) => service === 'mail' });
  assert.equal(onlyMail.shared.size, 0);
});

test('what a shard has summed is left out of a late block, and of no other shard', () => {
  const rows = [
    ...[row('a', ['shop']), version('a', ['shop'])],
    row('b', ['cart', 'pay']),
    row('late', ['shop', 'cart'], { batchIds: ['c/n/b/7', 'c/n/b/99'] }),
  ];
  const { blocks } = planQuery(rows, { ...REQUEST, allows: () => true });
  const exceptOf = new Map(blocks.map(({ row: { blockId }, except }) => [blockId, [...except]]));
  assert.deepEqual(Object.fromEntries(exceptOf), { 'a-300': [], b: [], late: ['c/n/b/7'] });
});

// Retention takes series out of blocks, of finer ones first: what is left of a family is not the same in each of its blocks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PARTIAL } from '../../../core/block/batch-table.ts';
import { type IndexRow, planQuery } from '../../../core/query/query-plan.ts';

const START = 1_700_006_400_000;
const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTES = 60_000;

function version(resolutionSeconds: number, isPartial: boolean): IndexRow {
  const time = { minTime: START, maxTime: START + DAY };
  return {
    ...{ blockId: `b-${resolutionSeconds}`, ...time, resolutionSeconds },
    batchIds: ['c/sealed', 'family', ...(isPartial ? [PARTIAL] : [])],
    datasets: [{ service: 'shop', profileTypes: ['cpu'], ...time }],
  };
}

const REQUEST = { start: START, end: START + DAY, wantsService: () => true, allows: () => true };
const CUT = { start: START + HOUR, end: START + 2 * HOUR + 7 * MINUTES };

const read = (rows: readonly IndexRow[], deletedFrom: (row: IndexRow) => (typeof CUT)[]) =>
  planQuery(rows, { ...REQUEST, deletedFrom }).blocks.map(({ row }) => row.resolutionSeconds);

test('what a deletion cuts in a whole block is read finer, down to the finest whole one', () => {
  const rows = [version(0, true), version(300, false), version(3600, false)];
  assert.deepEqual(
    read(rows, () => [CUT]),
    [300],
  );
  assert.deepEqual(
    read(rows, () => []),
    [3600],
  );
});

test('where no block is whole, the coarsest has the most, and no finer one stands for it', () => {
  const rows = [version(300, true), version(3600, true)];
  assert.deepEqual(
    read(rows, () => [CUT]),
    [3600],
  );
  assert.deepEqual(
    read([version(0, true), ...rows], () => [CUT]),
    [3600],
  );
  assert.deepEqual(
    read([version(300, true)], () => [CUT]),
    [300],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedBatches } from '../../../core/block/duplicate-rows.ts';
import { haveCommon } from '../../../core/block/shared-runs.ts';
import { shareBlocks } from '../../../core/query/share-blocks.ts';
import { RUNS, randomFrom, SEED } from '../block/fixtures.ts';

test('shares are about equal', () => {
  const blocks = [5, 1, 4, 2].map((bytes) => ({ bytes, batchIds: [], services: new Set(['shop']) }));
  assert.deepEqual(shareBlocks(blocks, new Set(), 2), [
    [0, 1],
    [2, 3],
  ]);
});

test('blocks that hold the same batch stay together, also through others', () => {
  const blocks = [['c/n/b/1'], ['c/n/b/2'], ['c/n/b/1', 'c/n/b/3'], ['c/n/b/3']].map((batchIds) => ({
    bytes: 1,
    batchIds,
    services: new Set(['shop']),
  }));
  assert.deepEqual(shareBlocks(blocks, new Set(['c/n/b/1', 'c/n/b/3']), 3), [[0, 2, 3], [1]]);
});

test(`every block is in one share, and every shared batch of a service too, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  for (let run = 0; run < RUNS; run++) {
    const blocks = Array.from({ length: Math.floor(random() * 20) }, () => ({
      bytes: Math.floor(random() * 100),
      batchIds: Array.from({ length: Math.floor(random() * 4) }, () => `c/n/b/${Math.floor(random() * 30)}`),
      services: new Set(
        Array.from({ length: 1 + Math.floor(random() * 2) }, () => String(Math.floor(random() * 4))),
      ),
    }));
    const mayShare = (a: number, b: number) => haveCommon(blocks[a]!.services, blocks[b]!.services);
    const shared = sharedBatches(
      blocks.map(({ batchIds }) => batchIds),
      mayShare,
    );
    const count = 1 + Math.floor(random() * 4);
    const shares = shareBlocks(blocks, shared, count);
    assert.ok(shares.length <= count && shares.every(({ length }) => length > 0));
    assert.deepEqual(
      shares.flat().sort((a, b) => a - b),
      [...blocks.keys()],
    );
    for (const batch of shared) {
      for (const service of ['0', '1', '2', '3']) {
        const holders = shares.filter((share) =>
          share.some(
            (place) => blocks[place]!.batchIds.includes(batch) && blocks[place]!.services.has(service),
          ),
        );
        assert.ok(holders.length <= 1, `run ${run}: ${batch} of ${service}`);
      }
    }
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactBlocks } from '../../pipeline/compact-blocks.ts';
import { countStored, storedKey } from '../../pipeline/count-stored.ts';
import { deleteProfiles } from '../../pipeline/delete-profiles.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { batchOf, NOW, openHub } from './fixtures.ts';

const HOUR = 3_600_000;

test('what is stored is counted per cluster and hour, once, at every resolution, without what was deleted', async (t) => {
  const hub = await openHub(t);
  const starts = [NOW - HOUR, NOW - HOUR + 10_000, NOW - 2 * HOUR];
  for (const [i, start] of starts.entries()) {
    const rows = [
      { service: 'shop', stacks: { a: 3 }, samples: 3, start },
      { service: 'cart', stacks: { a: 4 }, samples: 4, start },
    ];
    const bytes = batchOf(i, rows, { firstWindow: start, lastWindow: start });
    for (let again = 0; again < 2; again++) {
      await ingestBatch(hub, { cluster: 'c', bytes });
      await processBatches(hub);
    }
  }
  const range = { start: NOW - 2 * HOUR + 60_000, end: NOW };
  const wanted = new Map([
    [storedKey('c', NOW - HOUR), 14],
    [storedKey('c', NOW - 2 * HOUR), 7],
  ]);
  const counted = async () => (await countStored(hub, range)).samples;
  assert.deepEqual(await counted(), wanted);
  hub.now += 2 * HOUR;
  await compactBlocks(hub);
  assert.deepEqual(await counted(), wanted, 'compacted');
  assert.equal((await countStored(hub, { ...range, cluster: 'd' })).samples.size, 0);
  const deleted = { start: NOW - HOUR, end: NOW - HOUR + 1, reason: 'test' };
  await deleteProfiles(hub, { selector: '{service_name="shop"}', ...deleted });
  assert.equal((await counted()).get(storedKey('c', NOW - HOUR)), 11);
});

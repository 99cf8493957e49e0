import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { scrubBlocks } from '../../pipeline/scrub-blocks.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW, openHub, type TestHub } from './fixtures.ts';

async function fill(hub: TestHub, blocks: number): Promise<void> {
  for (let i = 1; i <= blocks; i++) {
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(i, [{ stacks: { 'main;a': i } }]) });
    await processBatches(hub);
  }
}

const keyOf = (blockId: string) => blockKey('default', 0, blockId);

test('a scrub finds each damaged and each missing block, and queries go on without them', async (t) => {
  const hub = await openHub(t);
  await fill(hub, 5);
  assert.deepEqual((await scrubBlocks(hub)).damaged, []);
  const [bad, gone] = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
  const bytes = (await hub.objects.get(keyOf(bad!.blockId)))!.slice();
  bytes[40]! ^= 1;
  await hub.objects.delete(keyOf(bad!.blockId));
  await hub.objects.put(keyOf(bad!.blockId), bytes);
  await hub.objects.delete(keyOf(gone!.blockId));
  const report = await scrubBlocks(hub);
  assert.deepEqual(
    report.damaged.map(({ blockId, kind }) => [blockId, kind]).sort(),
    [
      [bad!.blockId, 'corrupt'],
      [gone!.blockId, 'missing'],
    ].sort(),
  );
  assert.equal(report.blocks, 5);
  const range = { profileType: CPU, selector: '{}', start: NOW - 3_600_000, end: NOW };
  const { completeness } = await selectTree(hub, range);
  assert.equal(completeness.corruptBlocks + completeness.missingBlocks, 2);
  assert.equal(completeness.complete, false);
});

test('a scrub stops at its bytes and goes on where it stopped', async (t) => {
  const hub = await openHub(t);
  await fill(hub, 5);
  const seen = [];
  for (let run = 0; run < 5; run++) seen.push(await scrubBlocks(hub, 1));
  assert.deepEqual(
    seen.map(({ blocks }) => blocks),
    [1, 1, 1, 1, 1],
  );
  assert.deepEqual(
    seen.map(({ finished }) => finished),
    [false, false, false, false, true],
  );
  const again = await scrubBlocks(hub);
  assert.deepEqual([again.blocks, again.finished], [5, true]);
});

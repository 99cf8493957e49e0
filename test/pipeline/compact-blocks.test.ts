import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { listQuarantinedGroups, releaseGroup } from '../../pipeline/compaction-quarantine.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW, openHub, type TestHub } from './fixtures.ts';

const HOUR = 3_600_000;
const SELECTION = { profileType: CPU, selector: '{}', start: NOW - HOUR, end: NOW + HOUR };

async function fill(hub: TestHub, blocks: number, ago = HOUR): Promise<void> {
  for (let i = 1; i <= blocks; i++) {
    const rows = [
      { stacks: { 'main;a': i, [`main;b${i % 5}`]: 100 }, start: NOW - ago + i * 10_000, samples: 3 },
    ];
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(i, rows, { node: `n${ago}` }) });
    await processBatches(hub);
  }
}

async function replaceObject(hub: TestHub, key: string, bytes: Uint8Array): Promise<void> {
  await hub.objects.delete(key);
  await hub.objects.put(key, bytes);
}

async function answers(hub: TestHub) {
  const { tree, total } = await selectTree(hub, SELECTION);
  const { points } = await selectTimeline(hub, { ...SELECTION, maxPoints: 100 });
  return { total, points, names: tree.names, nameOf: tree.nameOf, self: tree.self, totals: tree.total };
}

test('compaction leaves fewer blocks and the same answers, and deletes inputs only after the grace period', async (t) => {
  const hub = await openHub(t);
  await fill(hub, 30);
  const before = await answers(hub);
  const inputs = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
  const report = await compactBlocks(hub);
  assert.deepEqual([report.jobs, report.blocksIn, report.blocksOut, report.skipped], [1, 30, 1, 0]);
  assert.ok(report.bytesOut < report.bytesIn / 2, `${report.bytesIn} bytes became ${report.bytesOut}`);
  assert.deepEqual(await answers(hub), before);
  assert.equal(await deleteMarkedBlocks(hub), 0);
  hub.now += DELETION_GRACE_MS + 1;
  assert.equal(await deleteMarkedBlocks(hub), 30);
  assert.equal(await hub.objects.get(blockKey('default', 0, inputs[0]!.blockId)), undefined);
  assert.deepEqual(await answers(hub), before);
});

test('a batch that comes again after its block was merged is still counted once', async (t) => {
  const hub = await openHub(t);
  await fill(hub, 12);
  await compactBlocks(hub);
  const before = await answers(hub);
  await fill(hub, 12);
  assert.deepEqual(await answers(hub), before);
  hub.now += 2 * HOUR;
  await compactBlocks(hub);
  const rows = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
  assert.deepEqual(rows.map((row) => row.resolutionSeconds).sort(), [0, 300, 3600]);
  assert.deepEqual(await answers(hub), before);
});

test('a group that another compactor holds is left to it', async (t) => {
  const hub = await openHub(t);
  await fill(hub, 12);
  const hour = Math.floor((NOW - HOUR) / HOUR);
  await hub.leases.acquire(`compaction/default/hour-${hour}`, 'another', 60_000);
  assert.deepEqual((await compactBlocks(hub)).skipped, 1);
  assert.equal((await hub.catalog.find({ tenant: 'default', from: 0, until: NOW })).length, 12);
});

test('a damaged block puts its group in quarantine, and others go on', async (t) => {
  const hub = await openHub(t);
  await fill(hub, 12);
  const [row] = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
  const key = blockKey('default', 0, row!.blockId);
  const bytes = (await hub.objects.get(key))!;
  const damaged = bytes.slice();
  damaged[10]! ^= 1;
  await replaceObject(hub, key, damaged);
  const repairBlock = () => replaceObject(hub, key, bytes);
  await fill(hub, 12, 2 * HOUR);
  const { jobs, failed } = await compactBlocks(hub);
  assert.deepEqual({ jobs, failed }, { jobs: 1, failed: 1 });
  assert.match(hub.logs.join(), /compaction of hour-\d+ is left: block/);
  const [group] = await listQuarantinedGroups(hub);
  assert.match(group!.reason, /checksum/);
  assert.equal(group!.blockIds.length, 12);
  assert.equal((await compactBlocks(hub)).failed, 0, 'it is left alone for a while');
  hub.now = group!.until;
  assert.equal((await compactBlocks(hub)).failed, 1);
  const [again] = await listQuarantinedGroups(hub);
  assert.deepEqual([again!.failures, again!.since, again!.until - hub.now], [2, group!.since, 1_800_000]);
  assert.ok(await releaseGroup(hub, group!.group));
  await repairBlock();
  assert.equal((await compactBlocks(hub)).failed, 0);
  assert.deepEqual(await listQuarantinedGroups(hub), []);
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { INBOX_AGE_MS, ORPHAN_AGE_MS, sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { blockKey, inboxKey } from '../../storage/names.ts';
import { batchOf, NOW, openHub, type TestHub } from './fixtures.ts';

async function filledHub(t: TestContext, blocks: number): Promise<{ hub: TestHub; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-sweep-'));
  const hub = await openHub(t, folder);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (let i = 1; i <= blocks; i++) {
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(i, [{ stacks: { 'main;a': i } }]) });
    await processBatches(hub);
  }
  return { hub, folder };
}

/** Sets when an object was written, which the store takes from its file. */
function age(folder: string, key: string, writtenAt: number): void {
  utimesSync(join(folder, 'objects', key), writtenAt / 1000, writtenAt / 1000);
}

test('an object that no row names goes after a day, one that is young, live or marked stays', async (t) => {
  const { hub, folder } = await filledHub(t, 13);
  await compactBlocks(hub);
  const live = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
  const [old, young] = [blockKey('default', 0, 'old'), blockKey('default', 0, 'young')];
  for (const key of [old, young]) await hub.objects.put(key, new Uint8Array(100));
  for (const { key } of await hub.objects.list('', { limit: 1000 }))
    age(folder, key, NOW - ORPHAN_AGE_MS - 1);
  age(folder, young, NOW - ORPHAN_AGE_MS);
  const dry = await sweepOrphans(hub, { dryRun: true });
  assert.deepEqual(dry.orphans, [old]);
  assert.notEqual(await hub.objects.get(old), undefined, 'a dry run deletes nothing');
  const report = await sweepOrphans(hub, { dryRun: false });
  assert.deepEqual(report, dry);
  assert.deepEqual([report.orphanBytes, report.missing, report.postponed], [100, [], false]);
  assert.equal(await hub.objects.get(old), undefined);
  assert.notEqual(await hub.objects.get(young), undefined);
  hub.now += DELETION_GRACE_MS + 1;
  assert.equal(await deleteMarkedBlocks(hub), 13 - live.length + 1, 'merged blocks were left to their grace');
  for (const row of live)
    assert.notEqual(await hub.objects.get(blockKey('default', row.level, row.blockId)), undefined);
});

test('a live block whose object is gone is reported and keeps its row', async (t) => {
  const { hub } = await filledHub(t, 3);
  const [row] = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
  await hub.objects.delete(blockKey('default', 0, row!.blockId));
  const report = await sweepOrphans(hub, { dryRun: false });
  assert.deepEqual([report.missing, report.rows, report.objects], [[row!.blockId], 3, 2]);
  assert.notEqual(await hub.catalog.get(row!.blockId), undefined);
});

test('a batch that waited longer than any message lives is nobody’s', async (t) => {
  const { hub, folder } = await filledHub(t, 1);
  const key = inboxKey('default', 'c', 'late');
  await hub.objects.put(key, new Uint8Array(10));
  age(folder, key, NOW - INBOX_AGE_MS);
  assert.deepEqual((await sweepOrphans(hub, { dryRun: false })).orphans, []);
  age(folder, key, NOW - INBOX_AGE_MS - 1);
  assert.deepEqual((await sweepOrphans(hub, { dryRun: false })).orphans, [key]);
});

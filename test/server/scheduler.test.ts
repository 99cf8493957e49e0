import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../core/errors.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { startScheduler } from '../../server/scheduler.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW, openHub } from '../pipeline/fixtures.ts';

const ROWS = [{ service: 'shop', stacks: { 'a;b': 3 } }];

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('queued batches are stored without being asked', async (t) => {
  const hub = await openHub(t);
  await ingestBatch(hub, { cluster: 'c', bytes: batchOf(1, ROWS) });
  const scheduler = startScheduler(hub);
  await until(async () => (await hub.queue.depth()).visible === 0);
  await scheduler.stop(5000);
});

test('stopping stores what came since the last round', async (t) => {
  const hub = await openHub(t);
  const scheduler = startScheduler(hub);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await ingestBatch(hub, { cluster: 'c', bytes: batchOf(1, ROWS) });
  await scheduler.stop(5000);
  assert.deepEqual(await hub.queue.depth(), { visible: 0, inFlight: 0, dead: 0, oldestMs: 0 });
});

test('a failing job is tried again, and says what and when', async (t) => {
  const hub = await openHub(t);
  const receive = hub.queue.receive.bind(hub.queue);
  let failures = 0;
  hub.queue.receive = async (options) => {
    if (++failures === 1) throw new RetryableError('the disk is full');
    return receive(options);
  };
  await ingestBatch(hub, { cluster: 'c', bytes: batchOf(1, ROWS) });
  const scheduler = startScheduler(hub);
  await until(async () => (await hub.queue.depth()).visible === 0 && failures > 1);
  await scheduler.stop(5000);
  assert.deepEqual(hub.logs, ['process-batches: the disk is full; next try in 1 s']);
});

test('stopping does not wait for storage that hangs', async (t) => {
  const hub = await openHub(t);
  hub.queue.receive = () => new Promise(() => undefined);
  const scheduler = startScheduler(hub);
  await scheduler.stop(50);
});

test('batches that cannot be stored at the end stay queued, and it says so', async (t) => {
  const hub = await openHub(t);
  const scheduler = startScheduler(hub);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await ingestBatch(hub, { cluster: 'c', bytes: batchOf(1, ROWS) });
  hub.objects.put = () => Promise.reject(new RetryableError('the disk is full'));
  await scheduler.stop(5000);
  assert.match(hub.logs.join('\n'), /stay queued until the next start: the disk is full/);
});

test('small blocks are merged, and answers stay what they were', async (t) => {
  const hub = await openHub(t);
  const total = async () => {
    const request = { profileType: CPU, selector: '{}', start: NOW - 3_600_000, end: NOW };
    return (await selectTree(hub, request)).total;
  };
  for (let sequence = 1; sequence <= 12; sequence++) {
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(sequence, ROWS) });
    await processBatches(hub);
  }
  const blocks = () => hub.catalog.find({ tenant: hub.tenant, from: 0, until: NOW + 1 });
  assert.equal((await blocks()).length, 12);
  const before = await total();
  const scheduler = startScheduler(hub);
  await until(async () => (await blocks()).length === 1);
  await scheduler.stop(5000);
  assert.equal(await total(), before);
  assert.ok(before > 0n);
});

test('hours and days that are over become families, with versions of every resolution', async (t) => {
  const hub = await openHub(t);
  await ingestBatch(hub, { cluster: 'c', bytes: batchOf(1, ROWS) });
  await processBatches(hub);
  const resolutions = async () => {
    const rows = await hub.catalog.find({ tenant: hub.tenant, from: 0, until: NOW + 1 });
    return rows.map((row) => row.resolutionSeconds).sort((a, b) => a - b);
  };
  for (const [later, expected] of [
    [2 * 3_600_000, '0,300,3600'],
    [5 * 24 * 3_600_000, '0,300,3600,86400'],
  ] as const) {
    hub.now = NOW + later;
    const scheduler = startScheduler(hub);
    await until(async () => (await resolutions()).join() === expected);
    await scheduler.stop(5000);
  }
});

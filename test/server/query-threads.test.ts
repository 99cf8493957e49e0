import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { openHub } from '../../server/open-hub.ts';
import { startQueryThreads } from '../../server/query-threads.ts';
import { createTelemetry } from '../../server/telemetry.ts';
import { openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { queryWorkersContract } from '../contracts/query-workers.contract.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import { temporaryFolder } from './temporary-folder.ts';

queryWorkersContract('threads', async (t) => {
  const { alone, threads } = await openEmptyHub(t, 3);
  return { hub: alone, workers: threads };
});

async function openEmptyHub(t: TestContext, count: number) {
  const dataFolder = temporaryFolder(t);
  const clock = () => NOW;
  const log: string[] = [];
  const storage = await openEmbeddedStorage({ folder: dataFolder, clock });
  const telemetry = createTelemetry({ level: 'info', clock, write: (line) => void log.push(line) });
  const alone: Hub = {
    ...openHub(storage, { telemetry, clock, settings: { queryFanOutBytes: 0 } }),
    answers: undefined,
  };
  const threads = startQueryThreads({ dataFolder, settings: alone.settings, telemetry, count });
  const workers: Worker[] = [];
  const onWorker = (worker: Worker) => void workers.push(worker);
  process.on('worker', onWorker);
  t.after(async () => {
    process.off('worker', onWorker);
    await threads.stop();
    await storage.close();
  });
  return { alone, threads, workers, telemetry, log };
}

/** A hub with six blocks whose flame graphs are shared, however small, and one where they are not. */
async function openSharingHub(t: TestContext, count: number) {
  const opened = await openEmptyHub(t, count);
  const { alone, threads } = opened;
  await alone.registry.createCluster({ cluster: 'c', displayName: 'c', status: 'active', createdAt: NOW });
  for (let sequence = 1; sequence <= 6; sequence++) {
    const stacks = { 'a;b': 3, [`a;c${sequence}`]: sequence };
    await ingestBatch(alone, { cluster: 'c', bytes: batchOf(sequence, [{ service: 'shop', stacks }]) });
    await processBatches(alone);
  }
  return { ...opened, sharing: { ...alone, queryWorkers: threads } };
}

const ask = (hub: Hub) =>
  selectTree(hub, { profileType: CPU, selector: '{}', start: NOW - 3_600_000, end: NOW });

test('threads read shares, and the answer is the same', async (t) => {
  const { alone, sharing, workers, telemetry } = await openSharingHub(t, 2);
  const expected = await ask(alone);
  assert.ok(expected.total > 0n);
  assert.deepEqual(await Promise.all([ask(sharing), ask(sharing), ask(sharing)]), [
    expected,
    expected,
    expected,
  ]);
  assert.equal(workers.length, 2);
  assert.equal(telemetry.sum('query_shares_total'), 6);
  assert.equal(telemetry.sum('query_failed_shares_total'), 0);
});

test('one core has no threads, and small questions go to none', async (t) => {
  const { alone, sharing, workers } = await openSharingHub(t, 0);
  const expected = await ask(alone);
  assert.deepEqual(await ask(sharing), expected);
  const settings = { ...sharing.settings, queryFanOutBytes: 1024 * 1024 };
  assert.deepEqual(
    await ask({ ...sharing, queryWorkers: { ...sharing.queryWorkers, count: 2 }, settings }),
    expected,
  );
  assert.equal(workers.length, 0);
});

test('a share whose thread dies is read by who asked, and the next query has a new thread', async (t) => {
  const { alone, sharing, workers, telemetry, log } = await openSharingHub(t, 1);
  const expected = await ask(alone);
  const killed = new Promise<void>((resolve) =>
    process.once('worker', (worker) => resolve(worker.terminate().then(() => undefined))),
  );
  assert.deepEqual((await ask(sharing)).tree, expected.tree);
  await killed;
  assert.equal(telemetry.sum('query_failed_shares_total'), 1);
  assert.match(log.join(''), /warn a query reads a share itself: its thread ended/);
  assert.deepEqual(await ask(sharing), expected);
  assert.equal(telemetry.sum('query_failed_shares_total'), 1);
  assert.equal(workers.length, 2);
});

test('once stopped, questions are answered without threads', async (t) => {
  const { alone, sharing, threads, workers } = await openSharingHub(t, 1);
  const expected = await ask(alone);
  await ask(sharing);
  await threads.stop();
  assert.deepEqual((await ask(sharing)).tree, expected.tree);
  assert.equal(workers.length, 1);
});

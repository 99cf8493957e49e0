import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { RetryableError } from '../../core/errors.ts';
import { copyJob, listRewrites, requestRewrite } from '../../pipeline/block-rewrites.ts';
import { listQuarantinedGroups } from '../../pipeline/compaction-quarantine.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { type CompactionThread, startCompactionThread } from '../../server/compaction-thread.ts';
import { openHub } from '../../server/open-hub.ts';
import { createTelemetry } from '../../server/telemetry.ts';
import { joinEmbeddedStorage, openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import { temporaryFolder } from './temporary-folder.ts';

const GRACE_MS = 20_000;
const QUARANTINE_MS = 15 * 60_000;

/** The local hub with twelve blocks of one hour, and a compaction thread beside it. */
async function openHubWithBlocks(t: TestContext) {
  const folder = temporaryFolder(t);
  const time = { now: NOW };
  const log: string[] = [];
  const clock = () => time.now;
  const storage = await openEmbeddedStorage({ folder, clock });
  const telemetry = createTelemetry({ level: 'info', clock, write: (line) => void log.push(line) });
  const hub = openHub(storage, { telemetry, clock });
  await hub.registry.createCluster({ cluster: 'c', displayName: 'c', status: 'active', createdAt: NOW });
  for (let sequence = 1; sequence <= 12; sequence++) {
    const stacks = { 'a;b': 3, [`a;c${sequence}`]: sequence };
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(sequence, [{ service: 'shop', stacks }]) });
    await processBatches(hub);
  }
  const thread: CompactionThread = startCompactionThread(hub, folder);
  const workers: Worker[] = [];
  const onWorker = (worker: Worker) => void workers.push(worker);
  process.on('worker', onWorker);
  t.after(async () => {
    process.off('worker', onWorker);
    await thread.stop(0);
    await storage.close();
  });
  const blocks = () => hub.catalog.find({ tenant: hub.tenant, from: 0, until: NOW + 1 });
  const answer = async () => {
    const request = { profileType: CPU, selector: '{}', start: NOW - 3_600_000, end: NOW };
    const { tree, total } = await selectTree({ ...hub, answers: undefined }, request);
    return { total, names: [...tree.names].sort(), self: [...tree.self].sort() };
  };
  const [job] = (await planJobs(hub, 'recent')).jobs;
  return { folder, time, log, telemetry, hub, thread, workers, blocks, answer, job: job! };
}

/** Another writer of the database: whoever writes too has to wait, and with node:sqlite its whole thread does. */
function holdWrites(folder: string): () => void {
  const database = new DatabaseSync(join(folder, 'cinderblock.sqlite'), { timeout: 5000 });
  database.exec('BEGIN IMMEDIATE');
  return () => {
    database.exec('COMMIT');
    database.close();
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const objectsIn = (folder: string) =>
  readdirSync(join(folder, 'objects'), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );

/** Whether a row of leases is held, without a write. */
function isLeased(folder: string): boolean {
  const database = new DatabaseSync(join(folder, 'cinderblock.sqlite'), { readOnly: true });
  const held = database.prepare('SELECT 1 FROM leases WHERE expires_at > 0').get() !== undefined;
  database.close();
  return held;
}

test('a block is rewritten in the thread, like any job', async (t) => {
  const { hub, thread, blocks, answer } = await openHubWithBlocks(t);
  const before = await answer();
  const { blockId } = (await blocks())[0]!;
  await requestRewrite(hub, { blockId, salvage: false });
  const [copy] = (await planJobs(hub, 'recent')).jobs;
  assert.deepEqual(copy, copyJob({ blockId, salvage: false }));
  assert.deepEqual(await thread.run(copy!), { jobs: 1 });
  const [record] = await listRewrites(hub);
  assert.deepEqual([record!.doneAt !== undefined, record!.report!.isCurrent], [true, true]);
  assert.deepEqual(await answer(), before);
});

test('a job merges blocks in its thread, and tells what it counted', async (t) => {
  const { thread, job, blocks, answer, telemetry, workers } = await openHubWithBlocks(t);
  const before = await answer();
  assert.deepEqual(await thread.run(job), { jobs: 1 });
  assert.equal((await blocks()).length, 1);
  assert.deepEqual(await answer(), before);
  assert.equal(telemetry.sum('compaction_jobs_total'), 1);
  assert.equal(workers.length, 1);
});

test('a job that is stuck holds up nobody: questions are answered before it ends', async (t) => {
  const { folder, thread, job, answer } = await openHubWithBlocks(t);
  const before = await answer();
  const events: string[] = [];
  const letWrite = holdWrites(folder);
  const running = thread.run(job).then(() => events.push('job'));
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(await answer(), before);
    await new Promise(setImmediate);
    events.push('answer');
  }
  letWrite();
  await running;
  assert.deepEqual(events, ['answer', 'answer', 'answer', 'answer', 'answer', 'job']);
});

test('a thread that is killed loses nothing, whenever that is; its group rests, and is merged later', async (t) => {
  const { folder, time, log, hub, thread, job, blocks, answer, workers } = await openHubWithBlocks(t);
  const before = await answer();
  const stored = objectsIn(folder).length;
  const moments = [() => true, () => isLeased(folder), () => objectsIn(folder).length > stored];
  for (const [killed, isTime] of moments.entries()) {
    const running = thread.run(job);
    await until(() => workers.length > killed && isTime());
    await workers[killed]!.terminate();
    const { jobs } = await running;
    assert.deepEqual(await answer(), before);
    // Once it has asked for its swap, nobody knows which of both was first.
    if (jobs === 1 || (await blocks()).length < 12) break;
    const [resting] = await listQuarantinedGroups(hub);
    assert.equal(resting?.group, job.group);
    assert.equal(resting?.failures, killed + 1);
    assert.match(resting!.reason, /its thread ended with code \d/);
    assert.deepEqual((await planJobs(hub, 'recent')).jobs, []);
    time.now += QUARANTINE_MS * 2 ** killed;
  }
  assert.match(log.join(''), /error compaction of .* is left/);
  for (const later of (await planJobs(hub, 'recent')).jobs) await thread.run(later);
  assert.ok((await blocks()).every(({ level }) => level > 0));
  assert.deepEqual(await answer(), before);
});

test('a thread that dies without work blames no group', async (t) => {
  const { hub, thread, job, workers } = await openHubWithBlocks(t);
  assert.deepEqual(await thread.run({ ...job, blockIds: ['gone'] }), { jobs: 0 });
  await workers[0]!.terminate();
  assert.deepEqual(await thread.run(job), { jobs: 1 });
  assert.equal(workers.length, 2);
  assert.deepEqual(await listQuarantinedGroups(hub), []);
});

test('an error of a job is an error here too, and the next job runs', async (t) => {
  const { folder, thread, job, blocks } = await openHubWithBlocks(t);
  await thread.run({ ...job, blockIds: ['gone'] });
  const database = new DatabaseSync(join(folder, 'cinderblock.sqlite'));
  database.exec('ALTER TABLE leases RENAME TO hidden');
  database.close();
  await assert.rejects(thread.run(job), /no such table: leases/);
  const again = new DatabaseSync(join(folder, 'cinderblock.sqlite'));
  again.exec('ALTER TABLE hidden RENAME TO leases');
  again.close();
  assert.deepEqual(await thread.run(job), { jobs: 1 });
  assert.equal((await blocks()).length, 1);
});

test('stopping ends a job before it publishes, gives its lease back, and starts no other', async (t) => {
  const { folder, hub, thread, job, blocks, answer, workers } = await openHubWithBlocks(t);
  const before = await answer();
  const letWrite = holdWrites(folder);
  const running = thread.run(job);
  const next = thread.run(job);
  await until(() => workers.length === 1);
  const stopped = thread.stop(GRACE_MS);
  letWrite();
  await stopped;
  assert.deepEqual(
    [await running, await next, await thread.run(job)],
    [{ jobs: 0 }, { jobs: 0 }, { jobs: 0 }],
  );
  assert.equal(workers.length, 1);
  assert.equal((await blocks()).length, 12);
  assert.deepEqual(await answer(), before);
  assert.equal(isLeased(folder), false);
  assert.deepEqual(await listQuarantinedGroups(hub), []);
});

test('a folder that this process does not have is not joined', async (t) => {
  const folder = temporaryFolder(t);
  const clock = () => NOW;
  await assert.rejects(joinEmbeddedStorage({ folder, clock }), RetryableError);
  const storage = await openEmbeddedStorage({ folder, clock });
  const joined = await joinEmbeddedStorage({ folder, clock });
  await joined.registry.putSetting('key', 'value');
  assert.equal(await storage.registry.setting('key'), 'value');
  await joined.close();
  await storage.close();
  await assert.rejects(joinEmbeddedStorage({ folder, clock }), RetryableError);
});

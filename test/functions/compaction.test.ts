// From a schedule to merged blocks: planner, queue and workers over embedded storage.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminHandler } from '../../functions/admin.ts';
import { openPlanner, plannerHandler } from '../../functions/compaction-planner.ts';
import { compactionHandler } from '../../functions/compaction-worker.ts';
import { CLEAN_UP_MS } from '../../functions/time-limit.ts';
import { listQuarantinedGroups } from '../../pipeline/compaction-quarantine.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { fromJobMessage } from '../../pipeline/job-message.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { JOB_MESSAGE_BYTES_MAX } from '../../storage/job-queue.ts';
import { blockKey } from '../../storage/names.ts';
import { aBlockRow } from '../contracts/block-catalog.contract.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import {
  callerWith,
  contextOf,
  type FunctionUnderTest,
  httpEvent,
  jobsEvent,
  json,
  openFunctionHub,
} from './function-events.ts';

const HOUR = 3_600_000;
const SELECTION = { profileType: CPU, selector: '{}', start: NOW - 6 * HOUR, end: NOW };

/** Planner and workers around one queue, whose messages stay until a test takes them. */
async function openCompaction(t: TestContext) {
  const under = await openFunctionHub(t);
  const messages: string[] = [];
  const jobs = {
    send: async (sent: readonly string[]) => void messages.push(...sent),
    waiting: async () => messages.length,
  };
  return {
    under,
    hub: under.hub,
    messages,
    plan: (scope: string = 'recent', hub: Hub = under.hub) => {
      const open = () => ({ ...under.open(), hub, jobs });
      return plannerHandler(open)({ scope } as { scope: 'recent' }, contextOf());
    },
    work: (body: string, hub: Hub = under.hub, context = contextOf(900_000)) => {
      const open = () => ({ ...under.open(), hub });
      return compactionHandler(open)(jobsEvent([body]), context);
    },
  };
}

/** Blocks of one hour that began so many hours ago; the total of all is 100 per block, and its number. */
async function fill(hub: Hub, blocks: number, hoursAgo: number): Promise<void> {
  for (let i = 1; i <= blocks; i++) {
    const start = NOW - hoursAgo * HOUR + i * 10_000;
    const rows = [{ stacks: { 'main;a': i, [`main;b${i % 5}`]: 100 }, start, samples: 3 }];
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(i, rows, { node: `n${hoursAgo}` }) });
    await processBatches(hub);
  }
}

async function answers(hub: Hub) {
  const { tree, total, completeness } = await selectTree(hub, SELECTION);
  const { points } = await selectTimeline(hub, { ...SELECTION, maxPoints: 100 });
  const { names, nameOf, self, parent } = tree;
  return { total, samples: completeness.samples, points, names, nameOf, self, parent };
}

const liveBlocks = (hub: Hub) => hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
const storedBlocks = (hub: Hub) => hub.objects.list('blocks/', { limit: 1000 });
const NONE_BACK = { batchItemFailures: [] };

/** What counts of an invocation are now, without what was there before. */
function countsOf({ counts }: FunctionUnderTest, names: readonly string[]): (number | undefined)[] {
  return names.map((name) => counts.get(name));
}

test('what is planned is done by workers, until a plan finds nothing; answers stay the same', async (t) => {
  const { under, hub, messages, plan, work } = await openCompaction(t);
  for (const hoursAgo of [5, 4, 3]) await fill(hub, 5, hoursAgo);
  await fill(hub, 12, 1);
  const before = await answers(hub);
  assert.equal(before.total, 2823n);
  // Three hours are over; the fourth is young, and has as many blocks as are gathered.
  assert.deepEqual(await plan(), { jobs: 4 });
  assert.deepEqual(messages.map((message) => fromJobMessage(message)!.step).sort(), [
    ...['close', 'close', 'close', 'gather'],
  ]);
  for (const message of messages.splice(0)) {
    assert.deepEqual(await work(message), NONE_BACK);
    assert.deepEqual(await answers(hub), before);
  }
  assert.deepEqual(await plan(), { jobs: 0 });
  assert.deepEqual(await plan('all'), { jobs: 0 });
  const blocks = await liveBlocks(hub);
  assert.equal(blocks.length, 10, 'three families of a raw block, 5 min and 1 h, and a gathered block');
  assert.deepEqual(countsOf(under, ['compaction_plans_total', 'compaction_jobs_total']), [3, 4]);
  assert.equal(under.flushes.count, 3 + 4);
});

test('messages that come twice, one after the other, change nothing', async (t) => {
  const { under, hub, messages, plan, work } = await openCompaction(t);
  for (const hoursAgo of [3, 2]) await fill(hub, 4, hoursAgo);
  const before = await answers(hub);
  await plan();
  for (const message of messages.splice(0)) {
    await work(message);
    const stored = await storedBlocks(hub);
    assert.deepEqual(await work(message), NONE_BACK);
    assert.deepEqual(await storedBlocks(hub), stored);
  }
  assert.deepEqual(await answers(hub), before);
  assert.deepEqual(countsOf(under, ['compaction_jobs_total', 'compaction_skipped_jobs_total']), [2, 2]);
});

test('of two workers with the same job one wins, and the other leaves it', async (t) => {
  const { under, hub, messages, plan, work } = await openCompaction(t);
  await fill(hub, 4, 2);
  const before = await answers(hub);
  await plan();
  const [message] = messages;
  const results = await Promise.all([work(message!), work(message!)]);
  assert.deepEqual(results, [NONE_BACK, NONE_BACK]);
  assert.deepEqual(countsOf(under, ['compaction_jobs_total', 'compaction_skipped_jobs_total']), [1, 1]);
  assert.equal((await liveBlocks(hub)).length, 3);
  assert.equal((await storedBlocks(hub)).length, 4 + 3, 'nothing is stored that nobody refers to');
  assert.deepEqual(await answers(hub), before);
});

test('no job is sent while jobs of an earlier plan wait', async (t) => {
  const { under, hub, messages, plan } = await openCompaction(t);
  await fill(hub, 4, 2);
  assert.deepEqual(await plan(), { jobs: 1 });
  assert.deepEqual(await plan(), { jobs: 0 });
  assert.equal(messages.length, 1);
  assert.equal(under.counts.get('compaction_plans_total'), 2, 'it planned all the same, and says so');
  messages.pop();
  assert.deepEqual(await plan(), { jobs: 1 }, 'what got lost is planned again');
});

test('a group that cannot be merged goes to quarantine, the plan says so, and others go on', async (t) => {
  const { under, hub, messages, plan, work } = await openCompaction(t);
  for (const hoursAgo of [3, 2]) await fill(hub, 4, hoursAgo);
  const before = await answers(hub);
  await plan();
  const [bad] = await liveBlocks(hub);
  const key = blockKey('default', 0, bad!.blockId);
  const bytes = (await hub.objects.get(key))!;
  const damaged = bytes.slice();
  damaged[10]! ^= 1;
  await hub.objects.delete(key);
  await hub.objects.put(key, damaged);
  for (const message of messages.splice(0)) assert.deepEqual(await work(message), NONE_BACK);
  const [group, another] = await listQuarantinedGroups(hub);
  assert.match(group!.reason, /checksum/);
  assert.equal(another, undefined);
  assert.equal((await liveBlocks(hub)).length, 4 + 3);
  under.counts.clear();
  assert.deepEqual(await plan(), { jobs: 0 });
  assert.equal(under.counts.get('compaction_quarantined_groups'), 1);
  await hub.objects.delete(key);
  await hub.objects.put(key, bytes);
  under.control.now = group!.until;
  assert.deepEqual(await plan(), { jobs: 1 });
  await work(messages.pop()!);
  assert.deepEqual(await listQuarantinedGroups(hub), []);
  under.control.now = NOW;
  assert.deepEqual(await answers(hub), before);
});

test('a job that storage does not answer for is left to the next plan', async (t) => {
  const { under, hub, messages, plan, work } = await openCompaction(t);
  await fill(hub, 4, 2);
  await plan();
  const objects = withFaults(hub.objects, ({ method }) => (method === 'put' ? 'fail-before' : 'none'));
  assert.deepEqual(await work(messages.pop()!, { ...hub, objects }), NONE_BACK);
  assert.equal(under.counts.get('compaction_postponed_jobs_total'), 1);
  assert.deepEqual(await listQuarantinedGroups(hub), []);
  assert.deepEqual(await plan(), { jobs: 1 });
  await work(messages.pop()!);
  assert.equal((await liveBlocks(hub)).length, 3);
});

test('whenever time is up, a worker takes back what it stored, and its group rests', async (t) => {
  const { under, hub, messages, plan, work } = await openCompaction(t);
  await fill(hub, 4, 2);
  const before = await answers(hub);
  await plan();
  const [message] = messages;
  const inputs = await storedBlocks(hub);
  for (let calls = 1; ; calls++) {
    let asked = 0;
    const remaining = () => (++asked > calls ? CLEAN_UP_MS - 1 : 900_000);
    const context = { ...contextOf(), getRemainingTimeInMillis: remaining };
    assert.deepEqual(await work(message!, hub, context), NONE_BACK);
    if (asked <= calls) break;
    assert.deepEqual(await storedBlocks(hub), inputs, `time was up at call ${calls}`);
    const [group] = await listQuarantinedGroups(hub);
    assert.equal(group!.reason, 'not done within 840 s');
    assert.equal(group!.failures, calls);
  }
  assert.deepEqual(await answers(hub), before);
  assert.equal((await liveBlocks(hub)).length, 3);
  assert.ok(under.counts.get('compaction_failed_jobs_total')! > 10);
});

test('a message that is no job of ours comes back until it is a dead letter', async (t) => {
  const { under, work } = await openCompaction(t);
  const job = { group: 'hour-1', step: 'close', level: 1, resolutionSeconds: 0, blockIds: ['a'] };
  const whole = { v: 1, ...job, versionIds: [], downsampleTo: [300] };
  assert.deepEqual(await work(JSON.stringify(whole)), NONE_BACK, 'blocks that are gone are no error');
  assert.equal(under.counts.get('compaction_skipped_jobs_total'), 1);
  const foreign = [
    ...['', '{}', 'null', JSON.stringify({ ...whole, v: 2 }), JSON.stringify({ v: 1, ...job })],
    ...[{ group: '' }, { blockIds: 'a' }, { level: -1 }, { downsampleTo: ['1'] }].map((wrong) =>
      JSON.stringify({ ...whole, ...wrong }),
    ),
  ];
  for (const body of foreign) assert.equal((await work(body)).batchItemFailures.length, 1, body);
});

test('a job that is too long for a message puts its group aside, and others are sent', async (t) => {
  const { hub, messages, plan } = await openCompaction(t);
  // Blocks that share a batch stay together, however many they are.
  const rows = Array.from({ length: 4000 }, (_, i) =>
    aBlockRow({
      resolutionSeconds: 0,
      ...{ blockId: `01JABCDEFGHJKMNPQRSTV${i}`, batchIds: ['c/n/b/1'] },
      ...{ minTime: NOW - 3 * HOUR, maxTime: NOW - 3 * HOUR + 60_000 },
    }),
  );
  const other = {
    resolutionSeconds: 0,
    minTime: NOW - 5 * HOUR,
    maxTime: NOW - 5 * HOUR + 60_000,
    batchIds: ['c/n/b/2'],
  };
  const all = [aBlockRow({ blockId: 'a', ...other }), aBlockRow({ blockId: 'b', ...other }), ...rows];
  const find: Hub['catalog']['find'] = async ({ from, until }) =>
    all.filter(({ minTime }) => minTime >= from && minTime < until);
  const catalog = { ...hub.catalog, find };
  assert.deepEqual(await plan('recent', { ...hub, catalog }), { jobs: 1 });
  assert.deepEqual(fromJobMessage(messages[0]!)!.blockIds, ['a', 'b']);
  const [group] = await listQuarantinedGroups(hub);
  assert.match(
    group!.reason,
    new RegExp(`4000 blocks makes a message of \\d+ bytes, the limit is ${JOB_MESSAGE_BYTES_MAX}`),
  );
  assert.equal(group!.blockIds.length, 100);
});

test('while jobs wait, plans of new hours send none; a plan of all does, and who has a job twice leaves it', async (t) => {
  const { hub, messages, plan, work } = await openCompaction(t);
  await fill(hub, 4, 2);
  await fill(hub, 4, 30);
  const before = await answers(hub);
  assert.deepEqual(await plan('fresh'), { jobs: 1 }, 'what is older than some hours is for a plan of all');
  assert.deepEqual(await plan('fresh'), { jobs: 0 });
  assert.deepEqual(await plan('all'), { jobs: 2 });
  for (const message of messages.splice(0)) assert.deepEqual(await work(message), NONE_BACK);
  assert.deepEqual(await plan('all'), { jobs: 0 });
  assert.deepEqual(await answers(hub), before);
});

test('a planner that is called with anything else says so', async (t) => {
  const { plan } = await openCompaction(t);
  await assert.rejects(
    plan('everything'),
    /the scope of a plan is one of fresh, recent, all, not "everything"/,
  );
});

test('a planner needs to know where jobs go', () => {
  assert.throws(() => openPlanner({}), /lacks CINDERBLOCK_COMPACTION_QUEUE_URL;/);
});

test('a block is set aside by an administrator at once, and rewritten by the worker that the next plan tells', async (t) => {
  const { under, hub, messages, plan, work } = await openCompaction(t);
  await fill(hub, 2, 1);
  const admin = adminHandler(under.open);
  const call = async (method: string, message: object) => {
    const options = {
      body: JSON.stringify(message),
      headers: { 'content-type': 'application/json' },
      authorizer: callerWith('admin'),
    };
    const result = await admin(httpEvent(`/cinderblock.v1.AdminService/${method}`, options), contextOf());
    assert.equal(result.statusCode, 200, result.body);
    return json(result);
  };
  const before = await answers(hub);
  const [first, second] = (await liveBlocks(hub)).map(({ blockId }) => blockId);
  await call('QuarantineBlock', { blockId: first, reason: 'test' });
  assert.deepEqual(
    (await liveBlocks(hub)).map(({ blockId }) => blockId),
    [second],
  );
  await call('RestoreBlock', { blockId: first });
  assert.deepEqual(await answers(hub), before);
  await call('RewriteBlock', { blockId: first });
  await plan('recent');
  assert.equal(messages.length, 1);
  assert.deepEqual(await work(messages[0]!), NONE_BACK);
  const [{ rewrites }, left] = [await call('ListBlockRewrites', {}), await liveBlocks(hub)];
  assert.deepEqual([rewrites[0].current, rewrites[0].problem, left.length], [true, '', 2]);
  await call('QuarantineBlock', { blockId: first, reason: 'test' });
  await call('DiscardBlock', { blockId: first });
  assert.equal(await hub.catalog.get(first!, { withAside: true }), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOUSEKEEPING, type HousekeepingTask } from '../../functions/environment.ts';
import { housekeeperHandler } from '../../functions/housekeeper.ts';
import { CLEAN_UP_MS } from '../../functions/time-limit.ts';
import { compactBlocks, DELETION_GRACE_MS } from '../../pipeline/compact-blocks.ts';
import { AGENT_FORGET_MS } from '../../pipeline/forget-agents.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import { contextOf, type FunctionUnderTest, openFunctionHub } from './function-events.ts';

const HOUR = 3_600_000;

/** Merged blocks of two hours whose inputs may be deleted. */
async function withMarkedBlocks({ hub, control }: FunctionUnderTest): Promise<void> {
  for (let i = 1; i <= 6; i++) {
    const start = NOW - (2 + (i % 2)) * HOUR;
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(i, [{ stacks: { main: i }, start }]) });
    await processBatches(hub);
  }
  assert.equal((await compactBlocks(hub)).jobs, 2);
  control.now = NOW + DELETION_GRACE_MS + 1;
}

const storedBlocks = async ({ hub }: FunctionUnderTest) =>
  (await hub.objects.list('blocks/', { limit: 1000 })).length;

test('each task that has a schedule can be done', async (t) => {
  const under = await openFunctionHub(t);
  const tasks = Object.keys(HOUSEKEEPING) as HousekeepingTask[];
  for (const task of tasks)
    assert.deepEqual(
      await housekeeperHandler(under.open)({ task }, contextOf(900_000)),
      { done: true },
      task,
    );
  assert.equal(under.counts.get('housekeeping_runs_total'), tasks.length);
  assert.equal(under.flushes.count, tasks.length);
});

test('blocks that were merged away go, and those of them that are left when time is up go with the next run', async (t) => {
  const under = await openFunctionHub(t);
  await withMarkedBlocks(under);
  assert.equal(await storedBlocks(under), 6 + 6);
  const handler = housekeeperHandler(under.open);
  let asked = 0;
  const getRemainingTimeInMillis = () => (++asked > 6 ? CLEAN_UP_MS - 1 : 900_000);
  const hurried = { ...contextOf(), getRemainingTimeInMillis };
  assert.deepEqual(await handler({ task: 'delete-blocks' }, hurried), { done: false });
  const left = await storedBlocks(under);
  assert.ok(left > 6 && left < 12, String(left));
  assert.equal(under.counts.get('housekeeping_late_runs_total'), 1);
  assert.deepEqual(await handler({ task: 'delete-blocks' }, contextOf(900_000)), { done: true });
  assert.equal(await storedBlocks(under), 6);
  assert.deepEqual(await under.hub.catalog.listDeletionMarks(Number.MAX_SAFE_INTEGER), []);
});

test('agents that are gone are forgotten', async (t) => {
  const under = await openFunctionHub(t);
  const heartbeat = { cluster: 'c', bootId: 'b', version: '1', engine: 'perf', clockSkewMs: 0, counters: {} };
  await under.hub.registry.recordHeartbeat({ ...heartbeat, node: 'gone', at: NOW - AGENT_FORGET_MS - 1 });
  await under.hub.registry.recordHeartbeat({ ...heartbeat, node: 'here', at: NOW - HOUR });
  await housekeeperHandler(under.open)({ task: 'forget-agents' }, contextOf(900_000));
  const agents = await under.hub.registry.listAgents();
  assert.deepEqual(
    agents.map(({ node }) => node),
    ['here'],
  );
});

test('what fails fails the invocation, so that it is tried again; an unknown task is named', async (t) => {
  const under = await openFunctionHub(t);
  const registry = { ...under.hub.registry, forgetAgents: () => Promise.reject(new TypeError('a bug')) };
  const open = () => ({ ...under.open(), hub: { ...under.hub, registry } });
  await assert.rejects(housekeeperHandler(open)({ task: 'forget-agents' }, contextOf(900_000)), /a bug/);
  const handler = housekeeperHandler(under.open);
  for (const task of ['dust', 'toString'])
    await assert.rejects(
      handler({ task: task as HousekeepingTask }, contextOf()),
      new RegExp(`there is no task "${task}"`),
    );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../core/errors.ts';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { LEASE_MS } from '../../pipeline/group-lease.ts';
import { defaultHubSettings, type Hub } from '../../pipeline/hub.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import {
  type Answer,
  ask,
  expected,
  MANY_SERVICES,
  publishRows,
  randomBatch,
  type WindowRow,
} from './fleet-history.ts';
import { assertObjects, DAY, HOUR, killedAt, START } from './kill-at-every-step.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const QUESTION = { start: START, end: START + 3 * DAY, service: 'shop', maxPoints: 240 };
const STEP = roundStep((QUESTION.end - QUESTION.start) / QUESTION.maxPoints);

/** Three hours of a day: closed ones, and fresh blocks among which a batch comes twice. */
async function filledHub(): Promise<{ hub: MemoryHub; rows: WindowRow[] }> {
  const random = randomFrom(5);
  const hub = memoryHub(START + HOUR);
  const rows: WindowRow[] = [];
  for (let hour = 0; hour < 3; hour++) {
    const from = START + hour * HOUR;
    for (let i = 0; i < 4; i++) {
      const batch = randomBatch(random, from, from + HOUR - 60_000, MANY_SERVICES);
      rows.push(...batch);
      await publishRows(hub, batch);
      if (i === 3) await publishRows(hub, batch);
    }
    hub.now = from + 2 * HOUR;
    if (hour < 2) await compactBlocks(hub);
  }
  return { hub, rows };
}

async function assertAnswer(hub: MemoryHub, wanted: Answer, when: string): Promise<void> {
  assert.deepEqual(await ask(hub, QUESTION), wanted, when);
}

const withBytesMax = (bytesMax: number) => ({
  ...defaultHubSettings,
  compaction: { ...defaultHubSettings.compaction, bytesMax, rejoinBytesMax: bytesMax },
});

for (const when of ['fail-before', 'fail-after'] as const) {
  for (const [name, advance, bytesMax] of [
    ['closing an hour', HOUR, undefined],
    ['splitting an hour', HOUR, 1000],
    ['sealing a day', 5 * DAY, undefined],
  ] as const) {
    test(`killed at every step of ${name} (${when}), nothing is lost and nothing comes twice`, async () => {
      for (let n = 0; ; n++) {
        const { hub, rows } = await filledHub();
        const wanted = expected(rows, QUESTION, STEP);
        await assertAnswer(hub, wanted, 'before');
        hub.now += advance;
        if (bytesMax !== undefined) hub.settings = withBytesMax(bytesMax);
        const jobs = (await planJobs(hub, 'recent')).jobs.map(({ step }) => step);
        assert.equal(jobs.includes('split'), bytesMax !== undefined, jobs.join());
        const doomed = killedAt(hub, n, when);
        const isKilled = await compactBlocks(doomed).then(
          () => false,
          (error) => assert.ok(error instanceof RetryableError, error.stack) ?? true,
        );
        await assertAnswer(hub, wanted, `killed in call ${n}`);
        await assertObjects(hub);
        hub.now += LEASE_MS;
        while ((await compactBlocks(hub)).jobs > 0) hub.now += LEASE_MS;
        await assertAnswer(hub, wanted, `done after a death in call ${n}`);
        hub.now += DELETION_GRACE_MS + 1;
        await deleteMarkedBlocks(hub);
        await assertAnswer(hub, wanted, `inputs deleted after a death in call ${n}`);
        await assertObjects(hub);
        if (!isKilled && doomed.calls() <= n) break;
      }
    });
  }
}

test('killed at every step of deletion, marked blocks go with the next run and others stay', async () => {
  for (let n = 0; ; n++) {
    const { hub, rows } = await filledHub();
    const wanted = expected(rows, QUESTION, STEP);
    hub.now += DELETION_GRACE_MS + 1;
    const doomed = killedAt(hub, n, 'fail-after');
    await deleteMarkedBlocks(doomed).catch((error) => assert.ok(error instanceof RetryableError));
    await assertAnswer(hub, wanted, `killed in call ${n}`);
    await deleteMarkedBlocks(hub);
    await assertObjects(hub);
    assert.deepEqual(await hub.catalog.listDeletionMarks(hub.now + 1), []);
    const rowsLeft = await hub.catalog.find({ tenant: 'default', from: 0, until: hub.now });
    assert.equal(hub.stored.size, rowsLeft.length);
    if (doomed.calls() <= n) break;
  }
});

test('of two compactors at once one wins, the other stops, and nothing is lost', async () => {
  const { hub, rows } = await filledHub();
  const wanted = expected(rows, QUESTION, STEP);
  hub.now += 5 * DAY;
  const [a, b] = await Promise.all([compactBlocks(hub), compactBlocks(hub)]);
  assert.equal(a.jobs + b.jobs, 1);
  assert.equal(a.skipped + b.skipped, 1);
  await assertAnswer(hub, wanted, 'after both');
});

/** Runs one compactor, stops it before it stores its output, lets its lease lapse, runs another, and wakes the first. */
async function overtaken(sleeper: (hub: MemoryHub) => Partial<Hub>) {
  const { hub, rows } = await filledHub();
  hub.now += 5 * DAY;
  // What names the batches that it sealed is left to the sweep.
  const blocksIn = () => new Set([...hub.stored.keys()].filter((key) => key.startsWith('blocks/')));
  const before = blocksIn();
  let wake = () => {};
  let isAsleep = () => {};
  const asleep = new Promise<void>((resolve) => (isAsleep = resolve));
  const awake = new Promise<void>((resolve) => (wake = resolve));
  const slow: Hub = {
    ...hub,
    clock: () => hub.now,
    objects: {
      ...hub.objects,
      async put(key, bytes) {
        isAsleep();
        await awake;
        return hub.objects.put(key, bytes);
      },
    },
    ...sleeper(hub),
  };
  const first = compactBlocks(slow);
  await asleep;
  hub.now += LEASE_MS + 1;
  const second = await compactBlocks(hub);
  const stored = blocksIn();
  wake();
  const { jobs, skipped, failed } = await first;
  assert.deepEqual({ jobs, skipped, failed }, { jobs: 0, skipped: 1, failed: 0 });
  assert.equal(second.jobs, 1);
  assert.ok(stored.size > before.size);
  assert.deepEqual(blocksIn(), stored, 'the overtaken one cleans up behind itself');
  await assertAnswer(hub, expected(rows, QUESTION, STEP), 'after both');
  return hub;
}

test('a compactor whose lease lapsed publishes nothing', async () => {
  const hub = await overtaken(() => ({}));
  assert.match(hub.logs.join('\n'), /stops: the lease compaction\/default\/day-\d+ lapsed/);
});

test('a compactor that takes its lapsed lease for good meets the conflict of its swap', async () => {
  const hub = await overtaken((of) => ({ leases: { ...of.leases, renew: async () => true } }));
  assert.deepEqual(hub.logs, []);
});

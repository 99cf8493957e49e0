import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../core/errors.ts';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { LEASE_MS } from '../../pipeline/group-lease.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { setRetention } from '../../pipeline/retention-policies.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { blockKey, parseBlockKey } from '../../storage/names.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import { type Answer, ask, expected, publishRows, randomBatch, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

// Whoever takes data away may be killed at every call of storage. What is to stay is answered before, during and after;
// what is to go never comes back once it is gone.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;
const RANGE = { start: START - (START % DAY), end: START + 40 * DAY - (START % DAY) };
const QUESTIONS = ['shop', 'cart'].map((service) => ({ ...RANGE, service, maxPoints: 240 }));
const STEP = roundStep((RANGE.end - RANGE.start) / 240);

interface Filled {
  hub: MemoryHub;
  rows: WindowRow[];
}

/** A day that is sealed, and an hour that is fresh. */
async function filledHub(): Promise<Filled> {
  const random = randomFrom(11);
  const hub = memoryHub(START + HOUR);
  const rows: WindowRow[] = [];
  for (let hour = 0; hour < 3; hour++) {
    for (let i = 0; i < 3; i++) {
      const batch = randomBatch(random, START + hour * HOUR, START + (hour + 1) * HOUR - 60_000);
      rows.push(...batch);
      await publishRows(hub, batch);
    }
  }
  hub.now = START + 6 * DAY;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  const batch = randomBatch(random, hub.now - HOUR, hub.now);
  rows.push(...batch);
  await publishRows(hub, batch);
  return { hub, rows };
}

function killedAt(hub: MemoryHub, n: number, when: 'fail-before' | 'fail-after'): Hub & { calls(): number } {
  let calls = 0;
  const plan = () => {
    const call = calls++;
    if (call < n) return 'none' as const;
    return call === n ? when : ('fail-before' as const);
  };
  return {
    ...hub,
    clock: () => hub.now,
    objects: withFaults(hub.objects, plan),
    catalog: withFaults(hub.catalog, plan),
    leases: withFaults(hub.leases, plan),
    registry: withFaults(hub.registry, plan),
    calls: () => calls,
  };
}

const answers = (hub: MemoryHub) => Promise.all(QUESTIONS.map((question) => ask(hub, question)));
const expectedOf = (rows: readonly WindowRow[]): Answer[] =>
  QUESTIONS.map((question) => expected(rows, question, STEP));

async function assertObjects(hub: MemoryHub): Promise<void> {
  const live = await hub.catalog.find({ tenant: 'default', from: 0, until: hub.now });
  const stored = new Set([...hub.stored.keys()].map((key) => parseBlockKey(key)?.blockId));
  assert.deepEqual(
    live.filter(({ blockId }) => !stored.has(blockId)),
    [],
  );
}

/** Runs `work` killed at each of its calls, and again whole; `check` is asked after both. */
async function killAtEveryStep(
  prepare: () => Promise<Filled>,
  work: (hub: Hub) => Promise<unknown>,
  check: (filled: Filled, when: string, isDone: boolean) => Promise<void>,
): Promise<void> {
  for (const when of ['fail-before', 'fail-after'] as const) {
    for (let n = 0; ; n++) {
      const filled = await prepare();
      const { hub } = filled;
      const doomed = killedAt(hub, n, when);
      const isKilled = await work(doomed).then(
        () => false,
        (error) => assert.ok(error instanceof RetryableError, error.stack) ?? true,
      );
      await check(filled, `${when} in call ${n}`, false);
      await assertObjects(hub);
      hub.now += LEASE_MS;
      await work(hub);
      await check(filled, `done after ${when} in call ${n}`, true);
      hub.now += DELETION_GRACE_MS + 1;
      await deleteMarkedBlocks(hub);
      await check(filled, `objects deleted after ${when} in call ${n}`, true);
      await assertObjects(hub);
      if (!isKilled && doomed.calls() <= n) break;
    }
  }
}

test('killed at every step of deleting, a deletion is in force or it is not', async () => {
  const request = {
    selector: '{service_name="shop"}',
    start: START,
    end: START + 90 * 60_000,
    reason: 'test',
  };
  const isGone = (row: WindowRow) =>
    row.service === 'shop' && row.start >= request.start && row.start < request.end;
  await killAtEveryStep(
    filledHub,
    (hub) => deleteProfiles(hub, request),
    async ({ hub, rows }, when, isDone) => {
      const { length } = await listDeletions(hub);
      if (isDone) assert.ok(length >= 1);
      const left = length === 0 ? rows : rows.filter((row) => !isGone(row));
      assert.deepEqual(await answers(hub), expectedOf(left), when);
    },
  );
});

test('killed at every step of a rewrite, what was deleted stays away and nothing else goes', async () => {
  const isGone = (row: WindowRow) =>
    row.service === 'shop' && row.start >= START && row.start < START + 90 * 60_000;
  await killAtEveryStep(
    async () => {
      const filled = await filledHub();
      const { hub } = filled;
      const range = { start: START, end: START + 90 * 60_000 };
      await deleteProfiles(hub, { selector: '{service_name="shop"}', ...range, reason: 'test' });
      hub.now += SETTLE_MS;
      return filled;
    },
    rewriteBlocks,
    async ({ hub, rows }, when, isDone) => {
      assert.deepEqual(await answers(hub), expectedOf(rows.filter((row) => !isGone(row))), when);
      if (!isDone) return;
      const [deletion] = await listDeletions(hub);
      const [proven] = await listDeletions(hub, { verify: deletion!.id });
      assert.deepEqual([proven!.pendingBlocks, proven!.check!.rows], [0, 0], when);
    },
  );
});

const KEEP_LITTLE = { raw: 5 * DAY, fiveMinutes: 5 * DAY, hour: 5 * DAY };

test('killed at every step of retention, what is kept is answered, and what is not goes', async () => {
  const cutoff = START + DAY;
  for (const [selector, isKept] of [
    ['{service_name=~".*"}', (row: WindowRow) => row.start > cutoff],
    ['{service_name="shop"}', (row: WindowRow) => row.start > cutoff || row.service !== 'shop'],
  ] as const) {
    await killAtEveryStep(
      async () => {
        const filled = await filledHub();
        await setRetention(filled.hub, [{ selector, keepMs: KEEP_LITTLE }]);
        return filled;
      },
      (hub) => enforceRetention(hub, { dryRun: false }),
      async ({ hub, rows }, when, isDone) => {
        const kept = expectedOf(rows.filter(isKept));
        const now = await answers(hub);
        if (isDone) assert.deepEqual(now, kept, `${selector}: ${when}`);
        // Blocks leave one swap after the other; what stays is never touched.
        else if (selector === '{service_name="shop"}') assert.deepEqual(now[1], kept[1], when);
      },
    );
  }
});

test('killed at every step of a sweep, no block that is live loses its object', async () => {
  await killAtEveryStep(
    async () => {
      const filled = await filledHub();
      await filled.hub.objects.put(blockKey('default', 0, 'orphan'), new Uint8Array(10));
      return filled;
    },
    (hub) => sweepOrphans(hub, { dryRun: false }),
    async ({ hub, rows }, when) => {
      assert.deepEqual(await answers(hub), expectedOf(rows), when);
    },
  );
});

test('of two who rewrite and two who enforce retention at once, each deed is done once', async () => {
  const { hub, rows } = await filledHub();
  await setRetention(hub, [{ selector: '{service_name="shop"}', keepMs: KEEP_LITTLE }]);
  await deleteProfiles(hub, {
    selector: '{service_name="cart",pod="p1"}',
    start: START,
    end: hub.now,
    reason: 'test',
  });
  hub.now += SETTLE_MS;
  const [a, b] = await Promise.all([rewriteBlocks(hub), rewriteBlocks(hub)]);
  assert.equal(a.rewritten + b.rewritten, 1);
  const reports = await Promise.all([
    enforceRetention(hub, { dryRun: false }),
    enforceRetention(hub, { dryRun: false }),
  ]);
  assert.deepEqual(reports.map(({ skipped }) => skipped).sort(), [false, true]);
  const left = rows.filter((row) => row.start > START + DAY || (row.service === 'cart' && row.pod !== 'p1'));
  const isFreshGone = (row: WindowRow) => row.service === 'cart' && row.pod === 'p1';
  assert.deepEqual(await answers(hub), expectedOf(left.filter((row) => !isFreshGone(row))));
});

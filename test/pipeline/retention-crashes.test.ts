import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { setRetention } from '../../pipeline/retention-policies.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import { blockKey } from '../../storage/names.ts';
import type { WindowRow } from './fleet-history.ts';
import { answers, DAY, expectedOf, filledHub, killAtEveryStep, START } from './kill-at-every-step.ts';

// Whoever takes data away may be killed at every call of storage. What is to stay is answered before, during and after;
// what is to go never comes back once it is gone.

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

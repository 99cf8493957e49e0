// Retention takes what is past its time, and nothing else: days of random windows of two services with times of their own
// age, day by day, while some are deleted. Whole ranges are answered by whatever resolution is left of each service, and
// every window counts once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { enforceRetention, planRetentionNow } from '../../pipeline/enforce-retention.ts';
import { setRetention } from '../../pipeline/retention-policies.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import { CPU, RUNS, randomFrom, SEED } from '../core/block/fixtures.ts';
import { ask, expected, publishRows, randomBatch, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;
const DAYS = 3;

/** Days that each service is kept: raw, 5 min, and 1 h. */
const KEPT = { shop: [5, 8, 14], cart: [10, 20, 30] } as const;
const SERVICES = ['shop', 'cart'] as const;

async function filledHub(random: () => number): Promise<{ hub: MemoryHub; rows: WindowRow[] }> {
  const hub = memoryHub(START + HOUR);
  const rows: WindowRow[] = [];
  for (let day = 0; day < DAYS; day++) {
    for (let i = 0; i < 8; i++) {
      const from = START + day * DAY;
      const batch = randomBatch(random, from, from + DAY - 120_000);
      rows.push(...batch);
      await publishRows(hub, batch);
    }
    hub.now = START + (day + 1) * DAY;
  }
  hub.now += 4 * DAY;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  await setRetention(
    hub,
    SERVICES.map((service) => {
      const [raw, fiveMinutes, hour] = KEPT[service].map((days) => days * DAY);
      return {
        selector: `{service_name="${service}"}`,
        keepMs: { raw: raw!, fiveMinutes: fiveMinutes!, hour: hour! },
      };
    }),
  );
  return { hub, rows };
}

/** Of each service the days that any resolution is kept of, as one question each: no step is cut. */
async function check(hub: MemoryHub, rows: readonly WindowRow[], when: string): Promise<void> {
  for (const service of SERVICES) {
    const keepMs = KEPT[service][2] * DAY;
    for (let day = 0; day < DAYS; day++) {
      const range = { start: START + day * DAY, end: START + (day + 1) * DAY };
      const answer = await ask(hub, { ...range, service, maxPoints: 1 });
      const isKept = hub.now - keepMs < range.end;
      const wanted = expected(isKept ? rows : [], { ...range, service, maxPoints: 1 }, DAY);
      const of = `${when}: ${service}, day ${day}`;
      assert.deepEqual(
        [answer.total, answer.samples, answer.tree],
        [wanted.total, wanted.samples, wanted.tree],
        of,
      );
      // An edge that cuts an hour: where only hours are left of a service, they are answered whole, and none is lost.
      const cut = { ...range, start: range.start + 30 * 60_000, service, maxPoints: 1 };
      const selector = `{service_name=~"${service}"}`;
      const { total } = await selectTree(hub, { ...cut, profileType: CPU, selector });
      const most = expected(isKept ? rows : [], cut, DAY).total;
      const least = expected(isKept ? rows : [], { ...cut, start: range.start + HOUR }, DAY).total;
      assert.ok(least <= total && total <= most, `${of}: ${total} of ${least} to ${most}`);
    }
  }
}

test('what is kept is answered whole, whatever resolution is left of it, and the rest goes', async () => {
  for (let i = 0; i < Math.max(2, RUNS / 10); i++) {
    const seed = SEED + i;
    const random = randomFrom(seed);
    try {
      const { hub, rows } = await filledHub(random);
      let left: readonly WindowRow[] = rows;
      for (let round = 0; round < 36; round++) {
        await enforceRetention(hub, { dryRun: false });
        await check(hub, left, `${round} days on`);
        const { expired } = await planRetentionNow(hub);
        assert.deepEqual(expired, [], 'nothing is left that is past its time');
        if (random() < 0.15) {
          // On whole days: what is left may be 1 d windows.
          const day = Math.floor(random() * DAYS);
          const range = { start: START + day * DAY, end: START + (day + 1) * DAY };
          const pod = `p${Math.floor(random() * 3)}`;
          await deleteProfiles(hub, { selector: `{pod="${pod}"}`, ...range, reason: 'test' });
          left = left.filter((row) => row.pod !== pod || row.start < range.start || row.start >= range.end);
          await check(hub, left, `deleted after ${round} days`);
          hub.now += SETTLE_MS;
          await rewriteBlocks(hub);
          await check(hub, left, `rewritten after ${round} days`);
          const [{ id }] = (await listDeletions(hub)) as unknown as [{ id: string }];
          const [proven] = await listDeletions(hub, { verify: id });
          assert.deepEqual([proven!.pendingBlocks, proven!.check!.rows], [0, 0]);
        }
        hub.now += DELETION_GRACE_MS + 1;
        await deleteMarkedBlocks(hub);
        hub.now = START + (DAYS + 5 + round) * DAY;
      }
      await sweepOrphans(hub, { dryRun: false });
      assert.equal(hub.stored.size, 0, 'everything is past its time, and every object is gone');
    } catch (error) {
      throw new Error(`repeat with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`, { cause: error });
    }
  }
});

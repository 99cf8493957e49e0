// Retention takes what is past its time, and nothing else: days of random windows of two services with times of their own
// age, day by day, while some are deleted. Whole ranges are answered by whatever resolution is left of each service, and
// every window counts once. Pods are rolled up from a random resolution on: who asks for one is answered from finer blocks
// while these are kept, and told afterwards; a deletion of one reaches as far, and says how far that is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { enforceRetention, planRetentionNow } from '../../pipeline/enforce-retention.ts';
import { defaultHubSettings, type HubSettings } from '../../pipeline/hub.ts';
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

/** Resolutions from which pods are rolled up, and which time of KEPT the next finer one is kept for. */
const ROLL_UP_FROM = [300, 3600, 86_400] as const;

function rollUpFrom(seconds: number): HubSettings {
  const { compaction } = defaultHubSettings;
  const resolutions = compaction.resolutions.map((rule) =>
    rule.seconds < seconds ? rule : { ...rule, rollUp: ['pod'] },
  );
  return { ...defaultHubSettings, compaction: { ...compaction, resolutions } };
}

async function filledHub(
  random: () => number,
  settings: HubSettings,
): Promise<{ hub: MemoryHub; rows: WindowRow[] }> {
  const hub = memoryHub(START + HOUR);
  hub.settings = settings;
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

interface Fleet {
  readonly hub: MemoryHub;
  /** Which time of KEPT the coarsest windows are kept for that know pods. */
  readonly finer: 0 | 1 | 2;
  /** What is left in sums. */
  rows: readonly WindowRow[];
  /** What is left in blocks that know pods: a deletion of one reaches these at least. */
  rowsOfPods: readonly WindowRow[];
}

type Service = (typeof SERVICES)[number];

/** Whether windows of a day are kept at a resolution. */
function isKept(hub: MemoryHub, service: Service, resolution: 0 | 1 | 2, day: number): boolean {
  return hub.now - KEPT[service][resolution] * DAY < START + (day + 1) * DAY;
}

/** What is answered to who asks for a pod. */
async function checkPods({ hub, finer, rows, rowsOfPods }: Fleet, when: string): Promise<void> {
  for (const service of SERVICES) {
    for (let day = 0; day < DAYS; day++) {
      const range = { start: START + day * DAY, end: START + (day + 1) * DAY };
      const selection = { ...range, profileType: CPU, selector: `{service_name="${service}",pod!="p1"}` };
      const { total, completeness } = await selectTree(hub, selection);
      const isTold = isKept(hub, service, finer, day);
      const told = isTold ? rowsOfPods : [];
      const asked = { ...range, service, maxPoints: 1, pod: { op: '!=', value: 'p1' } } as const;
      const of = `${when}: pods of ${service}, day ${day}`;
      assert.equal(total, expected(told, asked, DAY).total, of);
      const everyPod = { ...asked, pod: undefined };
      const isSummed = isKept(hub, service, 2, day) && expected(rows, everyPod, DAY).total > 0n;
      // Once all that it told is deleted, a finer block is gone, sooner or later.
      if (isTold && isSummed && expected(told, everyPod, DAY).total === 0n) continue;
      const isLeftOut = isSummed && !isTold;
      const isNoted = completeness.notes.some((note) => note.startsWith('pod is rolled up in'));
      assert.deepEqual([completeness.complete, isNoted], [!isLeftOut, isLeftOut], of);
    }
  }
}

/** Of each service the days that any resolution is kept of, as one question each: no step is cut. */
async function check({ hub, rows, rowsOfPods }: Fleet, when: string): Promise<void> {
  for (const service of SERVICES) {
    const keepMs = KEPT[service][2] * DAY;
    for (let day = 0; day < DAYS; day++) {
      const range = { start: START + day * DAY, end: START + (day + 1) * DAY };
      const answer = await ask(hub, { ...range, service, maxPoints: 1 });
      const left = hub.now - keepMs < range.end ? rows : [];
      const wanted = expected(left, { ...range, service, maxPoints: 1 }, DAY);
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
      // What was deleted out of reach stays in the sums of whole steps, and finer blocks lack it already.
      const isOutOfReach = rows.length > rowsOfPods.length;
      const most = expected(left, isOutOfReach ? { ...cut, ...range } : cut, DAY).total;
      const least = expected(
        left.length > 0 ? rowsOfPods : [],
        { ...cut, start: range.start + HOUR },
        DAY,
      ).total;
      assert.ok(least <= total && total <= most, `${of}: ${total} of ${least} to ${most}`);
    }
  }
}

/** On whole days: what is left may be 1 d windows. */
async function deletePod(fleet: Fleet, random: () => number, when: string): Promise<void> {
  const { hub, finer } = fleet;
  const day = Math.floor(random() * DAYS);
  const range = { start: START + day * DAY, end: START + (day + 1) * DAY };
  const pod = `p${Math.floor(random() * 3)}`;
  const ofDay = (row: WindowRow) => row.start >= range.start && row.start < range.end;
  const knowPods = SERVICES.filter((service) => isKept(hub, service, finer, day));
  let outOfReach: number;
  try {
    const request = { selector: `{pod="${pod}"}`, ...range, reason: 'test' };
    outOfReach = (await deleteProfiles(hub, request)).outOfReachBlocks;
  } catch (error) {
    assert.match((error as Error).message, /has pod rolled up, so that/);
    const told = fleet.rowsOfPods.filter((row) => ofDay(row) && knowPods.includes(row.service as Service));
    assert.deepEqual(told, [], `refused ${when}`);
    return;
  }
  assert.ok(outOfReach === 0 || knowPods.length < SERVICES.length, `reach ${when}`);
  const isLeft = (row: WindowRow) => row.pod !== pod || !ofDay(row);
  if (outOfReach === 0) fleet.rows = fleet.rows.filter(isLeft);
  fleet.rowsOfPods = fleet.rowsOfPods.filter(isLeft);
  await check(fleet, `deleted ${when}`);
  await checkPods(fleet, `deleted ${when}`);
  hub.now += SETTLE_MS;
  await rewriteBlocks(hub);
  await check(fleet, `rewritten ${when}`);
  await checkPods(fleet, `rewritten ${when}`);
  const [{ id }] = (await listDeletions(hub)) as unknown as [{ id: string }];
  const [proven] = await listDeletions(hub, { verify: id });
  const { pendingBlocks, outOfReachBlocks, check: read } = proven!;
  assert.deepEqual([pendingBlocks, outOfReachBlocks > 0, read!.rows], [0, outOfReach > 0, 0], when);
}

test('what is kept is answered whole, whatever resolution is left of it, and the rest goes', async () => {
  for (let i = 0; i < Math.max(2, RUNS / 10); i++) {
    const seed = SEED + i;
    const random = randomFrom(seed);
    try {
      const finer = Math.floor(random() * 3) as 0 | 1 | 2;
      const { hub, rows } = await filledHub(random, rollUpFrom(ROLL_UP_FROM[finer]));
      const fleet: Fleet = { hub, finer, rows, rowsOfPods: rows };
      for (let round = 0; round < 36; round++) {
        await enforceRetention(hub, { dryRun: false });
        await check(fleet, `${round} days on`);
        await checkPods(fleet, `${round} days on`);
        const { expired } = await planRetentionNow(hub);
        assert.deepEqual(expired, [], 'nothing is left that is past its time');
        if (random() < 0.15) await deletePod(fleet, random, `${round} days on`);
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

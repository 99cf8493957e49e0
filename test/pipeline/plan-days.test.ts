import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listQuarantinedGroups, quarantineGroup } from '../../pipeline/compaction-quarantine.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import type { BlockRow, BlockSearch } from '../../storage/block-catalog.ts';
import { aBlockRow } from '../contracts/block-catalog.contract.ts';
import { memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 19_700 * DAY + 5 * HOUR;

function block(blockId: string, minTime: number, maxTime: number, rest: Partial<BlockRow> = {}): BlockRow {
  const tenant = 'default';
  return aBlockRow({
    blockId,
    tenant,
    resolutionSeconds: 0,
    minTime,
    maxTime,
    createdAt: NOW - HOUR,
    ...rest,
  });
}

/** A hub with blocks of many days; `searches` is what was asked of its catalog, `looked` whose rows were looked up. */
async function watchedHub(rows: readonly BlockRow[], now = NOW) {
  const hub = memoryHub(now);
  for (const row of rows) await hub.catalog.publish(row);
  const searches: { search: BlockSearch; found: string[] }[] = [];
  const looked: string[] = [];
  const catalog = {
    ...hub.catalog,
    async find(search: BlockSearch) {
      const found = await hub.catalog.find(search);
      searches.push({ search, found: found.map(({ blockId }) => blockId) });
      return found;
    },
    get(blockId: string, options?: { withAside?: boolean }) {
      looked.push(blockId);
      return hub.catalog.get(blockId, options);
    },
  };
  return { hub: { ...hub, clock: () => hub.now, catalog }, searches, looked };
}

/** Blocks of every hour, each of which runs over its end, and a long one. */
function daysOfBlocks(days: number): BlockRow[] {
  const rows = Array.from({ length: days * 24 }, (_, i) => {
    const start = NOW - (i + 1) * HOUR;
    return block(`b${i}`, start, start + HOUR + 5000, { batchIds: [`c/n/b/${i}`] });
  });
  const joined = { resolutionSeconds: 86_400, batchIds: ['c/sealed', 'f1', 'f2'] };
  return [...rows, block('joined', NOW - days * DAY, NOW - 2 * DAY, joined)];
}

for (const [scope, days] of [
  ['recent', 5],
  ['all', 90],
] as const) {
  test(`a plan of ${scope} holds one day at a time, and reads each row once`, async () => {
    const { hub, searches, looked } = await watchedHub(daysOfBlocks(days));
    const { blocks, jobs } = await planJobs(hub, scope);
    const found = searches.flatMap((one) => one.found);
    assert.equal(found.length, days * 24 + 1);
    assert.equal(new Set(found).size, found.length);
    assert.equal(blocks, found.length);
    for (const { search } of searches.slice(0, -1)) assert.equal(search.until - search.from, DAY);
    assert.ok(searches.every((one) => one.found.length <= 25));
    assert.ok(jobs.length > 0);
    assert.deepEqual(looked, []);
  });
}

test('a plan of what is fresh reads the newest hours alone, each of them whole', async () => {
  for (const now of [NOW, NOW + 40 * 60_000, NOW - 3 * HOUR]) {
    const { hub, searches } = await watchedHub(daysOfBlocks(3), now);
    const { jobs } = await planJobs(hub, 'fresh');
    const first = Math.floor((now - 6 * HOUR) / HOUR) * HOUR;
    assert.equal(searches[0]!.search.from, first);
    const found = searches.flatMap((one) => one.found);
    assert.equal(found.length, daysOfBlocks(3).filter((row) => row.minTime >= first).length);
    assert.ok(jobs.length > 0 && jobs.length <= 7);
    const all = new Set((await planJobs(hub, 'recent')).jobs.map((job) => JSON.stringify(job)));
    for (const job of jobs) assert.ok(all.has(JSON.stringify(job)), 'a plan of more has the same job');
  }
});

test('a group in quarantine leaves when all of its blocks are gone, and only then', async () => {
  const old = block('old', NOW - 200 * DAY, NOW - 199 * DAY);
  const { hub, looked } = await watchedHub([...daysOfBlocks(1), old]);
  await quarantineGroup(hub, { group: 'partly-there', blockIds: ['gone-0', 'b3'] }, 'damaged');
  await quarantineGroup(hub, { group: 'out-of-sight', blockIds: ['gone-1', 'old', 'gone-2'] }, 'damaged');
  await quarantineGroup(hub, { group: 'all-gone', blockIds: ['gone-3', 'gone-4'] }, 'damaged');
  await quarantineGroup(hub, { group: 'unnamed', blockIds: [] }, 'died');
  const { quarantined } = await planJobs(hub, 'recent');
  const names = ['out-of-sight', 'partly-there', 'unnamed'];
  assert.deepEqual(
    quarantined.map(({ group }) => group),
    names,
  );
  assert.deepEqual(
    (await listQuarantinedGroups(hub)).map(({ group }) => group),
    names,
  );
  assert.deepEqual(looked, ['gone-3', 'gone-4', 'gone-1', 'old'], 'no more than it takes');
});

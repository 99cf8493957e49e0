import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rolledEntry, rolledLabelsOf } from '../../core/block/batch-table.ts';
import { withRollUp } from '../../core/compaction/compaction-rules.ts';
import { labelsKey } from '../../core/labels/labels.ts';
import { compactBlocks } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { defaultHubSettings } from '../../pipeline/hub.ts';
import { listLabelNames, listLabelValues, listSeries } from '../../pipeline/list-labels.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { selectSeries, selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { CPU } from '../core/block/fixtures.ts';
import { ask, publishRows, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Of 32 days, which are joined. */
const START = Math.ceil(1_700_006_400_000 / (32 * DAY)) * 32 * DAY;
const DAY_OF = { start: START, end: START + DAY };

let sequence = 0;

/** One window of 10 s; the batch is of its own. */
function row(pod: string, start: number, value: number, service = 'shop'): WindowRow {
  const batch = `c/n/b/${++sequence}`;
  return { service, pod, start, duration: 10_000, batch, stacks: { 'main;a': value }, samples: value / 10 };
}

function hubAt(now: number, rollUp: readonly string[]): MemoryHub {
  const hub = memoryHub(now);
  setRollUp(hub, rollUp);
  return hub;
}

function setRollUp(hub: MemoryHub, rollUp: readonly string[]): void {
  const compaction = withRollUp(defaultHubSettings.compaction, rollUp);
  hub.settings = { ...defaultHubSettings, compaction };
}

async function compactAll(hub: MemoryHub, now: number): Promise<void> {
  hub.now = now;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
}

function rowsOf(hub: MemoryHub): Promise<BlockRow[]> {
  return hub.catalog.find({ tenant: hub.tenant, from: 0, until: Number.MAX_SAFE_INTEGER });
}

/** A day of two pods, of which raw and 5 min windows are gone. */
async function rolledUpHub(): Promise<MemoryHub> {
  const hub = hubAt(START + 2 * HOUR, ['pod']);
  await publishRows(hub, [row('a', START, 100), row('b', START + 10_000, 30), row('b', START + 20_000, 50)]);
  await compactAll(hub, START + 6 * DAY);
  hub.now = START + 100 * DAY;
  await enforceRetention(hub, { dryRun: false });
  return hub;
}

test('series that differ in rolled up labels alone become one, and the block says so', async () => {
  const hub = hubAt(START + 2 * HOUR, ['pod', 'absent']);
  await publishRows(hub, [row('a', START, 100), row('b', START + 10_000, 30), row('b', START + 20_000, 50)]);
  await compactAll(hub, START + 6 * DAY);
  const found = [];
  for (const block of await rowsOf(hub)) {
    const reader = await openBlockOf(hub, block);
    await reader.verify();
    const [dataset] = reader.directory.datasets;
    const { totals, labelSets } = await reader.totals(dataset!, dataset!.types[0]!);
    const pods = labelSets.map((labels) => labels.find(([name]) => name === 'pod')?.[1] ?? '');
    const { windows, least, most } = totals.spread ?? {};
    const notes = rolledLabelsOf(block.batchIds);
    found.push([
      block.resolutionSeconds,
      notes,
      pods,
      [...totals.samples],
      windows && [windows, least, most],
    ]);
  }
  const spread = (...columns: number[][]) => columns.map((column) => Float64Array.from(column));
  const isRolledUp = [['absent', 'pod'], [''], [18], spread([3], [3], [10])];
  assert.deepEqual(
    found.sort((a, b) => Number(a[0]) - Number(b[0])),
    [
      [0, [], ['a', 'b'], [10, 3, 5], undefined],
      [300, [], ['a', 'b'], [10, 8], spread([1, 2], [1, 3], [1, 5])],
      [3600, ...isRolledUp],
      [86_400, ...isRolledUp],
    ],
  );
});

test('names of labels may hold any character', () => {
  const names = ['a/b', '~rolled:', 'c/d/e:%2F', 'pod name, "quoted"', 'ä\u{1f600}'];
  const entries = names.map(rolledEntry);
  assert.ok(entries.every((entry) => !entry.includes('/')));
  assert.deepEqual(rolledLabelsOf(['c/sealed', 'block', ...entries]), [...names].sort());
});

const USES = ['pod="a"', 'pod!="a"', 'pod=~"a|b"', 'pod!~"x"', 'pod=""', 'pod=~".*"'];

test('who asks for a rolled up label is answered from finer blocks', async () => {
  const hub = hubAt(START + 2 * HOUR, ['pod']);
  await publishRows(hub, [row('a', START, 100), row('b', START + 10_000, 30), row('', START + 20_000, 50)]);
  await compactAll(hub, START + 6 * DAY);
  const totals: bigint[] = [];
  for (const use of USES) {
    const selection = { ...DAY_OF, profileType: CPU, selector: `{service_name="shop",${use}}` };
    const { total, completeness } = await selectTree(hub, selection);
    assert.deepEqual([completeness.resolutionSeconds, completeness.complete], [300, true], use);
    totals.push(total);
  }
  assert.deepEqual(totals, [100n, 80n, 130n, 180n, 50n, 180n]);
  const { completeness } = await selectTree(hub, { ...DAY_OF, profileType: CPU, selector: '{}' });
  assert.equal(completeness.resolutionSeconds, 86_400);
  assert.deepEqual(await listLabelValues(hub, { ...DAY_OF, name: 'pod', matchers: [] }), ['a', 'b']);
  assert.ok((await listLabelNames(hub, { ...DAY_OF, matchers: [] })).includes('pod'));
});

test('where only rolled up blocks are left, that time is left out and said to be', async () => {
  const hub = await rolledUpHub();
  const selection = { ...DAY_OF, profileType: CPU };
  const note =
    `pod is rolled up in windows of 1 h and more: what of the time from ${new Date(START).toISOString()} to ` +
    `${new Date(START + DAY).toISOString()} is kept in no finer windows is left out; ask without pod for the sum of it`;
  for (const use of USES) {
    const { total, completeness } = await selectTree(hub, { ...selection, selector: `{${use}}` });
    assert.deepEqual([total, completeness.complete], [0n, false], use);
    assert.ok(completeness.notes.includes(note), completeness.notes.join());
    const timeline = await selectTimeline(hub, { ...selection, selector: `{${use}}`, maxPoints: 10 });
    assert.deepEqual([timeline.points, timeline.completeness.complete], [[], false], use);
  }
  const request = { ...selection, selector: '{}', stepMs: DAY, aggregation: 'sum' as const };
  const byPod = await selectSeries(hub, { ...request, groupBy: ['pod'] });
  assert.deepEqual([byPod.series, byPod.completeness.complete], [[], false]);
  const byService = await selectSeries(hub, { ...request, groupBy: ['service_name'] });
  assert.deepEqual([byService.series.length, byService.completeness.complete], [1, true]);
  const { total, completeness } = await selectTree(hub, { ...selection, selector: '{}' });
  assert.deepEqual([total, completeness.complete], [180n, true]);
  assert.deepEqual(await listLabelValues(hub, { ...DAY_OF, name: 'pod', matchers: [] }), []);
  assert.ok(!(await listLabelNames(hub, { ...DAY_OF, matchers: [] })).includes('pod'));
  const series = await listSeries(hub, { ...DAY_OF, matchers: [], labelNames: ['service_name', 'pod'] });
  assert.deepEqual(series.map(labelsKey), [labelsKey([['service_name', 'shop']])]);
});

test('blocks keep the labels that they have when rules change, and are joined with their like', async () => {
  const hub = hubAt(START, []);
  for (let day = 0; day < 6; day++) {
    const at = START + day * DAY;
    await compactAll(hub, at + 2 * HOUR);
    await publishRows(hub, [row('a', at, 10), row('b', at, 20)]);
    await compactAll(hub, at + 5 * DAY);
    // Off for three days, on for the next.
    if (day === 2) setRollUp(hub, ['pod']);
  }
  const isRolledUp = ({ batchIds }: BlockRow) => rolledLabelsOf(batchIds).length > 0;
  const daily = (await rowsOf(hub)).filter(({ resolutionSeconds }) => resolutionSeconds === 86_400);
  assert.deepEqual(daily.map(isRolledUp), [false, false, false, true, true, true]);
  await compactAll(hub, START + 40 * DAY);
  const joined = (await rowsOf(hub)).filter(({ resolutionSeconds }) => resolutionSeconds === 86_400);
  assert.deepEqual(joined.map(isRolledUp), [false, true]);
  const question = { start: START, end: START + 6 * DAY, service: 'shop', maxPoints: 6 };
  assert.equal((await ask(hub, question)).total, 180n);
  const ofPod = await ask(hub, { ...question, pod: { op: '=', value: 'b' } });
  assert.deepEqual([ofPod.total, ofPod.complete], [120n, true]);
});

test('a rewrite makes coarser blocks anew with the labels that they had', async () => {
  const hub = hubAt(START + 2 * HOUR, ['pod']);
  await publishRows(hub, [row('a', START, 100), row('b', START, 30), row('a', START, 7, 'cart')]);
  await compactAll(hub, START + 6 * DAY);
  setRollUp(hub, []);
  await deleteProfiles(hub, { selector: '{pod="a",service_name="shop"}', ...DAY_OF, reason: 'test' });
  assert.equal((await selectTree(hub, { ...DAY_OF, profileType: CPU, selector: '{}' })).total, 37n);
  hub.now += SETTLE_MS;
  assert.equal((await rewriteBlocks(hub)).rewritten, 1);
  const rows = await rowsOf(hub);
  assert.deepEqual(
    rows.map(({ resolutionSeconds, batchIds }) => [resolutionSeconds, ...rolledLabelsOf(batchIds)]).sort(),
    [[0], [300], [3600, 'pod'], [86_400, 'pod']],
  );
  const { total, completeness } = await selectTree(hub, { ...DAY_OF, profileType: CPU, selector: '{}' });
  assert.deepEqual([total, completeness.resolutionSeconds], [37n, 86_400]);
});

test('a deletion that no block can tell is refused', async () => {
  const hub = await rolledUpHub();
  for (const dryRun of [true, false]) {
    const request = { selector: '{pod!="a"}', ...DAY_OF, reason: 'test', dryRun };
    await assert.rejects(
      deleteProfiles(hub, request),
      /has pod rolled up, so that what \{pod!="a"\} names cannot/,
    );
  }
  assert.deepEqual(await listDeletions(hub), []);
  await deleteProfiles(hub, { selector: '{service_name="shop"}', ...DAY_OF, reason: 'test' });
  assert.equal((await selectTree(hub, { ...DAY_OF, profileType: CPU, selector: '{}' })).total, 0n);
});

test('what a deletion cannot reach is reported for as long as blocks hold it', async () => {
  const hub = await rolledUpHub();
  const later = START + 95 * DAY;
  await publishRows(hub, [row('a', later, 1000), row('b', later, 1), row('a', START, 50, 'cart')]);
  const range = { start: START, end: hub.now };
  const wanted = { selector: '{pod="a"}', ...range, reason: 'test' };
  const dry = await deleteProfiles(hub, { ...wanted, dryRun: true });
  // The sums of 1 h and 1 d hold pod a of the first day.
  assert.deepEqual([dry.samples, dry.complete, dry.outOfReachBlocks], [105, false, 2]);
  const { tombstone } = await deleteProfiles(hub, wanted);
  const report = async () => {
    const found = await listDeletions(hub, { verify: tombstone.id });
    const { pendingBlocks, outOfReachBlocks, doneAt, check } = found.find(({ id }) => id === tombstone.id)!;
    return { pendingBlocks, outOfReachBlocks, isDone: doneAt !== undefined, rows: check!.rows };
  };
  const totalOf = async () => (await selectTree(hub, { ...range, profileType: CPU, selector: '{}' })).total;
  assert.equal(await totalOf(), 181n);
  await compactAll(hub, START + 100 * DAY + HOUR);
  hub.now += SETTLE_MS;
  await rewriteBlocks(hub);
  assert.deepEqual(await report(), { pendingBlocks: 0, outOfReachBlocks: 2, isDone: false, rows: 0 });
  // Another deletion has the same blocks written again.
  const before = (await rowsOf(hub)).map(({ blockId }) => blockId);
  await deleteProfiles(hub, { ...wanted, selector: '{service_name="shop",zone="x"}' });
  hub.now += SETTLE_MS;
  await rewriteBlocks(hub);
  assert.ok((await rowsOf(hub)).every(({ blockId }) => !before.includes(blockId)));
  await compactAll(hub, hub.now + 40 * DAY);
  await rewriteBlocks(hub);
  const { isDone, outOfReachBlocks } = await report();
  assert.deepEqual([isDone, outOfReachBlocks], [true, 2]);
  const { completeness } = await selectTree(hub, { ...range, profileType: CPU, selector: '{}' });
  assert.ok(
    completeness.notes.some((note) => note.startsWith('a deletion asks for labels that are rolled up')),
  );
  assert.equal(await totalOf(), 181n);
});

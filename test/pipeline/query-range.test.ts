import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerCache } from '../../pipeline/answer-cache.ts';
import { compactBlocks } from '../../pipeline/compact-blocks.ts';
import { selectSeries, selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU, randomFrom } from '../core/block/fixtures.ts';
import { expected, publishRows, randomBatch, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;

/** Days of a fleet, compacted as they age; the last one is fresh. */
async function agedHub(days: number): Promise<{ hub: MemoryHub; rows: WindowRow[] }> {
  const random = randomFrom(11);
  const hub = memoryHub(START);
  const rows: WindowRow[] = [];
  for (let hour = 0; hour < days * 24; hour++) {
    const from = START + hour * HOUR;
    const batches = [1, 2].map(() => randomBatch(random, from, from + HOUR - 60_000));
    rows.push(...batches.flat());
    hub.now = from + HOUR;
    await publishRows(hub, batches.flat());
    if (hour % 6 === 0) await compactBlocks(hub, 'all');
  }
  return { hub, rows };
}

function reset(hub: MemoryHub): void {
  hub.io.gets = 0;
  hub.io.bytes = 0;
}

const select = (start: number, end: number, service = 'shop') => ({
  profileType: CPU,
  selector: `{service_name="${service}"}`,
  start,
  end,
});

test('the coarsest resolution that fits is read, and the answer says which', async () => {
  const { hub } = await agedHub(7);
  const end = START + 7 * DAY;
  const timeline = async (start: number, maxPoints: number) =>
    (await selectTimeline(hub, { ...select(start, end), maxPoints })).completeness.resolutionSeconds;
  assert.equal(await timeline(START, 7), 86_400);
  assert.equal(await timeline(START, 100), 3600);
  assert.equal(await timeline(START + 5 * DAY, 600), 300);
  assert.equal(await timeline(end - HOUR, 360), 0);
  const tree = await selectTree(hub, select(START, end));
  assert.equal(tree.completeness.resolutionSeconds, 86_400);
  const { completeness } = await selectSeries(hub, {
    ...select(START + 5 * DAY, end),
    ...{ stepMs: HOUR, groupBy: [], aggregation: 'sum' },
  });
  assert.equal(completeness.resolutionSeconds, 3600);
});

test('an answer says how long its windows are together', async () => {
  const { hub: base, rows } = await agedHub(6);
  const hub = { ...base, clock: () => base.now, answers: new AnswerCache(1 << 20) };
  const covered = (start: number, end: number, step: number) =>
    step *
    new Set(
      rows
        .filter((row) => row.service === 'shop' && row.start >= start && row.start < end)
        .map((row) => Math.floor(row.start / step)),
    ).size;
  // Not compacted yet: read raw, and exact.
  const newest = rows.findLast((row) => row.service === 'shop')!.start;
  const raw = select(newest - 50_000, newest + 60_000);
  for (const ask of [1, 2]) {
    const tree = await selectTree(hub, raw);
    assert.equal(tree.completeness.resolutionSeconds, 0);
    assert.ok(tree.completeness.coveredMs > 0);
    assert.equal(tree.completeness.coveredMs, covered(raw.start, raw.end, 10_000), `asked ${ask} times`);
    const timeline = await selectTimeline(hub, { ...raw, maxPoints: 10_000 });
    assert.equal(timeline.completeness.coveredMs, tree.completeness.coveredMs);
  }
  const days = select(START, START + 2 * DAY);
  const { completeness } = await selectTimeline(hub, { ...days, maxPoints: 48 });
  assert.equal(completeness.resolutionSeconds, 3600);
  assert.equal(completeness.coveredMs, covered(days.start, days.end, HOUR));
});

test('what SelectSeries sums of coarse windows is what the raw ones sum to', async () => {
  const { hub, rows } = await agedHub(6);
  const request = { ...select(START, START + 6 * DAY), stepMs: HOUR, groupBy: [] };
  const { series } = await selectSeries(hub, { ...request, aggregation: 'sum' });
  const sum = series[0]!.points.reduce((total, { value }) => total + value, 0);
  const wanted = expected(
    rows,
    { ...request, start: START - HOUR + 1, end: request.end + 1, service: 'shop', maxPoints: 1 },
    HOUR,
  );
  assert.equal(BigInt(sum), wanted.total);
  const windows = wanted.points.reduce(
    (total: number, point) => total + (point as { windows: number }).windows,
    0,
  );
  const average = await selectSeries(hub, { ...request, stepMs: 6 * DAY, aggregation: 'average' });
  assert.equal(average.series[0]!.points.at(-1)!.value, sum / windows);
});

test('nothing is read of blocks that cannot match, and each small block once', async () => {
  const { hub } = await agedHub(6);
  for (const selection of [
    select(START, START + 6 * DAY, 'nobody'),
    select(START - 9 * DAY, START - DAY),
    { ...select(START, START + 6 * DAY), selector: '{cluster="elsewhere"}' },
    { ...select(START, START + 6 * DAY), profileType: 'wall:wall:nanoseconds:wall:nanoseconds' },
  ]) {
    reset(hub);
    await selectTree(hub, selection);
    assert.deepEqual(hub.io, { gets: 0, bytes: 0 }, selection.selector);
  }
  reset(hub);
  const { completeness } = await selectTree(hub, select(START, START + 6 * DAY));
  assert.equal(hub.io.gets, completeness.blocksRead);
  const blocks = await hub.catalog.find({ tenant: 'default', from: START, until: START + 6 * DAY });
  const stored = blocks.filter((row) => row.resolutionSeconds === 0).reduce((sum, row) => sum + row.size, 0);
  assert.ok(hub.io.bytes < stored, `${hub.io.bytes} bytes read, the raw blocks have ${stored}`);
});

test('an answer over settled blocks is kept, and given again without a read', async () => {
  const { hub: base } = await agedHub(6);
  const hub = { ...base, clock: () => base.now, answers: new AnswerCache(1 << 20) };
  const selection = select(START, START + DAY);
  const first = await selectTree(hub, selection);
  const series = { ...selection, stepMs: HOUR, groupBy: ['pod'], aggregation: 'sum' } as const;
  const lines = await selectSeries(hub, series);
  const timeline = await selectTimeline(hub, { ...selection, maxPoints: 24 });
  reset(base);
  assert.deepEqual((await selectTree(hub, selection)).tree, first.tree);
  assert.deepEqual((await selectSeries(hub, series)).series, lines.series);
  assert.deepEqual((await selectTimeline(hub, { ...selection, maxPoints: 24 })).points, timeline.points);
  assert.equal(base.io.gets, 0);
  const again = await selectTree(hub, selection);
  assert.equal(again.completeness.samples, first.completeness.samples);
  assert.equal(again.completeness.bytesRead, 0);
  await selectSeries(hub, { ...series, groupBy: [] });
  await selectTree(hub, { ...selection, end: selection.end - 1 });
  assert.ok(base.io.gets > 0, 'other questions are other answers');
});

test('an answer over fresh blocks, or with a block missing, is not kept', async () => {
  const { hub: base } = await agedHub(6);
  const hub = { ...base, clock: () => base.now, answers: new AnswerCache(1 << 20) };
  await selectTree(hub, select(START, START + 6 * DAY));
  assert.equal(hub.answers.bytes, 0);
  const rows = await hub.catalog.find({ tenant: 'default', from: START, until: START + HOUR });
  for (const row of rows) await hub.objects.delete(blockKey(row.tenant, row.level, row.blockId));
  const { completeness } = await selectTree(hub, select(START, START + DAY));
  assert.equal(completeness.complete, false);
  assert.equal(hub.answers.bytes, 0);
});

test('kept answers are bounded, the ones not asked for go first', () => {
  const cache = new AnswerCache(100);
  for (const key of ['a', 'b', 'c', 'd']) cache.put(key, key, 25);
  assert.equal(cache.get('a'), 'a');
  cache.put('e', 'e', 25);
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((key) => cache.get(key)),
    ['a', undefined, 'c', 'd', 'e'],
  );
  cache.put('huge', 'huge', 26);
  assert.equal(cache.get('huge'), undefined);
  assert.equal(cache.bytes, 100);
});

test('a question too large for one answer is answered from the newest on, and can be gone on with', async () => {
  const { hub: base, rows } = await agedHub(6);
  const hub = { ...base, clock: () => base.now, settings: { ...base.settings, queryBytesMax: 3000 } };
  const wanted = expected(rows, { start: START, end: START + 6 * DAY, service: 'shop', maxPoints: 1 }, DAY);
  let total = 0n;
  let samples = 0;
  let rounds = 0;
  for (let end: number | undefined = START + 6 * DAY; end !== undefined; rounds++) {
    const answer = await selectTree(hub, select(START, end));
    total += answer.total;
    samples += answer.completeness.samples;
    const next = answer.completeness.continueBefore;
    assert.equal(answer.completeness.complete, next === undefined);
    if (next !== undefined) {
      assert.ok(next > START && next < end);
      assert.match(
        answer.completeness.notes.join(),
        /limit queryBytesMax is 3000: the answer begins at 2023-/,
      );
    }
    end = next;
  }
  assert.ok(rounds > 3, `${rounds} rounds`);
  assert.deepEqual([total, samples], [wanted.total, wanted.samples]);
});

// Compaction and downsampling change no answer. Days of random windows, some late, some twice, are published and
// compacted step by step; after every job, questions about random ranges have the answer that the windows themselves
// give: the same flame graph, total, samples, and timeline with its peaks. Pods are rolled up from some resolution on, by
// rules that change now and then, and asked for all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelValue } from '../../core/labels/labels.ts';
import { compactBlocks, deleteMarkedBlocks, runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { defaultHubSettings, type HubSettings } from '../../pipeline/hub.ts';
import { listLabelNames, listLabelValues } from '../../pipeline/list-labels.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { roundStep, selectSeries } from '../../pipeline/run-query.ts';
import { CPU, RUNS, randomFrom, SEED } from '../core/block/fixtures.ts';
import {
  ask,
  expected,
  isAsked,
  MANY_SERVICES,
  publishRows,
  type Question,
  randomBatch,
  randomPod,
  randomRollUp,
  selectorOf,
  type WindowRow,
} from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;

function randomQuestion(random: () => number, from: number, until: number): Question {
  const grain = [1, 10_000, 300_000, HOUR, DAY][Math.floor(random() * 5)]!;
  const at = () => Math.floor((from - HOUR + random() * (until - from + 2 * HOUR)) / grain) * grain;
  const [start, end] = [at(), at()].sort((a, b) => a - b);
  const service = random() < 0.4 ? '' : random() < 0.6 ? 'shop' : 'cart';
  const maxPoints = [2, 30, 240][Math.floor(random() * 3)]!;
  return { start: start!, end: end! + 1, service, maxPoints, pod: randomPod(random) };
}

/** Limits as they are; so small that jobs are cut, and outputs too; and so that hours are split into shards. */
const BYTES_MAX = [320 * 1024 * 1024, 20_000, 1500];

function randomSettings(random: () => number, bytesMax = BYTES_MAX[Math.floor(random() * 3)]!): HubSettings {
  const rolledUp = randomRollUp(random, defaultHubSettings.compaction);
  if (bytesMax > 20_000) return { ...defaultHubSettings, compaction: rolledUp };
  const small = {
    blocksMax: 12,
    bytesMax,
    partBytesMax: 1500,
    datasetBytesMax: 1500,
    rejoinBytesMax: 2000,
  };
  return { ...defaultHubSettings, compaction: { ...rolledUp, fanIn: 3, ...small } };
}

async function checkAnswers(
  hub: MemoryHub,
  rows: readonly WindowRow[],
  random: () => number,
  questions: number,
): Promise<void> {
  for (let i = 0; i < questions; i++) {
    const question = randomQuestion(random, START, hub.now);
    const stepMs = roundStep((question.end - question.start) / question.maxPoints);
    const { points, ...answer } = await ask(hub, question);
    const { points: expectedPoints, ...wanted } = expected(rows, question, stepMs);
    assert.deepEqual(answer, wanted, `flame graph of ${JSON.stringify(question)}`);
    assert.deepEqual(points, expectedPoints, `timeline of ${JSON.stringify(question)}`);
    await checkSeries(hub, rows, question, random);
    if (random() < 0.2) await checkLabels(hub, rows, question);
  }
}

/** Windows may move to the next point, but none is lost or counted twice. */
async function checkSeries(
  hub: MemoryHub,
  rows: readonly WindowRow[],
  { start, end, service, pod }: Question,
  random: () => number,
): Promise<void> {
  const stepMs = [10_000, 1_728_000, 300_000, HOUR, 5 * HOUR, 2 * DAY][Math.floor(random() * 6)]!;
  const selection = { profileType: CPU, selector: selectorOf({ service, pod }), start, end };
  const last = start + Math.floor((end - start) / stepMs) * stepMs;
  const request = { ...selection, stepMs, groupBy: random() < 0.5 ? [] : ['pod'] };
  const { series, completeness } = await selectSeries(hub, { ...request, aggregation: 'sum' });
  const sums: Record<string, number> = {};
  for (const { labels, points } of series)
    sums[labelValue(labels, 'pod')] = points.reduce((total, { value }) => total + value, 0);
  const wanted: Record<string, number> = {};
  for (const row of rows) {
    if (!isAsked({ service, pod }, row) || row.start <= start - stepMs || row.start > last) continue;
    const of = request.groupBy.length === 0 ? '' : row.pod;
    wanted[of] = Object.values(row.stacks).reduce((total, value) => total + value, wanted[of] ?? 0);
  }
  assert.deepEqual([sums, completeness.complete], [wanted, true], `series of ${JSON.stringify(request)}`);
}

/** Every pod that has windows in the range is listed. Those of windows beside it, in the same blocks, may be. */
async function checkLabels(hub: MemoryHub, rows: readonly WindowRow[], question: Question): Promise<void> {
  const { start, end, service } = question;
  const range = { start, end, matchers: [selectorOf({ service })] };
  const isWanted = (row: WindowRow) => isAsked({ service }, row) && row.start >= start && row.start < end;
  const pods = new Set(rows.filter(isWanted).map(({ pod }) => pod));
  const listed = new Set(await listLabelValues(hub, { ...range, name: 'pod' }));
  assert.deepEqual(
    [...pods].filter((pod) => !listed.has(pod)),
    [],
    `pods of ${JSON.stringify(question)}`,
  );
  if (pods.size === 0) return;
  assert.ok((await listLabelNames(hub, range)).includes('pod'), `names of ${JSON.stringify(question)}`);
}

const stepsSeen = new Set<string>();

async function live(hub: MemoryHub, random: () => number, rows: WindowRow[], until: number): Promise<void> {
  const batches: WindowRow[][] = [];
  while (hub.now < until) {
    hub.now += Math.floor(random() * 8 * HOUR);
    if (random() < 0.05) hub.settings = randomSettings(random);
    for (let i = Math.floor(random() * 6); i > 0; i--) {
      const age = random() < 0.6 ? HOUR : 70 * HOUR;
      const batch = randomBatch(random, Math.max(START, hub.now - age), hub.now, MANY_SERVICES);
      rows.push(...batch);
      await publishRows(hub, batch);
      batches.push(batch);
      // What is delivered again may come at once, or when its hour is closed already.
      const again = random() < 0.5 ? batch : batches[Math.floor(random() * batches.length)]!;
      if (random() < 0.3 && again[0]!.start > hub.now - 72 * HOUR) await publishRows(hub, again);
    }
    await checkAnswers(hub, rows, random, 2);
    for (const job of (await planJobs(hub, 'all')).jobs) {
      stepsSeen.add(job.step);
      await runCompactionJob(hub, job);
      await checkAnswers(hub, rows, random, 1);
    }
    await deleteMarkedBlocks(hub);
  }
}

test('no answer changes with compaction and downsampling, over days', async () => {
  for (let i = 0; i < Math.max(BYTES_MAX.length, RUNS / 10); i++) {
    const seed = SEED + i;
    const random = randomFrom(seed);
    const hub = memoryHub(START + HOUR);
    hub.settings = randomSettings(random, BYTES_MAX[seed % BYTES_MAX.length]);
    const rows: WindowRow[] = [];
    try {
      await live(hub, random, rows, START + 4 * DAY);
      await checkAnswers(hub, rows, random, 5);
      hub.now += 40 * DAY;
      for (const { step } of (await planJobs(hub, 'all')).jobs) stepsSeen.add(step);
      while ((await compactBlocks(hub, 'all')).jobs > 0)
        for (const { step } of (await planJobs(hub, 'all')).jobs) stepsSeen.add(step);
      assert.deepEqual(hub.logs, []);
      const blocks = await hub.catalog.find({ tenant: 'default', from: 0, until: hub.now });
      assert.ok(blocks.every((row) => row.batchIds.every((id) => id === 'c/sealed' || !id.includes('/'))));
      await checkAnswers(hub, rows, random, 20);
    } catch (error) {
      throw new Error(`repeat with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`, { cause: error });
    }
  }
  for (const step of ['split', 'close', 'seal', 'join'])
    assert.ok(stepsSeen.has(step), `no ${step} was seen`);
});

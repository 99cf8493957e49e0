// Hours that are over, merged by the deployed planner, its queue and the worker; then everything that keeps house. What
// schedules would say is said by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { HOUSEKEEPING, type HousekeepingEvent, type PlannerEvent } from '../../functions/environment.ts';
import { DELETION_GRACE_MS } from '../../pipeline/compact-blocks.ts';
import type { ListedBlock } from '../../pipeline/list-blocks.ts';
import { s3ObjectStore } from '../../storage/aws/s3-object-store.ts';
import { blocksPrefix, parseBlockKey } from '../../storage/names.ts';
import { MAX_LIST_LENGTH } from '../../storage/object-store.ts';
import { ageMarks } from './age-marks.ts';
import type { Lane } from './lane.ts';
import { BatchMaker } from './lane-batches.ts';
import { HOUR_MS, until } from './lane-hub.ts';

const SERVICE = 'archive';
const SELECTOR = `{service_name="${SERVICE}"}`;
const HOURS_AGO = [30, 3];
/** Each is a block in each hour, since the next begins when it is stored. */
const ROUNDS = 4;
const MINUTE_MS = 60_000;
/** Raw, 5 min, 1 h. */
const FAMILY = [0, 300, 3600];
const QUESTIONS = [
  ...['compaction status', 'compaction plan --all', 'block sweep --dry-run', 'block scrub', 'audit --stored'],
  ...['retention show', 'retention plan', 'retention deletions'],
];

/** Few blocks of many, the same answers, and no complaint of any task. */
export function compactionTests(open: () => Lane): void {
  const batches = new BatchMaker('a', SERVICE);
  const hours = HOURS_AGO.map((ago) => (Math.floor(Date.now() / HOUR_MS) - ago) * HOUR_MS);
  const samplesOf = new Map(hours.map((hour) => [hour, 0]));
  const wholeRange = { start: hours[0], end: hours[1] + HOUR_MS };

  test('hours that are over become families, and every total stays', async (t) => {
    const lane = open();
    for (let round = 0; round < ROUNDS; round++) {
      for (const hour of hours) {
        const { bytes, samples } = batches.next(hour + round * MINUTE_MS);
        await lane.send('a', bytes);
        samplesOf.set(hour, samplesOf.get(hour)! + samples);
      }
      await until(
        () => lane.totalOf(SELECTOR, wholeRange),
        (total) => total === batches.samples,
      );
    }
    const before = await blocksOf(lane);
    for (const hour of hours) assert.equal(ofHour(before, hour).length, ROUNDS);

    const planner = await lane.functionNamed('Compaction', 'CompactionPlanner');
    const { jobs } = await invoke<{ jobs: number }>(planner, { scope: 'recent' } satisfies PlannerEvent);
    assert.ok(jobs >= hours.length, `${jobs} jobs were sent`);
    const after = await until(() => blocksOf(lane), areFamilies);
    t.diagnostic(`${jobs} jobs; ${before.length} raw blocks became ${after.length}, coarse ones among them`);
    assert.ok(after.length < before.length);
    for (const { samples, minTime, blockId } of after)
      assert.equal(samples, samplesOf.get(hourOf(minTime)), blockId);
    await assertTotals(lane);
    const { out } = await lane.cli('compaction', 'status', '--output', 'json');
    assert.deepEqual(JSON.parse(out).quarantined, []);
  });

  test('every task of the housekeeper is done, and takes only away what was merged', async (t) => {
    const lane = open();
    const before = await blocksOf(lane);
    const merged = await ageMarks(lane.fresh.output('Data', 'TableName'), DELETION_GRACE_MS);
    assert.ok(merged.length >= ROUNDS * hours.length);
    assert.deepEqual(await storedOf(lane, merged), merged.toSorted());
    const housekeeper = await lane.functionNamed('Compaction', 'CompactionHousekeeper');
    for (const task of Object.keys(HOUSEKEEPING) as HousekeepingEvent['task'][]) {
      const startedAt = Date.now();
      assert.deepEqual(await invoke(housekeeper, { task }), { done: true }, task);
      t.diagnostic(`${task}: ${Date.now() - startedAt} ms`);
    }
    assert.deepEqual(await storedOf(lane, merged), []);
    assert.deepEqual(await blocksOf(lane), before);
    await assertTotals(lane);
  });

  test('administrators see how blocks are', async () => {
    const lane = open();
    for (const question of QUESTIONS) await lane.cli(...question.split(' '), '--output', 'json');
  });

  test('what was deleted is gone from answers at once', async () => {
    const lane = open();
    const [gone, stays] = hours;
    const range = ['--from', String(gone), '--until', String(gone + HOUR_MS)];
    await lane.cli('retention', 'delete', '--selector', SELECTOR, ...range, '--reason', 'test', '--yes');
    assert.equal(await lane.totalOf(SELECTOR, wholeRange), samplesOf.get(stays));
    const { out } = await lane.cli('retention', 'deletions', '--output', 'json');
    assert.equal(JSON.parse(out).deletions.length, 1);
  });

  function areFamilies(blocks: readonly ListedBlock[]): boolean {
    return hours.every((hour) => {
      const found = ofHour(blocks, hour).map(({ resolutionSeconds }) => resolutionSeconds);
      return found.sort((a, b) => a - b).join() === FAMILY.join();
    });
  }

  /** Of whole hours, which coarse blocks answer, and of a range that cuts them. */
  async function assertTotals(lane: Lane): Promise<void> {
    assert.equal(await lane.totalOf(SELECTOR, wholeRange), batches.samples);
    for (const [start, samples] of samplesOf)
      assert.equal(await lane.totalOf(SELECTOR, { start, end: start + HOUR_MS }), samples);
    const cut = { start: hours[0] + MINUTE_MS, end: wholeRange.end };
    assert.ok((await lane.totalOf(SELECTOR, cut)) < batches.samples);
  }
}

async function blocksOf(lane: Lane): Promise<ListedBlock[]> {
  const { out } = await lane.cli('block', 'ls', '--service', SERVICE, '--output', 'json');
  return JSON.parse(out).blocks;
}

/** Those of the blocks whose objects are there, by id. */
async function storedOf(lane: Lane, ids: readonly string[]): Promise<string[]> {
  const objects = s3ObjectStore(new S3Client({}), lane.fresh.output('Data', 'BucketName'));
  const page = await objects.list(blocksPrefix('default'), { limit: MAX_LIST_LENGTH });
  const stored = page.map(({ key }) => parseBlockKey(key)?.blockId);
  return ids.filter((id) => stored.includes(id)).sort();
}

function ofHour(blocks: readonly ListedBlock[], hour: number): ListedBlock[] {
  return blocks.filter(({ minTime }) => hourOf(minTime) === hour);
}

function hourOf(time: number): number {
  return Math.floor(time / HOUR_MS) * HOUR_MS;
}

/** Calls a function and waits for its answer. @throws Error with what it threw */
async function invoke<Answer>(name: string, event: object): Promise<Answer> {
  const command = new InvokeCommand({ FunctionName: name, Payload: Buffer.from(JSON.stringify(event)) });
  const { FunctionError, Payload } = await new LambdaClient({}).send(command);
  const text = Payload!.transformToString();
  if (FunctionError !== undefined) throw new Error(`${name} ended with ${FunctionError}: ${text}`);
  return JSON.parse(text);
}

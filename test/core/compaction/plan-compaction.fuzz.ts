// Laws of planning, over days of blocks that come in time, late, twice, and too late:
//   no block is in two jobs; limits hold; the order of rows does not matter
//   running plans until nothing is left to do comes to an end, however what comes out is cut
//   then every block of an hour that is over is in a family, and every one of a day past its seal is sealed
//   no batch of a service is ever in two families: what is summed once is not summed again
//   nothing that came is missing

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { familiesOf, isBatchId } from '../../../core/block/batch-table.ts';
import { DEFAULT_COMPACTION_RULES } from '../../../core/compaction/compaction-rules.ts';
import {
  type CompactionInput,
  type CompactionJob,
  isSealed,
} from '../../../core/compaction/plan-compaction.ts';
import { shardOf } from '../../../core/compaction/service-shard.ts';
import { property } from '../block/fixtures.ts';
import { planCompaction } from './plan-days.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RULES = {
  ...DEFAULT_COMPACTION_RULES,
  fanIn: 4,
  blocksMax: 20,
  bytesMax: 5000,
  rejoinBytesMax: 1500,
  resolutions: [
    { seconds: 300, from: 'close', joinMs: 0 },
    { seconds: 3600, from: 'close', joinMs: 0 },
    { seconds: 86_400, from: 'seal', joinMs: 4 * DAY },
  ],
} as const;
/** An hour of the test has some 10,000 bytes at most. */
const SMALL_RULES = { ...RULES, bytesMax: 1200, rejoinBytesMax: 300 };
type Rules = typeof RULES | typeof SMALL_RULES;

/** A block of the model, and what it holds: samples of a batch and service. */
interface ModelBlock extends CompactionInput {
  readonly rows: ReadonlyMap<string, ModelRow>;
}

interface ModelRow {
  readonly batch: string;
  readonly service: string;
  readonly time: number;
  readonly size: number;
}

const SERVICES = Array.from({ length: 9 }, (_, i) => `service-${i}`);

let serial = 0;

/** What a batch holds is the same however often it comes; some of it may be of the hour after that in which it starts. */
function rowsOf(batch: string, start: number): ModelRow[] {
  return SERVICES.flatMap((service, i) => {
    const digits = shardOf(`${batch} ${service}`) * 16 + shardOf(`${service} ${batch} ${i}`);
    if (digits % 3 > 0 && i !== shardOf(batch) % SERVICES.length) return [];
    return [{ batch, service, time: start + (digits % 4) * 30_000, size: 20 + digits }];
  });
}

function blockOf(
  rows: Iterable<ModelRow>,
  head: Pick<CompactionInput, 'level' | 'createdAt' | 'resolutionSeconds'> & {
    batchIds: readonly string[];
    startsBy: number;
  },
): ModelBlock {
  const { batchIds, startsBy, ...own } = head;
  const held = new Map([...rows].map((row) => [`${row.batch} ${row.service}`, row]));
  const times = [...held.values()].map(({ time }) => time);
  const services = [...new Set([...held.values()].map(({ service }) => service))].sort();
  return {
    ...own,
    blockId: `b${serial++}`,
    minTime: Math.min(startsBy, ...times),
    maxTime: Math.max(...times) + 10_000,
    // Merged blocks share symbols, so they shrink; the worst case is that they do not.
    size: [...held.values()].reduce((sum, { size }) => sum + size, 0),
    batchIds,
    datasets: services.map((service) => ({ service })),
    rows: held,
  };
}

/** Batches of one hour, from few numbers, so that some come twice. */
function fresh(random: () => number, time: number, createdAt: number): ModelBlock {
  const hour = Math.floor(time / HOUR);
  const batches = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
    const sequence = Math.floor(random() * 400);
    return { batch: `c/n/b${hour}/${sequence}`, start: hour * HOUR + sequence * 8_990 };
  });
  const rows = batches.flatMap(({ batch, start }) => rowsOf(batch, start));
  const batchIds = [...new Set(batches.map(({ batch }) => batch))];
  return blockOf(rows, {
    ...{ level: 0, createdAt, resolutionSeconds: 0, batchIds },
    startsBy: (hour + 1) * HOUR - 1,
  });
}

/** The catalog after a job, as the compactor would leave it; its output cut anywhere between services. */
function run(
  rows: readonly ModelBlock[],
  job: CompactionJob,
  now: number,
  random: () => number,
): ModelBlock[] {
  const gone = new Set([...job.blockIds, ...job.versionIds]);
  const inputs = job.blockIds.map((id) => rows.find((row) => row.blockId === id)!);
  const ids = [...new Set(inputs.flatMap((row) => row.batchIds))];
  const held = new Map(inputs.flatMap((row) => [...row.rows]));
  const startsBy = (Math.floor(inputs.at(-1)!.minTime / HOUR) + 1) * HOUR - 1;
  const cuts = random() < 0.3 ? 3 : 1;
  const partOf = ({ service }: ModelRow) =>
    `${shardOf(service, job.shards ?? 1)} ${Math.floor((SERVICES.indexOf(service) * cuts) / SERVICES.length)}`;
  const added = [...Map.groupBy(held.values(), partOf).values()].flatMap((part) => {
    const head = { level: job.level, createdAt: now, startsBy };
    const batchIds = job.step === 'seal' ? ['c/sealed'] : ids;
    const merged = blockOf(part, { ...head, resolutionSeconds: job.resolutionSeconds, batchIds });
    const versions = job.downsampleTo.map((seconds) => {
      const stepMs = seconds * 1000;
      const steps = part.map((row) => ({ ...row, time: Math.floor(row.time / stepMs) * stepMs, size: 2 }));
      const sources = ['c/sealed', merged.blockId];
      return blockOf(steps, { ...head, resolutionSeconds: seconds, batchIds: sources });
    });
    return [merged, ...versions];
  });
  return [...rows.filter((row) => !gone.has(row.blockId)), ...added];
}

function settle(rows: readonly ModelBlock[], now: number, random: () => number, rules: Rules): ModelBlock[] {
  let left = [...rows];
  for (let round = 0; ; round++) {
    assert.ok(round < 300, 'still planning after 300 rounds');
    const jobs = planCompaction(left, now, rules);
    if (jobs.length === 0) return left;
    checkJobs(left, jobs, now, rules);
    // Some groups rest, or die.
    const running = jobs.filter((_, i) => i === 0 || random() < 0.9);
    for (const job of running) {
      left = run(left, job, now, random);
      checkHeld(rows, left);
    }
    checkFamilies(left);
  }
}

const seen = { steps: new Set<string>(), shards: new Set<string>() };
const LENGTHS = { gather: HOUR, split: HOUR, close: HOUR, seal: DAY, join: 4 * DAY };

function checkJobs(
  rows: readonly ModelBlock[],
  jobs: readonly CompactionJob[],
  now: number,
  rules: Rules,
): void {
  const used = jobs.flatMap((job) => [...job.blockIds, ...job.versionIds]);
  assert.equal(new Set(used).size, used.length, 'a block is in two jobs');
  for (const job of jobs) {
    const inputs = job.blockIds.map((id) => rows.find((row) => row.blockId === id)!);
    assert.ok(
      inputs.every((row) => row.resolutionSeconds === job.resolutionSeconds && row.level < job.level),
    );
    const named = new Set(inputs.flatMap((row) => row.batchIds.filter(isBatchId))).size;
    const sharing = inputs.reduce((sum, row) => sum + row.batchIds.filter(isBatchId).length, 0) > named;
    if (!sharing && inputs.length > 1) {
      assert.ok(job.blockIds.length + job.versionIds.length <= rules.blocksMax);
      assert.ok(inputs.reduce((sum, row) => sum + row.size, 0) <= rules.bytesMax);
    }
    checkShards(job, inputs);
    const length = LENGTHS[job.step];
    assert.equal(new Set(inputs.map((row) => Math.floor(row.minTime / length))).size, 1);
    const end = (Math.floor(inputs[0]!.minTime / length) + 1) * length;
    if (job.step === 'close' || job.step === 'split') assert.ok(now >= end + rules.closeAfterMs);
    if (job.step === 'seal' || job.step === 'join') assert.ok(now >= end + rules.sealAfterMs);
  }
}

/** A job that is said to be of one shard is; a split leaves no block as it is; what is in a family is never split. */
function checkShards(job: CompactionJob, inputs: readonly ModelBlock[]): void {
  const shardsOf = ({ datasets }: ModelBlock, shards: number) =>
    new Set(datasets.map(({ service }) => shardOf(service, shards)));
  seen.steps.add(job.step);
  const [, shard, shards] = /\/(\d+)of(\d+)$/.exec(job.group) ?? [];
  if (shards !== undefined) {
    seen.shards.add(shards);
    for (const input of inputs) assert.deepEqual(shardsOf(input, Number(shards)), new Set([Number(shard)]));
  }
  assert.equal(job.shards !== undefined, job.step === 'split');
  if (job.shards === undefined) return;
  assert.ok(inputs.every((input) => shardsOf(input, job.shards!).size > 1));
  assert.deepEqual(job.versionIds, []);
}

/** A batch of a service is in one family at most, and what a downsampled block sums is there. */
function checkFamilies(rows: readonly ModelBlock[]): void {
  const raw = new Map(rows.filter((row) => row.resolutionSeconds === 0).map((row) => [row.blockId, row]));
  const families = new Set(
    rows.flatMap((row) => (row.resolutionSeconds > 0 ? familiesOf(row.batchIds) : [])),
  );
  const seen = new Set<string>();
  for (const family of families) {
    assert.ok(raw.has(family), 'a downsampled block outlives its raw one');
    for (const row of raw.get(family)!.rows.keys()) {
      assert.ok(!seen.has(row), `${row} is in two families`);
      seen.add(row);
    }
  }
}

/** Whatever was in a raw block before is in one now. */
function checkHeld(before: readonly ModelBlock[], after: readonly ModelBlock[]): void {
  const heldBy = (blocks: readonly ModelBlock[]) =>
    new Set(blocks.flatMap((row) => (row.resolutionSeconds === 0 ? [...row.rows.keys()] : [])));
  assert.deepEqual(heldBy(after), heldBy(before));
}

for (const [name, rules] of [
  ['plan', RULES],
  ['sharded plan', SMALL_RULES],
] as const) {
  test(`days of blocks, late and twice, come to rest as families: ${name}`, () =>
    property(name, (random) => {
      let rows: ModelBlock[] = [];
      const days = 1 + Math.floor(random() * 4);
      let now = 0;
      for (let step = 0; step < days * 4; step++) {
        now += Math.floor(random() * 12 * HOUR);
        for (let i = Math.floor(random() * 25); i > 0; i--) {
          const age = random() < 0.7 ? random() * HOUR : random() * 72 * HOUR;
          rows.push(fresh(random, Math.max(0, Math.floor(now - age)), now));
        }
        if (random() < 0.8) rows = settle(rows, now, random, rules);
      }
      const last = now;
      // What is late waits, what comes of a split waits again, and what it pulls out of rest may have to be split once more.
      for (const end = now + 6 * rules.closeAfterMs; now < end; now += rules.closeAfterMs)
        rows = settle(rows, now, random, rules);
      const closed = new Set(
        rows.flatMap((row) => (row.resolutionSeconds > 0 ? familiesOf(row.batchIds) : [])),
      );
      for (const row of rows.filter(({ resolutionSeconds }) => resolutionSeconds === 0)) {
        const isOver = last >= (Math.floor(row.minTime / HOUR) + 1) * HOUR + rules.closeAfterMs;
        assert.ok(!isOver || closed.has(row.blockId), 'a block of an hour that is over is in no family');
      }
      now += 5 * DAY + rules.sealAfterMs;
      rows = settle(rows, now, random, rules);
      assert.ok(rows.every(isSealed));
    }));
}

test('the runs above had every step, and shards of several sizes', () => {
  assert.deepEqual([...seen.steps].sort(), ['close', 'gather', 'join', 'seal', 'split']);
  assert.ok(seen.shards.has('2') && seen.shards.has('4') && seen.shards.has('8'), [...seen.shards].join());
});

test('the order of rows does not matter', () =>
  property('order', (random) => {
    const rows = Array.from({ length: Math.floor(random() * 100) }, () =>
      fresh(random, Math.floor(random() * 5 * HOUR), 0),
    );
    const now = Math.floor(random() * 6 * HOUR);
    const rules = random() < 0.5 ? RULES : SMALL_RULES;
    assert.deepEqual(planCompaction([...rows].reverse(), now, rules), planCompaction(rows, now, rules));
  }));

const whole = () => 1;
const steady = (value: number) => () => value;

test('a late block joins the family of its hour, as soon as it waited a while', () => {
  const now = 2 * HOUR;
  let rows = settle([fresh(steady(0.5), 1000, now)], now, whole, RULES);
  const families = () => rows.filter((row) => row.resolutionSeconds === 0);
  rows = settle([...rows, fresh(steady(0.1), 2000, now)], now, whole, RULES);
  assert.equal(families().length, 2);
  rows = settle(rows, now + RULES.closeAfterMs, whole, RULES);
  assert.equal(families().length, 1);
  assert.equal(rows.length, 3);
});

test('ranges of many sealed days become one block of the coarsest resolution', () => {
  let rows = Array.from({ length: 4 }, (_, day) => fresh(steady(0.25), day * DAY + 5000, day * DAY));
  rows = settle(rows, 4 * DAY + RULES.sealAfterMs, whole, RULES);
  const byResolution = Map.groupBy(rows, (row) => row.resolutionSeconds);
  assert.deepEqual(
    [...byResolution].map(([seconds, ofIt]) => [seconds, ofIt.length]).sort(([a], [b]) => a! - b!),
    [
      [0, 4],
      [300, 4],
      [3600, 4],
      [86_400, 1],
    ],
  );
  assert.equal(familiesOf(byResolution.get(86_400)![0]!.batchIds).length, 4);
});

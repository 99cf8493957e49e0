// Laws of planning, over days of blocks that come in time, late, twice, and too late:
//   no block is in two jobs; limits hold; the order of rows does not matter
//   running plans until nothing is left to do comes to an end, whatever the sizes of what comes out
//   then every block of an hour that is over is in a family, and every one of a day past its seal is sealed
//   no batch is ever in two families: what is summed once is not summed again

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { familiesOf, isBatchId } from '../../../core/block/batch-table.ts';
import { DEFAULT_COMPACTION_RULES } from '../../../core/compaction/compaction-rules.ts';
import {
  type CompactionInput,
  type CompactionJob,
  isSealed,
  planCompaction,
} from '../../../core/compaction/plan-compaction.ts';
import { property } from '../block/fixtures.ts';

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

let serial = 0;

function fresh(random: () => number, minTime: number, createdAt: number): CompactionInput {
  const batches = 1 + Math.floor(random() * 3);
  return {
    blockId: `b${serial++}`,
    level: 0,
    resolutionSeconds: 0,
    minTime,
    maxTime: minTime + 60_000,
    size: 1 + Math.floor(random() * 800),
    createdAt,
    // Few sequences, so that batches come twice.
    batchIds: Array.from({ length: batches }, () => {
      const sequence = Math.floor(random() * 400);
      return `c/n/${Math.floor(minTime / HOUR)}/${sequence}`;
    }),
  };
}

/** The catalog after a job, as the compactor would leave it. */
function run(rows: readonly CompactionInput[], job: CompactionJob, now: number): CompactionInput[] {
  const gone = new Set([...job.blockIds, ...job.versionIds]);
  const inputs = job.blockIds.map((id) => rows.find((row) => row.blockId === id)!);
  const ids = [...new Set(inputs.flatMap((row) => row.batchIds))];
  const merged: CompactionInput = {
    blockId: `m${serial++}`,
    level: job.level,
    resolutionSeconds: job.resolutionSeconds,
    minTime: Math.min(...inputs.map((row) => row.minTime)),
    maxTime: Math.max(...inputs.map((row) => row.maxTime)),
    // Merged blocks share symbols, so they shrink; the worst case is that they do not.
    size: inputs.reduce((sum, row) => sum + row.size, 0),
    createdAt: now,
    batchIds: job.step === 'seal' ? ['c/sealed'] : ids,
  };
  const versions = job.downsampleTo.map((seconds) => ({
    ...merged,
    blockId: `v${serial++}`,
    resolutionSeconds: seconds,
    minTime: Math.floor(merged.minTime / (seconds * 1000)) * seconds * 1000,
    size: Math.ceil(merged.size / 10),
    batchIds: ['c/sealed', merged.blockId],
  }));
  return [...rows.filter((row) => !gone.has(row.blockId)), merged, ...versions];
}

function settle(rows: readonly CompactionInput[], now: number): CompactionInput[] {
  let left = [...rows];
  for (let round = 0; ; round++) {
    assert.ok(round < 300, 'still planning after 300 rounds');
    const jobs = planCompaction(left, now, RULES);
    if (jobs.length === 0) return left;
    checkJobs(left, jobs, now);
    for (const job of jobs) left = run(left, job, now);
    checkFamilies(left);
  }
}

function checkJobs(rows: readonly CompactionInput[], jobs: readonly CompactionJob[], now: number): void {
  const used = jobs.flatMap((job) => [...job.blockIds, ...job.versionIds]);
  assert.equal(new Set(used).size, used.length, 'a block is in two jobs');
  for (const job of jobs) {
    const inputs = job.blockIds.map((id) => rows.find((row) => row.blockId === id)!);
    assert.ok(
      inputs.every((row) => row.resolutionSeconds === job.resolutionSeconds && row.level < job.level),
    );
    const isBound = new Set(inputs.flatMap((row) => row.batchIds.filter(isBatchId))).size;
    const sharing = inputs.reduce((sum, row) => sum + new Set(row.batchIds).size, 0) > isBound;
    if (!sharing) {
      assert.ok(used.length === 0 || job.blockIds.length + job.versionIds.length <= RULES.blocksMax);
      assert.ok(inputs.length === 1 || inputs.reduce((sum, row) => sum + row.size, 0) <= RULES.bytesMax);
    }
    const length = { gather: HOUR, close: HOUR, seal: DAY, join: 4 * DAY }[job.step];
    assert.equal(new Set(inputs.map((row) => Math.floor(row.minTime / length))).size, 1);
    const end = (Math.floor(inputs[0]!.minTime / length) + 1) * length;
    if (job.step === 'close') assert.ok(now >= end + RULES.closeAfterMs);
    if (job.step === 'seal' || job.step === 'join') assert.ok(now >= end + RULES.sealAfterMs);
  }
}

/** A batch is in one family at most, and what a downsampled block sums is there. */
function checkFamilies(rows: readonly CompactionInput[]): void {
  const raw = new Map(rows.filter((row) => row.resolutionSeconds === 0).map((row) => [row.blockId, row]));
  const families = new Set(
    rows.flatMap((row) => (row.resolutionSeconds > 0 ? familiesOf(row.batchIds) : [])),
  );
  const seen = new Set<string>();
  for (const family of families) {
    assert.ok(raw.has(family), 'a downsampled block outlives its raw one');
    for (const id of raw.get(family)!.batchIds.filter(isBatchId)) {
      assert.ok(!seen.has(id), `batch ${id} is in two families`);
      seen.add(id);
    }
  }
}

test('days of blocks, late and twice, come to rest as families', () =>
  property('plan', (random) => {
    let rows: CompactionInput[] = [];
    const days = 1 + Math.floor(random() * 6);
    let now = 0;
    for (let step = 0; step < days * 4; step++) {
      now += Math.floor(random() * 12 * HOUR);
      for (let i = Math.floor(random() * 25); i > 0; i--) {
        const age = random() < 0.7 ? random() * HOUR : random() * 72 * HOUR;
        rows.push(fresh(random, Math.max(0, Math.floor(now - age)), now));
      }
      if (random() < 0.8) rows = settle(rows, now);
    }
    rows = settle(rows, now);
    rows = settle(rows, now + RULES.closeAfterMs);
    now += RULES.closeAfterMs;
    const closed = new Set(
      rows.flatMap((row) => (row.resolutionSeconds > 0 ? familiesOf(row.batchIds) : [])),
    );
    for (const row of rows.filter(({ resolutionSeconds }) => resolutionSeconds === 0)) {
      const isOver = now >= (Math.floor(row.minTime / HOUR) + 1) * HOUR + RULES.closeAfterMs;
      assert.ok(!isOver || closed.has(row.blockId), 'a block of an hour that is over is in no family');
    }
    now += 5 * DAY + RULES.sealAfterMs;
    rows = settle(rows, now);
    assert.ok(rows.every(isSealed));
    const coarsest = rows.filter((row) => row.resolutionSeconds === 86_400);
    assert.ok(coarsest.every((row, i) => i === 0 || row !== coarsest[i - 1]));
  }));

test('the order of rows does not matter', () =>
  property('order', (random) => {
    const rows = Array.from({ length: Math.floor(random() * 100) }, () =>
      fresh(random, Math.floor(random() * 5 * HOUR), 0),
    );
    const now = Math.floor(random() * 6 * HOUR);
    assert.deepEqual(planCompaction([...rows].reverse(), now, RULES), planCompaction(rows, now, RULES));
  }));

test('a late block joins the family of its hour, as soon as it waited a while', () => {
  const random = () => 0.5;
  const now = 2 * HOUR;
  let rows = settle([fresh(random, 1000, now)], now);
  const families = () => rows.filter((row) => row.resolutionSeconds === 0);
  rows = settle([...rows, { ...fresh(random, 2000, now), batchIds: ['c/n/late/1'] }], now);
  assert.equal(families().length, 2);
  rows = settle(rows, now + RULES.closeAfterMs);
  assert.equal(families().length, 1);
  assert.equal(rows.length, 3);
});

test('ranges of many sealed days become one block of the coarsest resolution', () => {
  const random = () => 0.25;
  let rows = Array.from({ length: 4 }, (_, day) => fresh(random, day * DAY + 5000, day * DAY));
  rows = settle(rows, 4 * DAY + RULES.sealAfterMs);
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

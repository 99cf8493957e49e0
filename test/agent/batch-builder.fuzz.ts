// Conservation: whatever windows come, with whatever rules and limits, the batches' kept, dropped and lost sum up to
// what the engine took and the kernel lost, every batch holds exactly the samples that it says, and no row of a batch
// passes for a duplicate of another. No batch spans two hours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchBuilder } from '../../agent/batch-builder.ts';
import { parseDropRules } from '../../agent/drop-rules.ts';
import { ProcessLabels } from '../../agent/naming/process-labels.ts';
import { Spool } from '../../agent/spool/spool.ts';
import { batchIdOf } from '../../core/batch/batch-origin.ts';
import { BlockReader, bytesSource } from '../../core/block/block-reader.ts';
import { labelsKey, labelValue } from '../../core/labels/labels.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { fuzzRuns, seededRandom, wholeBetween } from './seeded-random.ts';
import { SimulatedFs } from './simulated-fs.ts';
import { makeWindow } from './windows.ts';

const WINDOW_MS = 10_000;
const PERIOD_NS = 52_631_578n;

async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const log = () => {};
  const options = { folder: '/spool', bootId: 'boot', bytesMax: 1e9, ageMaxMs: 1e9, log };
  const spool = new Spool({ fs: new SimulatedFs(random), ...options });
  const node = { cluster: 'c', node: 'n', engine: 'perf' };
  const builder = new BatchBuilder({
    origin: { ...node, bootId: 'boot', agentVersion: '1' },
    labels: new ProcessLabels({
      node,
      containers: { find: () => undefined },
      now: () => 0,
      argumentsOf: () => [],
    }),
    drop: parseDropRules(random() < 0.5 ? 'service_name=p3*' : ''),
    spool,
    codec: zstdCodec,
    now: () => 1e12,
    log,
    seriesMax: random() < 0.5 ? 4 : 2000,
    bytesTarget: random() < 0.5 ? 1_500 : undefined,
  });
  const expected = { taken: 0, lost: 0, sent: 0 };
  // A few windows before an hour is over.
  let startMs = 1_700_002_800_000 - wholeBetween(random, 0, 8) * WINDOW_MS;
  for (let i = 0; i < wholeBetween(random, 1, 8); i++) {
    // Sometimes the same window comes in two parts, as after a restart of the engine.
    if (random() < 0.8) startMs += WINDOW_MS;
    const shape = {
      startMs,
      windowMs: WINDOW_MS,
      processes: wholeBetween(random, 0, 9),
      stacks: 6,
      depth: 12,
    };
    const window = makeWindow(random, shape);
    for (const bytes of window.profiles) builder.addProfiles(bytes);
    const isCrash = random() < 0.1;
    builder.closeWindow(isCrash ? undefined : window.status);
    expected.taken += isCrash ? window.kept : window.status.taken;
    expected.lost += isCrash ? 0 : window.status.lost;
    expected.sent += window.kept;
    if (random() < 0.4) builder.flush();
  }
  builder.flush();
  const { counters } = builder;
  assert.equal(counters.taken, expected.taken);
  assert.equal(counters.taken, counters.kept + counters.dropped);
  assert.equal(counters.kept + counters.droppedByRules, expected.sent);
  const said = await readBatches(spool);
  const { taken, lost } = spool.unreported;
  assert.deepEqual(
    { taken: said.taken + taken, lost: said.lost + lost, kept: said.kept },
    { taken: expected.taken, lost: expected.lost, kept: counters.kept },
  );
}

async function readBatches(spool: Spool): Promise<{ taken: number; lost: number; kept: number }> {
  const said = { taken: 0, lost: 0, kept: 0 };
  let sequence = 0;
  for (let batch = spool.peek(); batch !== undefined; batch = spool.peek()) {
    const block = await BlockReader.open(bytesSource(batch.payload), zstdCodec);
    const origin = block.directory.origin!;
    assert.equal(origin.sequence, ++sequence);
    assert.equal(origin.taken, origin.kept + origin.dropped);
    assert.deepEqual(await block.batchIds(), [batchIdOf(origin)]);
    said.taken += origin.taken;
    said.lost += origin.lost;
    said.kept += await checkRows(block, origin.kept);
    spool.acknowledge(batch.header.ordinal);
  }
  return said;
}

const hourOf = (timeMs: number) => Math.floor(timeMs / 3_600_000);

/** Every row is known by its series, profile type and window, and is worth its samples' periods. */
async function checkRows(block: BlockReader, kept: number): Promise<number> {
  let samples = 0;
  for (const entry of block.directory.datasets) {
    const dataset = await block.dataset(entry);
    for (const [type, rows] of dataset.types) {
      const seen = new Set<string>();
      for (let row = 0; row < rows.count; row++) {
        const labels = dataset.labelSets[rows.series[row]!]!;
        assert.equal(labelValue(labels, 'service_name'), entry.service);
        assert.equal(labelValue(labels, 'cluster'), 'c');
        assert.equal(hourOf(rows.start[row]!), hourOf(block.directory.origin!.firstWindow), 'one hour');
        const key = `${type}|${rows.start[row]}|${labelsKey(labels)}`;
        assert.ok(!seen.has(key), `two rows are ${key}`);
        seen.add(key);
        const value = BigInt(rows.total[row]!) * BigInt(rows.scale[row]!);
        assert.equal(value, BigInt(rows.samples[row]!) * PERIOD_NS);
        samples += rows.samples[row]!;
      }
    }
  }
  assert.equal(samples, kept);
  return kept;
}

test('no sample is lost or made up on the way into batches', async () => {
  const { seed, runs } = fuzzRuns(150);
  for (let i = 0; i < runs; i++) {
    try {
      await simulate(seed + i);
    } catch (error) {
      throw new Error(`CINDERBLOCK_SEED=${seed + i}: ${(error as Error).message}`, { cause: error });
    }
  }
});

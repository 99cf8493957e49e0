import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { labelsOf } from '../core/labels/labels.ts';
import { encodePprof } from '../core/pprof/encode-pprof.ts';
import { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import type { Hub } from '../pipeline/hub.ts';
import { ingestPprof } from '../pipeline/ingest-profiles.ts';
import { processBatches } from '../pipeline/process-batches.ts';
import { Fleet, FleetDataset } from './fleet.ts';
import { costOf } from './measure.ts';
import { openBenchHub } from './query-process.ts';
import type { Report } from './report.ts';

const NOW = 1_760_000_000_000;
/** Raw bytes pushed per profile and measurement. */
const PUSHED_BYTES = 96_000_000;
const ROUND_BYTES = 12_000_000;
/** Rounds before the clock starts: a server runs for weeks, and its first second is spent compiling JavaScript. */
const WARM_ROUNDS = 8;

/** What a pushed profile costs on its way from HTTP body to durable block: inflate, decode, queue, merge, write, publish. */
export async function benchIngest(report: Report, corpus: string | undefined): Promise<void> {
  const profiles = corpus === undefined ? [] : corpusProfiles(join(corpus, 'pprof'));
  profiles.push({ name: 'window of the made-up fleet', gzipped: gzipSync(fleetProfile()) });
  await reportPushes(report, profiles, FEW);
  await reportPushes(report, profiles, MANY, { least: 80 });
}

async function reportPushes(
  report: Report,
  profiles: readonly { name: string; gzipped: Uint8Array }[],
  underWay: number,
  target?: { least: number },
): Promise<void> {
  const speeds: number[] = [];
  for (const { name, gzipped } of profiles) {
    const { speed, wallSpeed } = await measure(gzipped, underWay);
    speeds.push(speed);
    report.add({
      name: `push ${name}, ${underWay} at once`,
      value: speed,
      unit: 'MB/s of raw pprof per core',
      note: `${wallSpeed.toFixed(0)} MB/s of wall clock, disk included`,
    });
  }
  const mean = Math.exp(speeds.reduce((sum, speed) => sum + Math.log(speed), 0) / speeds.length);
  report.add({
    name: `push, ${underWay} at once, geometric mean`,
    value: mean,
    unit: 'MB/s of raw pprof per core',
    target,
  });
}

function corpusProfiles(folder: string): { name: string; gzipped: Uint8Array }[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.pb.gz'))
    .sort()
    .map((name) => ({ name, gzipped: readFileSync(join(folder, name)) }));
}

/** One window of one pod as an SDK would send it. */
function fleetProfile(): Uint8Array {
  const fleet = new Fleet();
  const dataset = new DatasetBuilder(fleet.service);
  fleet.addWindow(new FleetDataset(dataset, fleet.paths), 0, 0, NOW);
  const rows = dataset.rowsOf(fleet.profileType);
  const values = new Float64Array(dataset.symbols.stacks.count);
  for (let i = 0; i < rows.entryCount; i++) values[rows.stacks[i]!] = rows.values[i]!;
  return encodePprof({
    symbols: dataset.symbols,
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    values: [values],
    scale: [rows.scale[0]!],
    timeNanos: BigInt(NOW) * 1_000_000n,
    durationNanos: BigInt(fleet.windowMs) * 1_000_000n,
  });
}

async function measure(gzipped: Uint8Array, underWay: number): Promise<{ speed: number; wallSpeed: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-bench-'));
  const { hub, close } = await openBenchHub(folder, NOW + 60_000);
  try {
    await hub.registry.createCluster({
      cluster: 'bench',
      displayName: 'bench',
      status: 'active',
      createdAt: NOW,
    });
    const rawLength = gunzipSync(gzipped).length;
    const perRound = Math.min(400, Math.max(1, Math.round(ROUND_BYTES / rawLength)));
    for (let i = 0; i < WARM_ROUNDS; i++) await pushRound(hub, gzipped, perRound, underWay);
    const rounds = Math.max(1, Math.round(PUSHED_BYTES / (perRound * rawLength)));
    const { ms, cpuMs } = await costOf(async () => {
      for (let i = 0; i < rounds; i++) await pushRound(hub, gzipped, perRound, underWay);
    });
    const megabytes = (rounds * perRound * rawLength) / 1e6;
    return { speed: megabytes / (cpuMs / 1000), wallSpeed: megabytes / (ms / 1000) };
  } finally {
    await close();
    rmSync(folder, { recursive: true });
  }
}

/** Pushes under way at once: they are stored together, so the more there are, the less each costs. */
const FEW = 16;
const MANY = 64;

/** Pushes as requests come, then processes what is queued, as the scheduler does. */
async function pushRound(hub: Hub, gzipped: Uint8Array, pushes: number, underWay: number): Promise<void> {
  let next = 0;
  const client = async () => {
    while (next < pushes) {
      const labels = labelsOf([
        ['pod', `pod-${next++ % 20}`],
        ['service_name', 'shop'],
      ]);
      const profile = { labels, bytes: gzipped, startMs: NOW, endMs: NOW + 10_000 };
      await ingestPprof(hub, { cluster: 'bench', profiles: [profile] });
    }
  };
  await Promise.all(Array.from({ length: underWay }, client));
  while ((await processBatches(hub)).batches > 0);
  const { visible, inFlight, dead } = await hub.queue.depth();
  if (visible + inFlight + dead > 0) throw new Error(`${visible + inFlight + dead} batches were not stored`);
}

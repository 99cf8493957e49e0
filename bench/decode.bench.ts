import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { encodePprof } from '../core/pprof/encode-pprof.ts';
import { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import { Fleet, FleetDataset } from './fleet.ts';
import type { Report } from './report.ts';

// One operation is the same on all sides: parse K raw (ungzipped) pprof profiles and merge them into one. Every side is a
// process of its own; times are its CPU times, garbage collection included. Rounds of both sides alternate, and the
// cheapest of each counts, so that a busy machine changes the ratio little.
//   google/pprof: profile.ParseUncompressed of each, then profile.Merge, in Go on one thread (peer/go-pprof)
//   pprof-format: Profile.decode of each; it has no merge, so it does less than we do (decode-process.ts)
//   ours: addPprof of each into one new DatasetBuilder (decode-process.ts)

const NOW = 1_760_000_000_000;
/** Profiles per merge: few enough that most of the work is a first sight for profiles of ten processes. */
const COPIES = 10;
const ROUNDS = 2;
const ROUND_SECONDS = 0.4;

interface RawProfile {
  readonly name: string;
  readonly raw: Uint8Array;
}

/** What decoding and merging pprof costs, beside google/pprof in Go and pprof-format from npm. */
export async function benchDecode(report: Report, corpus: string | undefined): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-bench-'));
  try {
    const peer = buildPeer(folder);
    if (peer === undefined) console.log('no Go here: google/pprof is left out');
    const profiles = [...corpusProfiles(corpus), fleetProfile()];
    reportCopies(report, profiles, folder, peer);
    reportSingle(report, profiles, folder, peer);
    reportSeries(report, profiles, folder, peer);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** K copies of each profile: replicas of one program. */
function reportCopies(
  report: Report,
  profiles: RawProfile[],
  folder: string,
  peer: string | undefined,
): void {
  const ratios: number[] = [];
  const speeds: number[] = [];
  const formatRatios: number[] = [];
  for (const { name, raw } of profiles) {
    const { own, go, format } = compare(new Array<Uint8Array>(COPIES).fill(raw), folder, peer);
    formatRatios.push(format / own);
    speeds.push((raw.length * COPIES) / own / 1e6);
    if (go !== undefined) ratios.push(go / own);
    report.add({
      name: `decode and merge ${COPIES} × ${name} (${(raw.length / 1000).toFixed(0)} kB)`,
      value: (own / COPIES) * 1e6,
      unit: 'µs per profile',
      ...(go === undefined ? {} : { peer: { name: 'google/pprof', value: (go / COPIES) * 1e6 } }),
      note: `pprof-format, decode alone: ${((format / COPIES) * 1e6).toFixed(0)} µs`,
    });
  }
  report.add({
    name: 'decode and merge, geometric mean',
    value: geometricMean(speeds),
    unit: 'MB/s of raw pprof',
  });
  if (ratios.length > 0) {
    report.add({
      name: `speed beside google/pprof, ${COPIES} profiles per merge, geometric mean`,
      value: geometricMean(ratios),
      unit: '×',
      target: { least: 6 },
    });
  }
  report.add({
    name: 'speed beside pprof-format, geometric mean',
    value: geometricMean(formatRatios),
    unit: '×',
  });
}

/** One profile into an empty dataset: nothing is known yet, and setting up tables counts fully. */
function reportSingle(
  report: Report,
  profiles: RawProfile[],
  folder: string,
  peer: string | undefined,
): void {
  const ratios: number[] = [];
  const speeds: number[] = [];
  for (const { raw } of profiles) {
    const { own, go } = compare([raw], folder, peer);
    speeds.push(raw.length / own / 1e6);
    if (go !== undefined) ratios.push(go / own);
  }
  report.add({
    name: 'decode one profile alone, geometric mean',
    value: geometricMean(speeds),
    unit: 'MB/s of raw pprof',
  });
  if (ratios.length > 0)
    report.add({
      name: 'speed beside google/pprof, one profile alone',
      value: geometricMean(ratios),
      unit: '×',
    });
}

/** Consecutive profiles of one process, all different, as a processor merges them. */
function reportSeries(
  report: Report,
  profiles: RawProfile[],
  folder: string,
  peer: string | undefined,
): void {
  const series = profiles.filter(({ name }) => /^\d+$/.test(name)).map(({ raw }) => raw);
  if (series.length < 2) return;
  const { own, go } = compare(series, folder, peer);
  report.add({
    name: `decode and merge ${series.length} consecutive profiles of one process`,
    value: (own / series.length) * 1e6,
    unit: 'µs per profile',
    ...(go === undefined ? {} : { peer: { name: 'google/pprof', value: (go / series.length) * 1e6 } }),
  });
}

/** CPU seconds of one operation over these profiles, on all sides. */
interface Comparison {
  readonly own: number;
  readonly format: number;
  readonly go: number | undefined;
}

function compare(raws: Uint8Array[], folder: string, peer: string | undefined): Comparison {
  const files = raws.map((raw, i) => {
    const file = join(folder, `${i}.pb`);
    writeFileSync(file, raw);
    return file;
  });
  let own = Number.POSITIVE_INFINITY;
  let go = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    if (peer !== undefined) go = Math.min(go, secondsOf(peer, [], files));
    own = Math.min(own, secondsOf(process.execPath, [DECODE_PROCESS, 'cinderblock'], files));
  }
  const format = secondsOf(process.execPath, [DECODE_PROCESS, 'pprof-format'], files);
  return { own, format, go: peer === undefined ? undefined : go };
}

const DECODE_PROCESS = join(import.meta.dirname, 'decode-process.ts');

function secondsOf(program: string, args: string[], files: string[]): number {
  const output = execFileSync(program, [...args, String(ROUND_SECONDS), ...files], { encoding: 'utf8' });
  return Number(output);
}

/** Builds the Go program; undefined when Go, or the module it pins, is not to be had. */
function buildPeer(folder: string): string | undefined {
  const binary = join(folder, 'go-pprof');
  try {
    const cwd = join(import.meta.dirname, 'peer', 'go-pprof');
    execFileSync('go', ['build', '-o', binary, '.'], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
    return binary;
  } catch {
    return undefined;
  }
}

function corpusProfiles(corpus: string | undefined): RawProfile[] {
  if (corpus === undefined) return [];
  const folder = join(corpus, 'pprof');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pb.gz'))
    .sort()
    .map((name) => ({ name: basename(name, '.pb.gz'), raw: gunzipSync(readFileSync(join(folder, name))) }));
}

/** One window of one pod of the made-up fleet, so that there is something to decode without a corpus. */
function fleetProfile(): RawProfile {
  const fleet = new Fleet();
  const dataset = new DatasetBuilder(fleet.service);
  fleet.addWindow(new FleetDataset(dataset, fleet.paths), 0, 0, NOW);
  const rows = dataset.rowsOf(fleet.profileType);
  const values = new Float64Array(dataset.symbols.stacks.count);
  for (let i = 0; i < rows.entryCount; i++) values[rows.stacks[i]!] = rows.values[i]!;
  const raw = encodePprof({
    symbols: dataset.symbols,
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    values: [values],
    scale: [rows.scale[0]!],
    timeNanos: BigInt(NOW) * 1_000_000n,
    durationNanos: 15_000_000_000n,
  });
  return { name: 'window of the made-up fleet', raw };
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

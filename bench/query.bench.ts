import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BlockReader, bytesSource } from '../core/block/block-reader.ts';
import type { WrittenBlock } from '../core/block/block-writer.ts';
import { mergeBlocks } from '../core/block/merge-blocks.ts';
import type { Hub } from '../pipeline/hub.ts';
import { publishBlock } from '../pipeline/process-batches.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { Fleet } from './fleet.ts';
import { openBenchHub, type QueryMeasurement } from './query-process.ts';
import type { Report } from './report.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const END = Math.floor(1_760_000_000_000 / HOUR_MS) * HOUR_MS;
const HOURS = 24;
const RUNS = 7;

/** Flame graphs and timelines over 20 pods with windows of 15 seconds, from files on disk. */
export async function benchQuery(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-bench-'));
  try {
    const young = join(folder, 'young');
    const compacted = join(folder, 'compacted');
    const fleet = new Fleet();
    await layOut(fleet, young, 1, false);
    await layOut(fleet, compacted, HOURS, true);
    await reportQuery(report, fleet, '1 hour in 60 one-minute blocks', young, 1, 150);
    await reportQuery(report, fleet, '1 hour, compacted as it grew', compacted, 1, 150);
    await reportQuery(report, fleet, '24 hours, hourly blocks', compacted, HOURS, 600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Stores the last `hours`: whole hours as one block each; the youngest hour as one-minute blocks, and compacted as the
 * planner leaves it, the first 48 minutes in blocks of twelve.
 */
async function layOut(fleet: Fleet, folder: string, hours: number, compact: boolean): Promise<void> {
  const { hub, close } = await openBenchHub(folder, END);
  for (let start = END - hours * HOUR_MS; start < END - HOUR_MS; start += HOUR_MS) {
    const parts = levelZeros(fleet, start, start + HOUR_MS, 5 * MINUTE_MS);
    await publishBlock(hub, await merged(`hour-${start}`, parts));
  }
  const minutes = levelZeros(fleet, END - HOUR_MS, END, MINUTE_MS);
  if (compact) for (let i = 0; i < 4; i++) await publishMerged(hub, minutes.splice(0, 12));
  for (const minute of minutes) await publishBlock(hub, minute);
  await close();
}

type Block = WrittenBlock & { batchIds: string[] };

function levelZeros(fleet: Fleet, start: number, end: number, step: number): Block[] {
  const blocks: Block[] = [];
  for (let at = start; at < end; at += step) blocks.push(fleet.levelZero(`L0-${at}`, 'bench', at, at + step));
  return blocks;
}

async function publishMerged(hub: Hub, parts: readonly Block[]): Promise<void> {
  await publishBlock(hub, await merged(`L1-${parts[0]!.directory.minTime}`, parts));
}

async function merged(blockId: string, parts: readonly Block[]): Promise<Block> {
  const readers = await Promise.all(
    parts.map(({ bytes }) => BlockReader.open(bytesSource(bytes), zstdCodec)),
  );
  return mergeBlocks(readers, { blockId, tenant: 'bench', level: 1, resolutionSeconds: 0 }, zstdCodec);
}

async function reportQuery(
  report: Report,
  fleet: Fleet,
  name: string,
  folder: string,
  hours: number,
  most: number,
): Promise<void> {
  const { first, later, timeline, gets, bytes, blocks, samples, nodes, peakRssBytes } =
    await measureInProcess(fleet, folder, END - hours * HOUR_MS, END);
  const work = `${blocks} blocks, ${(samples / 1e6).toFixed(1)} million samples, ${nodes} nodes, ${later.cpuMs.toFixed(0)} ms of CPU`;
  report.add({ name: `flame graph, ${name}`, value: later.ms, unit: 'ms', target: { most }, note: work });
  report.add({
    name: `flame graph, ${name}, first query of a process`,
    value: first.ms,
    unit: 'ms',
    note: `${first.cpuMs.toFixed(0)} ms of CPU, compiling included`,
  });
  report.add({ name: `timeline, ${name}`, value: timeline.ms, unit: 'ms' });
  report.add({ name: `reads, ${name}`, value: gets, unit: 'GETs', note: `${(bytes / 1e6).toFixed(1)} MB` });
  report.add({ name: `peak memory, ${name}`, value: peakRssBytes / 2 ** 20, unit: 'MiB' });
}

/** Queries over [start, end) of what lies in the folder, in a process that has done nothing else. */
export async function measureInProcess(
  fleet: Fleet,
  folder: string,
  start: number,
  end: number,
): Promise<QueryMeasurement> {
  const script = new URL('./query-process.ts', import.meta.url).pathname;
  const args = [folder, fleet.service, fleet.profileType, start, end, RUNS].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    script,
    ...args,
  ]);
  return JSON.parse(stdout);
}

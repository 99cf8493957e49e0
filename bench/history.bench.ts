import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockReader, bytesSource } from '../core/block/block-reader.ts';
import { BlockWriter } from '../core/block/block-writer.ts';
import type { BlockDataset, BlockRows } from '../core/block/window-spread.ts';
import { type CompactionReport, compactBlocks } from '../pipeline/compact-blocks.ts';
import type { Hub } from '../pipeline/hub.ts';
import { publishBlock } from '../pipeline/process-batches.ts';
import { blockKey } from '../storage/names.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { Fleet, seededRandom } from './fleet.ts';
import { costOf } from './measure.ts';
import { measureInProcess } from './query.bench.ts';
import { openBenchHub } from './query-process.ts';
import type { Report } from './report.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START = Math.floor(1_760_000_000_000 / DAY_MS) * DAY_MS;
const DAYS = 300;
const END = START + DAYS * DAY_MS;
const TENANT = 'bench';

/**
 * A day of 20 pods is compacted hour by hour and sealed. Then it is repeated for ten months, its coarse versions with
 * values of their own each day (equal days would compress to nothing), and months are joined. Raw and 5-minute versions
 * are there only for the days in which the ranges asked about begin and end.
 */
export async function benchHistory(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-history-'));
  try {
    const fleet = new Fleet();
    await closeDay(report, fleet, join(folder, 'day'));
    cpSync(join(folder, 'day'), join(folder, 'sealed'), { recursive: true });
    await sealDay(report, join(folder, 'sealed'));
    await repeatDay(join(folder, 'sealed'), join(folder, 'months'));
    const ranges = [
      ['24 hours, closed', 'day', START + 20 * MINUTE_MS, START + DAY_MS, 400, undefined],
      ['30 days', 'months', END - 30 * DAY_MS + 20 * MINUTE_MS, END, 600, 150],
      ['10 months', 'months', START + 20 * MINUTE_MS, END, 1000, undefined],
    ] as const;
    for (const [name, part, start, end, most, timelineMost] of ranges) {
      const { first, timeline, gets, bytes, blocks, samples } = await measureInProcess(
        fleet,
        join(folder, part),
        start,
        end,
      );
      const note = `${blocks} blocks, ${gets} GETs, ${(bytes / 1e6).toFixed(1)} MB, ${(samples / 1e6).toFixed(0)} million samples, ${first.cpuMs.toFixed(0)} ms of CPU`;
      const cold = 'first query of a process';
      report.add({
        name: `flame graph, ${name}, ${cold}`,
        value: first.ms,
        unit: 'ms',
        target: { most },
        note,
      });
      const target = timelineMost === undefined ? undefined : { most: timelineMost };
      const cpu = `${timeline.cpuMs.toFixed(0)} ms of CPU`;
      report.add({ name: `timeline, ${name}`, value: timeline.ms, unit: 'ms', target, note: cpu });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function closeDay(report: Report, fleet: Fleet, folder: string): Promise<void> {
  const { hub, close } = await openBenchHub(folder, START + DAY_MS + HOUR_MS);
  for (let at = START; at < START + DAY_MS; at += 5 * MINUTE_MS)
    await publishBlock(hub, fleet.levelZero(`L0-${at}`, TENANT, at, at + 5 * MINUTE_MS));
  const levelZero = await bytesByResolution(hub);
  const { result, cpuMs } = await costOf(() => compactBlocks(hub));
  report.add({ name: 'size in level 0', value: levelZero.get(0)! / result.samples, unit: 'bytes/sample' });
  reportStep(report, 'close', result, cpuMs, await bytesByResolution(hub));
  await close();
}

async function sealDay(report: Report, folder: string): Promise<void> {
  const { hub, close } = await openBenchHub(folder, START + 5 * DAY_MS);
  const { result, cpuMs } = await costOf(() => compactBlocks(hub));
  reportStep(report, 'seal', result, cpuMs, await bytesByResolution(hub));
  await close();
}

function reportStep(
  report: Report,
  step: string,
  { samples, bytesIn, peakDatasetBytes }: CompactionReport,
  cpuMs: number,
  bytes: ReadonlyMap<number, number>,
): void {
  const megabytes = `${(bytesIn / 1e6 / (cpuMs / 1000)).toFixed(1)} MB of stored input a second`;
  report.add({
    name: `${step}, merging and downsampling, per second of CPU`,
    value: samples / 1e6 / (cpuMs / 1000),
    unit: 'million samples',
    note: `${megabytes}, largest dataset ${(peakDatasetBytes / 1e6).toFixed(0)} MB unfolded`,
  });
  for (const [seconds, stored] of bytes) {
    const name = `size after ${step}, ${seconds === 0 ? 'raw' : `${seconds} s`}`;
    report.add({ name, value: stored / samples, unit: 'bytes/sample' });
  }
}

async function bytesByResolution(hub: Hub): Promise<Map<number, number>> {
  const bytes = new Map<number, number>();
  for (const row of await hub.catalog.find({ tenant: TENANT, from: START, until: END }))
    bytes.set(row.resolutionSeconds, (bytes.get(row.resolutionSeconds) ?? 0) + row.size);
  return bytes;
}

/** Ten months of the day that lies in `from`, with its days of 1 d joined. */
async function repeatDay(from: string, to: string): Promise<void> {
  const source = await openBenchHub(from, START);
  const target = await openBenchHub(to, END);
  const random = seededRandom(2);
  for (const row of await source.hub.catalog.find({ tenant: TENANT, from: START, until: END })) {
    const bytes = await source.hub.objects.get(blockKey(TENANT, row.level, row.blockId));
    const reader = await BlockReader.open(bytesSource(bytes!), zstdCodec);
    const dataset = await reader.dataset(reader.directory.datasets[0]!);
    for (let day = 0; day < DAYS; day++) {
      const isCoarse = row.resolutionSeconds > 300;
      if (isCoarse || day === 0 || day === DAYS - 30)
        await publishDay(target.hub, dataset, row.resolutionSeconds, day, random);
    }
  }
  await target.close();
  await source.close();
  for (let day = 32; day <= DAYS + 64; day += 32) {
    const later = await openBenchHub(to, START + (day + 32) * DAY_MS);
    await compactBlocks(later.hub, 'all');
    await later.close();
  }
}

async function publishDay(
  hub: Hub,
  { service, symbols, labelSets, types }: BlockDataset,
  resolutionSeconds: number,
  day: number,
  random: () => number,
): Promise<void> {
  const ofDay = [...types].map(([type, rows]) => {
    const moved = { ...rows, start: rows.start.map((time) => time + day * DAY_MS) };
    return [type, resolutionSeconds > 300 ? varied(moved, random) : moved] as const;
  });
  const writer = new BlockWriter(zstdCodec, resolutionSeconds);
  writer.addDataset({ service, symbols, labelSets, types: new Map(ofDay) });
  const blockId = `day-${day}-${resolutionSeconds}`;
  const batchIds = ['bench/sealed', ...(resolutionSeconds === 0 ? [] : [`day-${day}-0`])];
  const written = writer.finish({ blockId, tenant: TENANT, level: 5, resolutionSeconds }, batchIds);
  await publishBlock(hub, { ...written, batchIds });
}

/** The rows with every value between 0.6 and 1.4 times what it was, and a tenth of the entries left out. */
function varied(rows: BlockRows, random: () => number): BlockRows {
  const entryStarts = new Uint32Array(rows.count + 1);
  const stacks = new Uint32Array(rows.stacks.length);
  const values = new Float64Array(rows.stacks.length);
  const total = new Float64Array(rows.count);
  let at = 0;
  for (let row = 0; row < rows.count; row++) {
    for (let i = rows.entryStarts[row]!; i < rows.entryStarts[row + 1]!; i++) {
      if (random() < 0.1) continue;
      stacks[at] = rows.stacks[i]!;
      values[at] = Math.max(1, Math.round(rows.values[i]! * (0.6 + 0.8 * random())));
      total[row]! += values[at++]!;
    }
    entryStarts[row + 1] = at;
  }
  const spread = { windows: new Float64Array(rows.count).fill(1), least: total, most: total };
  return { ...rows, entryStarts, stacks, values, total, spread };
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { BlockBuilder } from '../core/block/block-builder.ts';
import { BlockReader, bytesSource } from '../core/block/block-reader.ts';
import { BlockWriter, type WrittenBlock } from '../core/block/block-writer.ts';
import { mergeBlocks } from '../core/block/merge-blocks.ts';
import { addPprof } from '../core/pprof/decode-pprof.ts';
import { encodePprof } from '../core/pprof/encode-pprof.ts';
import { DEFAULT_PPROF_LIMITS } from '../core/pprof/pprof-limits.ts';
import type { Dataset } from '../core/profile/dataset-builder.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { Fleet } from './fleet.ts';
import { leastCost } from './measure.ts';
import type { Report } from './report.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const START = Math.floor(1_760_000_000_000 / HOUR_MS) * HOUR_MS;
const META = { tenant: 'bench', resolutionSeconds: 0 };

/** What a block weighs, and what writing and merging one costs. */
export async function benchBlock(report: Report, corpus: string | undefined): Promise<void> {
  const fleet = new Fleet();
  const minutes = Array.from({ length: 60 }, (_, i) =>
    fleet.levelZero(`minute-${i}`, 'bench', START + i * MINUTE_MS, START + (i + 1) * MINUTE_MS),
  );
  const hour = await mergeAll('hour', minutes);
  const windows = hour.directory.datasets[0]!.types[0]!.rows;
  await reportSizes(report, fleet, minutes, hour, windows);
  await reportSpeed(report, fleet, minutes, hour, windows);
  if (corpus !== undefined) await reportSeries(report, join(corpus, 'pprof', 'series'));
}

async function reportSizes(
  report: Report,
  fleet: Fleet,
  minutes: readonly WrittenBlock[],
  hour: WrittenBlock,
  windows: number,
): Promise<void> {
  const reader = await BlockReader.open(bytesSource(hour.bytes), zstdCodec);
  const pprofs = pprofPerWindow(await reader.dataset(reader.directory.datasets[0]!), 200);
  const gzipped = pprofs.reduce((sum, bytes) => sum + gzipSync(bytes).length, 0) / pprofs.length;
  const stored = hour.bytes.length / windows;
  const unit = 'bytes per window';
  report.add({
    name: 'window of 300 samples in an hourly block of 20 pods',
    value: stored,
    unit,
    peer: { name: 'the window as pprof, gzipped', value: gzipped },
    target: { most: 300 },
  });
  const ofMinutes = minutes.reduce((sum, { bytes }) => sum + bytes.length, 0) / windows;
  report.add({ name: 'the same in one-minute blocks, before compaction', value: ofMinutes, unit });
  const batch = fleet.batch(0, START, START + MINUTE_MS);
  report.add({ name: 'the same in a one-minute batch of one pod', value: batch.bytes.length / 4, unit });
}

/** Every window of a dataset as an SDK would send it: with the symbols that it uses, and no others. */
function pprofPerWindow({ symbols, types }: Dataset, most: number): Uint8Array[] {
  const [rows] = types.values();
  return Array.from({ length: Math.min(most, rows!.count) }, (_, row) => {
    const values = new Float64Array(symbols.stacks.count);
    const end = rows!.entryStarts[row + 1]!;
    for (let i = rows!.entryStarts[row]!; i < end; i++) values[rows!.stacks[i]!] = rows!.values[i]!;
    return encodePprof({
      symbols,
      sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
      values: [values],
      scale: [rows!.scale[row]!],
      timeNanos: BigInt(rows!.start[row]!) * 1_000_000n,
      durationNanos: BigInt(rows!.duration[row]!) * 1_000_000n,
    });
  });
}

async function reportSpeed(
  report: Report,
  fleet: Fleet,
  minutes: readonly WrittenBlock[],
  hour: WrittenBlock,
  windows: number,
): Promise<void> {
  const samples = windows * fleet.samplesPerWindow;
  const merge = await leastCost(3, () => mergeAll('hour', minutes));
  const inputBytes = minutes.reduce((sum, block) => sum + rawBytes(block), 0);
  report.add({
    name: 'merge 60 one-minute blocks, sections unfolded',
    value: megabytes(inputBytes) / (merge.ms / 1000),
    unit: 'MB/s',
  });
  report.add({
    name: 'merge 60 one-minute blocks',
    value: samples / merge.ms / 1000,
    unit: 'million samples/s',
  });
  const reader = await BlockReader.open(bytesSource(hour.bytes), zstdCodec);
  const [entry] = reader.directory.datasets;
  const dataset = await reader.dataset(entry!);
  const encode = await leastCost(5, () => {
    const writer = new BlockWriter(zstdCodec);
    writer.addDataset(dataset);
    return writer.finish({ ...META, blockId: 'again', level: 1 }, []);
  });
  report.add({
    name: 'write the hourly block',
    value: megabytes(rawBytes(hour)) / (encode.ms / 1000),
    unit: 'MB/s',
  });
  const read = await leastCost(5, () => reader.dataset(entry!));
  report.add({
    name: 'read the hourly block whole',
    value: megabytes(rawBytes(hour)) / (read.ms / 1000),
    unit: 'MB/s',
  });
}

/** Ten consecutive profiles of one real process, three seconds each. */
async function reportSeries(report: Report, folder: string): Promise<void> {
  const builder = new BlockBuilder();
  let sent = 0;
  let profiles = 0;
  for (const name of readdirSync(folder).sort()) {
    const bytes = readFileSync(join(folder, name));
    sent += bytes.length;
    profiles++;
    addPprof(builder.dataset('series'), gunzipSync(bytes), {
      labels: [['service_name', 'series']],
      batch: builder.batch('corpus/push/boot/1'),
      now: START,
      limits: DEFAULT_PPROF_LIMITS,
      keepAddresses: 'unsymbolized',
      profileName: () => 'process_cpu',
    });
  }
  const { bytes } = builder.write({ ...META, blockId: 'series', level: 0 }, zstdCodec);
  report.add({
    name: `${profiles} consecutive real profiles in one block`,
    value: bytes.length / profiles,
    unit: 'bytes per profile',
    peer: { name: 'as they were sent, pprof gzipped', value: sent / profiles },
  });
}

async function mergeAll(blockId: string, blocks: readonly WrittenBlock[]): Promise<WrittenBlock> {
  const readers = await Promise.all(
    blocks.map(({ bytes }) => BlockReader.open(bytesSource(bytes), zstdCodec)),
  );
  return mergeBlocks(readers, { ...META, blockId, level: 1 }, zstdCodec);
}

function rawBytes({ directory }: WrittenBlock): number {
  let sum = directory.batchesSection.rawLength;
  for (const { seriesSection, symbolsSection, types } of directory.datasets) {
    sum += seriesSection.rawLength + symbolsSection.rawLength;
    for (const { totalsSection, samplesSection } of types)
      sum += totalsSection.rawLength + samplesSection.rawLength;
  }
  return sum;
}

function megabytes(bytes: number): number {
  return bytes / 1e6;
}

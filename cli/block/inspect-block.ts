import { BlockReader } from '../../core/block/block-reader.ts';
import type { DatasetEntry, Directory, SectionRef, TypeEntry } from '../../core/block/directory.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import type { BlockFile } from './block-file.ts';
import { directoryLength } from './block-sections.ts';

interface SectionSize {
  readonly offset: number;
  readonly stored: number;
  readonly raw: number;
}

interface TypeReport {
  readonly profileType: string;
  readonly rows: number;
  readonly samples: number;
  /** Exact, in the sample unit. */
  readonly total: bigint;
  readonly scale: number;
  /** Distinct windows, and how long they are. */
  readonly windows: { readonly count: number; readonly shortestMs: number; readonly longestMs: number };
  readonly totals: SectionSize;
  readonly samplesSection: SectionSize;
}

interface DatasetReport {
  readonly service: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly seriesCount: number;
  readonly series: SectionSize;
  readonly symbols: SectionSize;
  readonly types: readonly TypeReport[];
}

/** What a block says of itself, without its samples. */
export interface BlockReport
  extends Pick<Directory, 'blockId' | 'tenant' | 'level' | 'resolutionSeconds' | 'origin'> {
  readonly path: string;
  readonly bytes: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly directoryBytes: number;
  readonly batchIds: readonly string[];
  readonly batches: SectionSize;
  readonly datasets: readonly DatasetReport[];
}

/** Reads the directory, the batch table, and of each dataset series and totals. @throws CorruptBlockError */
export async function inspectBlock(file: BlockFile): Promise<BlockReport> {
  const reader = await BlockReader.open(file.source, zstdCodec, { blockId: file.path });
  const { directory } = reader;
  const { blockId, tenant, level, resolutionSeconds, origin, minTime, maxTime } = directory;
  const datasets: DatasetReport[] = [];
  for (const dataset of directory.datasets) datasets.push(await reportDataset(reader, dataset));
  return {
    ...{ path: file.path, blockId, tenant, level, resolutionSeconds, origin, minTime, maxTime },
    bytes: file.size,
    directoryBytes: directoryLength(directory, file.size),
    batchIds: await reader.batchIds(),
    batches: sizeOf(directory.batchesSection),
    datasets,
  };
}

async function reportDataset(reader: BlockReader, dataset: DatasetEntry): Promise<DatasetReport> {
  const { service, minTime, maxTime, seriesSection, symbolsSection } = dataset;
  const types: TypeReport[] = [];
  for (const type of dataset.types) types.push(await reportType(reader, dataset, type));
  const labelSets = await reader.labelSets(dataset);
  const sizes = { series: sizeOf(seriesSection), symbols: sizeOf(symbolsSection) };
  return { service, minTime, maxTime, seriesCount: labelSets.length, ...sizes, types };
}

async function reportType(reader: BlockReader, dataset: DatasetEntry, type: TypeEntry): Promise<TypeReport> {
  const { totals } = await reader.totals(dataset, type);
  const { profileType, rows, samples, total, scale, totalsSection, samplesSection } = type;
  const windows = new Set<string>();
  let shortestMs = Number.POSITIVE_INFINITY;
  let longestMs = 0;
  for (let row = 0; row < totals.count; row++) {
    windows.add(`${totals.start[row]}+${totals.duration[row]}`);
    shortestMs = Math.min(shortestMs, totals.duration[row]!);
    longestMs = Math.max(longestMs, totals.duration[row]!);
  }
  return {
    ...{ profileType, rows, samples, total, scale },
    windows: { count: windows.size, shortestMs: totals.count === 0 ? 0 : shortestMs, longestMs },
    totals: sizeOf(totalsSection),
    samplesSection: sizeOf(samplesSection),
  };
}

function sizeOf({ offset, storedLength, rawLength }: SectionRef): SectionSize {
  return { offset, stored: storedLength, raw: rawLength };
}

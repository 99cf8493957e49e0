import { closeSync, fstatSync, openSync, readdirSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BlockReader, type RangeSource } from '../core/block/block-reader.ts';
import { BlockMerge, readBatchTables, unfoldedBytes } from '../core/block/merge-blocks.ts';
import { compactFamilies } from '../core/compaction/compact-family.ts';
import { defaultHubSettings } from '../pipeline/hub.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { type Cost, costOf } from './measure.ts';

// Started by largest-job.bench.ts, so that the memory measured is that of one job and nothing else:
//   node largest-job-process.ts FOLDER
// Seals the blocks that lie in the folder into families with versions of 5 min, 1 h and 1 d, each of which is written and
// then let go, as a job stores them. Inputs are read from files by range.

/** What one job took. */
export interface JobMeasurement {
  readonly cost: Cost;
  readonly peakRssBytes: number;
  readonly samples: number;
  readonly bytesIn: number;
  /** The same, unfolded. */
  readonly rawBytesIn: number;
  /** Unfolded bytes that the largest dataset was merged from. */
  readonly peakDatasetBytes: number;
  readonly families: number;
  /** Merged block and versions. */
  readonly largestFamilyBytes: number;
}

const { datasetBytesMax, partBytesMax } = defaultHubSettings.compaction;
const folder = process.argv[2]!;
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.block'))
  .sort();
const sources = files.map((name) => fileSource(join(folder, name)));
const readers = await Promise.all(sources.map((source) => BlockReader.open(source, zstdCodec)));
const datasets = readers.flatMap(({ directory }) => directory.datasets);
const { result, ms, cpuMs } = await costOf(seal);
const measured: JobMeasurement = {
  cost: { ms, cpuMs },
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  samples: datasets.flatMap(({ types }) => types).reduce((sum, { samples }) => sum + samples, 0),
  bytesIn: sources.reduce((sum, { size }) => sum + size, 0),
  rawBytesIn: datasets.reduce((sum, dataset) => sum + unfoldedBytes(dataset), 0),
  ...result,
};
for (const { file } of sources) closeSync(file);
console.log(JSON.stringify(measured));

async function seal() {
  const merge = new BlockMerge(readers, await readBatchTables(readers), { seal: true, datasetBytesMax });
  let [blocks, families, largestFamilyBytes] = [0, 0, 0];
  const options = {
    ...{ tenant: 'bench', level: 2, resolutionSeconds: 0, downsampleTo: [300, 3600, 86_400] },
    ...{ partBytesMax, partsMax: 24, nextBlockId: () => `sealed-${blocks++}` },
  };
  for await (const family of compactFamilies(merge, options, zstdCodec)) {
    families++;
    const bytes = family.reduce((sum, block) => sum + block.bytes.length, 0);
    largestFamilyBytes = Math.max(largestFamilyBytes, bytes);
    for (const { directory, bytes } of family) writeFileSync(join(folder, directory.blockId), bytes);
  }
  return { families, largestFamilyBytes, peakDatasetBytes: merge.peakDatasetBytes };
}

function fileSource(path: string): RangeSource & { readonly file: number; readonly size: number } {
  const file = openSync(path, 'r');
  const { size } = fstatSync(file);
  const read = (start: number, end: number) => {
    const bytes = new Uint8Array(Math.min(end, size) - start);
    readSync(file, bytes, 0, bytes.length, start);
    return bytes;
  };
  return {
    ...{ file, size },
    read: async (start, end) => read(start, end),
    tail: async (length) => ({ bytes: read(Math.max(0, size - length), size), size }),
  };
}

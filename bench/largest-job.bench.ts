import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BlockBuilder } from '../core/block/block-builder.ts';
import { BlockWriter } from '../core/block/block-writer.ts';
import type { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { HUB_SHAPE } from './cost/hub-shape.ts';
import { Fleet, FleetDataset } from './fleet.ts';
import type { JobMeasurement } from './largest-job-process.ts';
import type { Report } from './report.ts';

const HOUR_MS = 3_600_000;
const HOURS = 24;
const START = Math.floor(1_760_000_000_000 / (HOURS * HOUR_MS)) * HOURS * HOUR_MS;

/** A day of so many pods in blocks of an hour passes `datasetBytesMax` with its last hour. */
const PODS = 48;
/** In how many of the hours a service is there. The first two leave a family just below `partBytesMax`. */
const SERVICES = { cart: HOURS - 2, pay: 14, shop: HOURS };

/** Of the function that compacts, and what Lambda makes of it for Node.js: a tenth is new space, in two halves. */
const FUNCTION_MIB = HUB_SHAPE.workerMemoryMb;
const NEW_SPACE_MIB = Math.floor(FUNCTION_MIB / 10);
const HEAP_FLAGS = [
  `--max-semi-space-size=${Math.floor(NEW_SPACE_MIB / 2)}`,
  `--max-old-space-size=${FUNCTION_MIB - NEW_SPACE_MIB}`,
];

/** The largest job there can be: sealing a day whose largest service fills a dataset, in a family that is nearly full. */
export async function benchLargestJob(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-largest-job-'));
  try {
    makeInputs(folder);
    const {
      cost,
      peakRssBytes,
      samples,
      bytesIn,
      rawBytesIn,
      peakDatasetBytes,
      families,
      largestFamilyBytes,
    } = await inProcess(folder);
    const mib = (bytes: number) => bytes / 2 ** 20;
    const perSecond = (amount: number) => (amount / (cost.cpuMs / 1000)).toFixed(1);
    const limits = `dataset of ${mib(peakDatasetBytes).toFixed(0)} MiB unfolded, family of ${mib(largestFamilyBytes).toFixed(0)} MiB`;
    report.add({
      name: 'peak memory of the largest job, resident',
      value: mib(peakRssBytes),
      unit: 'MiB',
      target: { most: Math.floor((FUNCTION_MIB * 2) / 3) },
      note: `${limits}; of ${FUNCTION_MIB} MiB that its function has`,
    });
    report.add({
      name: 'CPU of that job',
      value: cost.cpuMs / 1000,
      unit: 's',
      note: `${families} families, ${perSecond(samples / 1e6)} million samples, ${perSecond(bytesIn / 1e6)} MB of stored input and ${perSecond(rawBytesIn / 1e6)} MB unfolded a second`,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function inProcess(folder: string): Promise<JobMeasurement> {
  const script = join(import.meta.dirname, 'largest-job-process.ts');
  const options = ['--disable-warning=ExperimentalWarning', ...HEAP_FLAGS, script, folder];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  return JSON.parse(stdout);
}

/** A block of each hour, as it is when it was closed. Services have the same profiles: what they are costs no memory. */
function makeInputs(folder: string): void {
  const fleet = new Fleet({ pods: PODS });
  for (let hour = 0; hour < HOURS; hour++) {
    const builder = new BlockBuilder();
    const dataset = builder.dataset(fleet.service);
    addHour(fleet, builder, dataset, START + hour * HOUR_MS);
    const { symbols, labelSets, types } = dataset;
    const writer = new BlockWriter(zstdCodec);
    for (const [service, hours] of Object.entries(SERVICES))
      if (hour < hours) writer.addDataset({ service, symbols, labelSets, types });
    const meta = { blockId: `hour-${hour}`, tenant: 'bench', level: 1, resolutionSeconds: 0 };
    const name = `${String(hour).padStart(2, '0')}.block`;
    writeFileSync(join(folder, name), writer.finish(meta, builder.batchIds).bytes);
  }
}

function addHour(fleet: Fleet, builder: BlockBuilder, dataset: DatasetBuilder, start: number): void {
  const into = new FleetDataset(dataset, fleet.paths);
  for (let pod = 0; pod < PODS; pod++) {
    const batch = builder.batch(`bench/node-${pod}/boot/${start}`);
    for (let at = start; at < start + HOUR_MS; at += fleet.windowMs) fleet.addWindow(into, batch, pod, at);
  }
}

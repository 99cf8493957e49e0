import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { batchIdOf } from '../core/batch/batch-origin.ts';
import { BlockBuilder } from '../core/block/block-builder.ts';
import { compactBlocks, deleteMarkedBlocks } from '../pipeline/compact-blocks.ts';
import { defaultHubSettings, type Hub } from '../pipeline/hub.ts';
import { ingestBatch } from '../pipeline/ingest-batch.ts';
import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import { processBatches } from '../pipeline/process-batches.ts';
import { openEmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { gunzipBounded } from '../storage/gzip.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { Fleet, FleetDataset, seededRandom } from './fleet.ts';

// Ten months of one service of 20 pods, brought by the pipeline itself: batches of ten nodes are ingested, processed, closed,
// sealed and joined as hours pass on a clock of its own. The days in which ranges begin and end, and the hour in which the
// longest one begins, are sampled as they would be: 300 samples of each pod in every 15 s. The days between have one long
// window of 3,000 samples of each pod in every sixth hour, so their steps of an hour and a day hold most of their stacks, and
// they take minutes to make instead of hours. Nothing is deleted by age.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const DAYS = 300;
export const START = Math.floor(1_760_000_000_000 / DAY_MS) * DAY_MS;
export const END = START + DAYS * DAY_MS;
const NODES = 10;
const FULL_DAYS = new Set([DAYS - 30, DAYS - 1]);
/** What nodes send at once in hours that are sampled in full, ms. */
const FLUSH_MS = 15 * MINUTE_MS;
/** Every how many hours the days between have a window, and of how many samples and ms. */
const THIN = { everyHours: 6, samplesPerWindow: 3000, windowMs: 150_000 };
const LEDGER_KEEP_MS = 31 * DAY_MS;
/** Part of the folder's name: another layout is another data set. */
const LAYOUT = 'v1';

export function longRangeFleet(): Fleet {
  return new Fleet({ pods: 20 });
}

/** The same pods and stacks. */
function thinFleet(): Fleet {
  return new Fleet({ pods: 20, samplesPerWindow: THIN.samplesPerWindow, windowMs: THIN.windowMs });
}

/** The folder with the data set; made if it is not there. `tell` hears how far it is. */
export async function longRangeFolder(tell: (line: string) => void): Promise<string> {
  const cache = join(import.meta.dirname, '.cache');
  const folder = join(cache, `long-range-${LAYOUT}-${DAYS}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const scratch = mkdtempSync(join(memory, 'cinderblock-long-range-'));
  const copied = mkdtempSync(join(cache, 'unfinished-'));
  try {
    await bringMonths(scratch, tell);
    cpSync(scratch, copied, { recursive: true });
    renameSync(copied, folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(copied, { recursive: true, force: true });
  }
  return folder;
}

async function bringMonths(folder: string, tell: (line: string) => void): Promise<void> {
  const time = { now: START };
  const storage = await openEmbeddedStorage({ folder, clock: () => time.now });
  const hub: Hub = {
    ...storage,
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: compileLinearRegex,
    clock: () => time.now,
    random: seededRandom(3),
    tenant: 'bench',
    settings: defaultHubSettings,
    telemetry: { count() {}, gauge() {}, log: (level, text) => level === 'error' && tell(text) },
  };
  const nodes = new Nodes(hub);
  const begun = performance.now();
  for (let day = 0; day < DAYS; day++) {
    for (let hour = 0; hour < 24; hour++) await bringHour(hub, nodes, day, hour, time);
    await hub.registry.forgetBatches(time.now - LEDGER_KEEP_MS);
    if (day % 10 === 9) {
      const cpu = process.cpuUsage();
      const line = {
        day: day + 1,
        seconds: Math.round((performance.now() - begun) / 1000),
        cpuMs: cpu.user / 1000,
      };
      tell(JSON.stringify(line));
    }
  }
  writeFileSync(join(folder, 'samples.json'), JSON.stringify({ samples: nodes.samples }));
  await storage.close();
}

/** The hour passes with its batches; twenty minutes into the next one it is closed. The last one stays as it was when it ended. */
async function bringHour(
  hub: Hub,
  nodes: Nodes,
  day: number,
  hour: number,
  time: { now: number },
): Promise<void> {
  const isFull = FULL_DAYS.has(day) || (day === 0 && hour === 0);
  if (!isFull && hour % THIN.everyHours !== 0) return;
  const start = START + day * DAY_MS + hour * HOUR_MS;
  const flushMs = isFull ? FLUSH_MS : HOUR_MS;
  for (let at = start; at < start + HOUR_MS; at += flushMs) {
    time.now = at + flushMs;
    await nodes.send(at, at + flushMs, isFull);
    while ((await processBatches(hub)).batches > 0);
    await compactBlocks(hub);
  }
  if (start + HOUR_MS === END) return;
  time.now = start + HOUR_MS + 20 * MINUTE_MS;
  await compactBlocks(hub, hour === 6 ? 'all' : 'recent');
  await deleteMarkedBlocks(hub);
}

/** Two pods each, and what they sent so far. */
class Nodes {
  samples = 0;
  readonly #hub: Hub;
  readonly #full = longRangeFleet();
  readonly #thin = thinFleet();
  #sequence = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** @param isFull one window after the other; otherwise one, at the beginning */
  async send(start: number, end: number, isFull: boolean): Promise<void> {
    this.#sequence++;
    const fleet = isFull ? this.#full : this.#thin;
    const last = isFull ? end : start + fleet.windowMs;
    // Together: the commits of their messages share one wait.
    const batches = Array.from({ length: NODES }, (_, node) => this.#batch(fleet, node, start, last));
    await Promise.all(batches.map((bytes) => ingestBatch(this.#hub, { cluster: 'bench', bytes })));
  }

  #batch(fleet: Fleet, node: number, start: number, end: number): Uint8Array {
    const pods = [node, node + NODES];
    const kept = ((end - start) / fleet.windowMs) * fleet.samplesPerWindow * pods.length;
    const counters = { taken: kept, lost: 0, dropped: 0, kept, droppedBatches: 0, droppedBatchSamples: 0 };
    const identity = { cluster: 'bench', node: `node-${node}`, bootId: 'boot', sequence: this.#sequence };
    const range = { firstWindow: start, lastWindow: end };
    const origin = { ...identity, ...counters, ...range, agentVersion: '0.1.0', engine: 'perf' };
    const builder = new BlockBuilder();
    const batch = builder.batch(batchIdOf(origin));
    const into = new FleetDataset(builder.dataset(fleet.service), fleet.paths);
    for (const pod of pods)
      for (let at = start; at < end; at += fleet.windowMs) fleet.addWindow(into, batch, pod, at);
    this.samples += kept;
    const blockId = batchIdOf(origin).replaceAll('/', '_');
    return builder.write({ blockId, tenant: '', level: 0, resolutionSeconds: 0, origin }, zstdCodec).bytes;
  }
}

import { defaultHubSettings, type Hub } from '../pipeline/hub.ts';
import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import { selectTimeline, selectTree } from '../pipeline/run-query.ts';
import { openEmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { gunzipBounded } from '../storage/gzip.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { type Cost, costOf } from './measure.ts';

// Started by query.bench.ts, so that every measurement has a process, and with it memory, of its own:
//   node query-process.ts FOLDER SERVICE PROFILE_TYPE START END RUNS
// Nothing of a block is kept between two queries. The first one of a process also pays for compiling the code.

/** What one process measured. */
export interface QueryMeasurement {
  readonly first: Cost;
  readonly later: Cost;
  readonly timeline: Cost;
  readonly gets: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly samples: number;
  readonly nodes: number;
  readonly peakRssBytes: number;
}

/** A hub on a data folder, counting what its queries ask of the object store. */
export async function openBenchHub(
  folder: string,
  now: number,
): Promise<{ hub: Hub; io: { gets: number; bytes: number }; close(): Promise<void> }> {
  const storage = await openEmbeddedStorage({ folder, clock: () => now });
  const io = { gets: 0, bytes: 0 };
  const hub: Hub = {
    ...storage,
    objects: counted(storage.objects, io),
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: compileLinearRegex,
    clock: () => now,
    random: Math.random,
    tenant: 'bench',
    settings: defaultHubSettings,
    telemetry: { count() {}, gauge() {}, log() {} },
  };
  return { hub, io, close: () => storage.close() };
}

function counted(objects: ObjectStore, io: { gets: number; bytes: number }): ObjectStore {
  const count = <T extends { length: number }>(bytes: T): T => {
    io.gets++;
    io.bytes += bytes.length;
    return bytes;
  };
  return {
    ...objects,
    getRange: async (key, start, end) => count(await objects.getRange(key, start, end)),
    async getTail(key, length) {
      const tail = await objects.getTail(key, length);
      count(tail.bytes);
      return tail;
    },
  };
}

if (import.meta.filename === process.argv[1]) await main(process.argv.slice(2));

async function main([folder, service, profileType, start, end, runs]: readonly string[]): Promise<void> {
  const { hub, io, close } = await openBenchHub(folder!, Number(end));
  const selection = {
    profileType: profileType!,
    selector: `{service_name="${service}"}`,
    start: Number(start),
    end: Number(end),
  };
  const { result, ...first } = await costOf(() => selectTree(hub, selection));
  const { gets, bytes } = io;
  let later: Cost | undefined;
  for (let i = 1; i < Number(runs); i++) {
    const { ms, cpuMs } = await costOf(() => selectTree(hub, selection));
    if (later === undefined || ms < later.ms) later = { ms, cpuMs };
  }
  const timeline = await costOf(() => selectTimeline(hub, { ...selection, maxPoints: 240 }));
  const { completeness, tree } = result;
  const measured: QueryMeasurement = {
    first,
    later: later ?? first,
    timeline: { ms: timeline.ms, cpuMs: timeline.cpuMs },
    gets,
    bytes,
    blocks: completeness.blocksRead,
    samples: completeness.samples,
    nodes: tree.nameOf.length,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  await close();
  console.log(JSON.stringify(measured));
}

import type { Completeness } from '../core/query/completeness.ts';
import { selectTimeline, selectTree } from '../pipeline/run-query.ts';
import { type Cost, costOf } from './measure.ts';
import { openBenchHub } from './query-process.ts';

// Started by long-range.ts, one process per measurement, so that the first answer is one of a process that did nothing before:
//   node long-range-process.ts FOLDER SERVICE PROFILE_TYPE START END (tree|timeline)

/** What one process measured. */
export interface RangeMeasurement {
  /** First answer of the process: compiling the code included, starting Node.js and loading modules not. */
  readonly first: Cost;
  /** From the start of the process to its first answer, ms. */
  readonly sinceStartMs: number;
  /** The quickest of the answers after that. */
  readonly warm: Cost;
  readonly gets: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly samples: number;
  readonly resolutionSeconds: number;
  readonly peakRssBytes: number;
}

const WARM_RUNS = 6;

const [folder, service, profileType, start, end, kind] = process.argv.slice(2);
const { hub, io, close } = await openBenchHub(folder!, Number(end));
const range = { start: Number(start), end: Number(end) };
const selection = { profileType: profileType!, selector: `{service_name="${service}"}`, ...range };
const ask = async (): Promise<{ completeness: Completeness }> =>
  kind === 'timeline' ? selectTimeline(hub, { ...selection, maxPoints: 240 }) : selectTree(hub, selection);

const { result, ms, cpuMs } = await costOf(ask);
const sinceStartMs = performance.now();
const { gets, bytes } = io;
let warm: Cost | undefined;
for (let i = 0; i < WARM_RUNS; i++) {
  const { ms, cpuMs } = await costOf(ask);
  if (warm === undefined || ms < warm.ms) warm = { ms, cpuMs };
}
const { blocksRead, samples, resolutionSeconds } = result.completeness;
const measured: RangeMeasurement = {
  first: { ms, cpuMs },
  ...{ sinceStartMs, warm: warm!, gets, bytes, blocks: blocksRead, samples, resolutionSeconds },
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
};
await close();
console.log(JSON.stringify(measured));

import { execFile } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DAY_MS, END, longRangeFleet, longRangeFolder, START } from './long-range-data.ts';
import type { RangeMeasurement } from './long-range-process.ts';
import { Report } from './report.ts';

// npm run bench:range: how long flame graphs and timelines over an hour to ten months take, from blocks on disk. The data set
// is made once, by the pipeline itself, in bench/.cache. For one core: taskset -c 0 npm run bench:range.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Ranges as people ask for them: their edges cut hours and steps. The best of how many fresh processes counts. */
const PROCESSES = 3;
const QUESTIONS = [
  { name: '1 hour', kind: 'tree', start: END - HOUR_MS, most: 150 },
  { name: '24 hours', kind: 'tree', start: END - DAY_MS, most: 400 },
  { name: '30 days', kind: 'tree', start: END - 30 * DAY_MS + 20 * MINUTE_MS, most: 600 },
  { name: '10 months', kind: 'tree', start: START + 20 * MINUTE_MS, most: 1000 },
  { name: '24 hours', kind: 'timeline', start: END - DAY_MS, most: undefined },
  { name: '30 days', kind: 'timeline', start: END - 30 * DAY_MS + 20 * MINUTE_MS, most: 150 },
  { name: '10 months', kind: 'timeline', start: START + 20 * MINUTE_MS, most: undefined },
] as const;

type Question = (typeof QUESTIONS)[number];

const folder = await longRangeFolder((line) => console.error(line));
const report = new Report();
report.section('One service of 20 pods, first answer of a fresh process');
for (const question of QUESTIONS) await measure(question);
const machine = {
  cpu: cpus()[0]!.model.trim(),
  cpus: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
};
console.log(report.toMarkdown(machine).replace('`npm run bench`', '`npm run bench:range`'));
console.log(
  [
    'Cold is the first answer of a new process: nothing of it was compiled, optimized or kept before, by Node.js either',
    '(NODE_COMPILE_CACHE is not set). Files are in the cache of the system, from the second process of a question on at the latest.',
    'Starting Node.js and loading modules is not in "cold", and is in "since start", which includes reading TypeScript.',
  ].join('\n'),
);
const missed = report.missed();
if (missed.length > 0) console.log(`targets missed: ${missed.map(({ name }) => name).join('; ')}`);

async function measure({ name, kind, start, most }: Question): Promise<void> {
  let best: RangeMeasurement | undefined;
  for (let i = 0; i < PROCESSES; i++) {
    const one = await inProcess(kind, start);
    if (best === undefined || one.first.ms < best.first.ms) best = one;
  }
  const what = `${kind === 'tree' ? 'flame graph' : 'timeline'}, ${name}`;
  const { first, warm, sinceStartMs, gets, bytes, blocks, samples, resolutionSeconds, peakRssBytes } = best!;
  const read = `${blocks} blocks, ${gets} GETs, ${(bytes / 1e6).toFixed(2)} MB`;
  const content = `${(samples / 1e6).toFixed(1)} million samples, coarsest ${resolutionSeconds} s`;
  const cost = `${first.cpuMs.toFixed(0)} ms of CPU, ${(peakRssBytes / 2 ** 20).toFixed(0)} MiB, ${sinceStartMs.toFixed(0)} ms since start`;
  const target = most === undefined ? undefined : { most };
  const note = `${read}, ${content}; ${cost}`;
  report.add({ name: `${what}, cold`, value: first.ms, unit: 'ms', target, note });
  report.add({
    name: `${what}, warm`,
    value: warm.ms,
    unit: 'ms',
    note: `${warm.cpuMs.toFixed(0)} ms of CPU`,
  });
}

async function inProcess(kind: string, start: number): Promise<RangeMeasurement> {
  const fleet = longRangeFleet();
  const script = join(import.meta.dirname, 'long-range-process.ts');
  const args = [folder, fleet.service, fleet.profileType, start, END, kind].map(String);
  const options = ['--disable-warning=ExperimentalWarning', script, ...args];
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, options, { env });
  return JSON.parse(stdout);
}

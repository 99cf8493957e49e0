import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { addPprof } from '../core/pprof/decode-pprof.ts';
import { DEFAULT_PPROF_LIMITS } from '../core/pprof/pprof-limits.ts';
import { DatasetBuilder } from '../core/profile/dataset-builder.ts';

// node decode-process.ts (cinderblock|pprof-format) SECONDS FILE…: what peer/go-pprof does, by us or by pprof-format: one
// operation parses all files (ungzipped pprof) and merges them into one profile; pprof-format has no merge and only
// parses. Prints the CPU seconds of the cheapest operation, garbage collection and compiler included. A process of its
// own, as the Go program is, so that nobody pays for the garbage of another.

const WARM_UP_SECONDS = 0.6;

const [side, seconds, ...files] = process.argv.slice(2);
const raws = files.map((file) => new Uint8Array(readFileSync(file)));
const operation = side === 'pprof-format' ? parseWithPprofFormat() : decodeAndMerge;
leastSeconds(operation, WARM_UP_SECONDS);
console.log(leastSeconds(operation, Number(seconds)));

function decodeAndMerge(): void {
  const dataset = new DatasetBuilder('bench');
  for (const raw of raws) {
    addPprof(dataset, raw, {
      labels: [['service_name', 'bench']],
      profileName: () => 'bench',
      batch: 0,
      now: 1_760_000_000_000,
      limits: DEFAULT_PPROF_LIMITS,
      keepAddresses: 'unsymbolized',
    });
  }
}

function parseWithPprofFormat(): () => void {
  const { Profile } = createRequire(import.meta.url)('pprof-format') as typeof import('pprof-format');
  return () => {
    for (const raw of raws) Profile.decode(raw);
  };
}

/** Rounds of about 20 ms until the time is up; the cheapest counts, as the machine is shared. */
function leastSeconds(run: () => void, atLeast: number): number {
  const once = cpuSeconds(run);
  const perRound = Math.max(1, Math.floor(0.02 / once));
  let least = once;
  const start = performance.now();
  for (let rounds = 0; rounds < 3 || performance.now() - start < atLeast * 1000; rounds++) {
    const spent = cpuSeconds(() => {
      for (let i = 0; i < perRound; i++) run();
    });
    least = Math.min(least, spent / perRound);
  }
  return least;
}

function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return Math.max(1, user + system) / 1e6;
}

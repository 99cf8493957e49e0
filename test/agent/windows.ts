import type { WindowStatus } from '../../agent/batch-builder.ts';
import { type WrittenFrame, writeOtlp } from '../../agent/node/otlp-writer.ts';
import { wholeBetween } from './seeded-random.ts';

/** One window of an engine: the profiles that it sends, and its status. */
export interface MadeWindow {
  readonly profiles: Uint8Array[];
  readonly status: WindowStatus;
  /** Samples in the profiles. */
  readonly kept: number;
}

export interface WindowShape {
  readonly startMs: number;
  readonly windowMs: number;
  readonly processes: number;
  readonly stacks: number;
  readonly depth: number;
}

/** A window of random samples of processes that are called p0, p1, … */
export function makeWindow(random: () => number, shape: WindowShape): MadeWindow {
  const { startMs, windowMs, processes, stacks, depth } = shape;
  const profiles: Uint8Array[] = [];
  let kept = 0;
  for (let pid = 0; pid < processes; pid++) {
    const samples: [WrittenFrame[], number][] = [];
    for (let i = 0; i < stacks; i++) {
      const count = wholeBetween(random, 1, 20);
      kept += count;
      samples.push([stackOf(random, depth), count]);
    }
    const resource = new Map<string, string | number>([
      ['process.pid', pid + 1000],
      ['process.executable.name', `p${pid}`],
      ['process.executable.path', `/bin/p${pid}`],
    ]);
    profiles.push(writeOtlp({ resource, startMs, durationMs: windowMs, periodNs: 52_631_578, samples }));
  }
  const dropped = random() < 0.3 ? wholeBetween(random, 0, 30) : 0;
  const lost = random() < 0.2 ? wholeBetween(random, 0, 10) : 0;
  return {
    profiles,
    kept,
    status: { windowStartMs: startMs, windowEndMs: startMs + windowMs, taken: kept + dropped, lost },
  };
}

function stackOf(random: () => number, depth: number): WrittenFrame[] {
  const length = wholeBetween(random, 1, depth + 1);
  return Array.from({ length }, () => {
    const n = wholeBetween(random, 0, 500);
    return { functionName: `function_${n}`, file: `/src/file_${n % 50}.c`, line: n, type: 'native' };
  });
}

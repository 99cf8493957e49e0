import type { RowTotals } from '../block/rows-sections.ts';
import type { TimeSpan } from './time-span.ts';

/** Runs kept before those that overlap are joined: memory is bounded by what is really apart. */
const RUNS_MAX = 8192;

/**
 * How much time the windows of an answer cover together: what a sum of CPU time is divided by to be a number of cores. A
 * service that was started ten minutes ago is not measured against the hours before. Exact for raw windows, which count
 * whole, as their values do; downsampled ones count as the step that they are.
 */
export class CoveredTime {
  #runs: TimeSpan[] = [];
  #runsMax = RUNS_MAX;
  #start = 0;
  #end = 0;

  /** A window [start, start + duration), ms. Cheapest in the order of time, series by series, as blocks have them. */
  add(start: number, duration: number): void {
    if (start >= this.#start && start <= this.#end) {
      this.#end = Math.max(this.#end, start + duration);
      return;
    }
    this.#keepRun();
    this.#start = start;
    this.#end = start + duration;
  }

  /** The windows of rows. */
  addRows({ start, duration }: Pick<RowTotals, 'start' | 'duration'>, rows: Uint32Array): void {
    for (let i = 0; i < rows.length; i++) this.add(start[rows[i]!]!, duration[rows[i]!]!);
  }

  /** Length of the union, ms. */
  get ms(): number {
    return this.runs.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** The union, ascending. */
  get runs(): readonly TimeSpan[] {
    this.#keepRun();
    this.#join();
    return this.#runs;
  }

  #keepRun(): void {
    if (this.#end > this.#start) this.#runs.push({ start: this.#start, end: this.#end });
    if (this.#runs.length < this.#runsMax) return;
    this.#join();
    this.#runsMax = Math.max(RUNS_MAX, this.#runs.length * 2);
  }

  #join(): void {
    const joined: { start: number; end: number }[] = [];
    for (const { start, end } of this.#runs.sort((a, b) => a.start - b.start)) {
      const last = joined.at(-1);
      if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
      else joined.push({ start, end });
    }
    this.#runs = joined;
  }
}

import { isBatchId } from './batch-table.ts';

// Agents number the batches of a boot one after the other, and a closed hour holds dozens in a row. An index row names
// such a run by one entry, cluster/node/boot/first-last, so that what a row costs does not grow with how often agents
// send. The batch table inside a block names each batch alone, as its rows refer to them.

/** Batches [first, end) of one boot. */
export interface BatchRun {
  /** What stands before the number; the whole id when it ends in none, and then the run is [-1, 0). */
  readonly boot: string;
  readonly first: number;
  readonly end: number;
}

/** Canonical numbers only: each batch has one name. */
const NUMBERED = /^(0|[1-9]\d{0,14})(?:-([1-9]\d{0,14}))?$/;

/** The batches that an entry of a batch table names; undefined when it names none. */
export function batchRunOf(entry: string): BatchRun | undefined {
  if (!isBatchId(entry)) return undefined;
  const slash = entry.lastIndexOf('/');
  const [, first, last = first] = NUMBERED.exec(entry.slice(slash + 1)) ?? [];
  if (first === undefined || Number(last) < Number(first)) return { boot: entry, first: -1, end: 0 };
  return { boot: entry.slice(0, slash), first: Number(first), end: Number(last) + 1 };
}

/** The ids of the batches of a run. */
export function batchIdsOf({ boot, first, end }: BatchRun): string[] {
  if (first < 0) return [boot];
  return Array.from({ length: end - first }, (_, i) => `${boot}/${first + i}`);
}

/** The entries of a batch table as index rows have them: runs instead of single batches, the others as they are. */
export function packBatchIds(entries: readonly string[]): string[] {
  const packed: string[] = [];
  const boots = new Map<string, BatchRun[]>();
  for (const entry of entries) {
    const run = batchRunOf(entry);
    if (run === undefined) packed.push(entry);
    else if (boots.has(run.boot)) boots.get(run.boot)!.push(run);
    else boots.set(run.boot, [run]);
  }
  for (const runs of boots.values()) packed.push(...joined(runs).map(entryOf));
  return packed;
}

/** The entries of a batch table of which runs were packed. */
export function unpackBatchIds(entries: readonly string[]): string[] {
  return entries.flatMap((entry) => {
    const run = batchRunOf(entry);
    return run === undefined ? [entry] : batchIdsOf(run);
  });
}

/** Runs of one boot, ascending, those that touch made one. */
function joined(runs: BatchRun[]): BatchRun[] {
  const all: { boot: string; first: number; end: number }[] = [];
  for (const run of runs.sort((a, b) => a.first - b.first)) {
    const before = all.at(-1);
    if (before !== undefined && run.first <= before.end) before.end = Math.max(before.end, run.end);
    else all.push({ ...run });
  }
  return all;
}

function entryOf({ boot, first, end }: BatchRun): string {
  if (first < 0) return boot;
  return end - first === 1 ? `${boot}/${first}` : `${boot}/${first}-${end - 1}`;
}

/** The batches that a table names, to be asked for. */
export class BatchRuns {
  /** Ascending, apart from each other. */
  readonly #boots = new Map<string, BatchRun[]>();

  constructor(entries: Iterable<string>) {
    for (const entry of entries) {
      const run = batchRunOf(entry);
      if (run === undefined) continue;
      const known = this.#boots.get(run.boot);
      if (known === undefined) this.#boots.set(run.boot, [run]);
      else known.push(run);
    }
    for (const [boot, runs] of this.#boots) if (runs.length > 1) this.#boots.set(boot, joined(runs));
  }

  /** Those of an entry that the table names too. */
  common(entry: string): BatchRun[] {
    const run = batchRunOf(entry);
    const runs = run && this.#boots.get(run.boot);
    if (run === undefined || runs === undefined) return [];
    const { boot, first, end } = run;
    return runs
      .filter((other) => other.first < end && other.end > first)
      .map((other) => ({ boot, first: Math.max(first, other.first), end: Math.min(end, other.end) }));
  }
}

import { type BatchRun, batchRunOf } from './batch-runs.ts';

/**
 * Tells of each two tables which batches both name, run by run; places a < b. A batch that many tables name is told for
 * each two of them.
 * @param tables batch tables, or the entries of index rows
 * @param mayShare whether two of them can hold the same rows at all: others are not told
 */
export function eachSharedRun(
  tables: readonly (readonly string[])[],
  mayShare: (a: number, b: number) => boolean,
  tell: (a: number, b: number, run: BatchRun) => void,
): void {
  for (const [boot, runs] of runsByBoot(tables)) {
    if (runs.length < 2) continue;
    runs.sort((a, b) => a.first - b.first);
    // Those that are not over yet where the run at hand begins.
    let open: PlacedRun[] = [];
    for (const run of runs) {
      open = open.filter(({ end }) => end > run.first);
      for (const other of open) {
        if (other.place === run.place || !mayShare(other.place, run.place)) continue;
        const [a, b] = other.place < run.place ? [other.place, run.place] : [run.place, other.place];
        tell(a, b, { boot, first: run.first, end: Math.min(run.end, other.end) });
      }
      open.push(run);
    }
  }
}

/** Whether some service is in both: only then may blocks hold the same rows. */
export function haveCommon(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [few, many] = a.size < b.size ? [a, b] : [b, a];
  for (const one of few) if (many.has(one)) return true;
  return false;
}

interface PlacedRun {
  readonly place: number;
  readonly first: number;
  readonly end: number;
}

function runsByBoot(tables: readonly (readonly string[])[]): Map<string, PlacedRun[]> {
  const boots = new Map<string, PlacedRun[]>();
  for (const [place, table] of tables.entries()) {
    for (const entry of table) {
      const run = batchRunOf(entry);
      if (run === undefined) continue;
      const { boot, first, end } = run;
      const known = boots.get(boot);
      if (known === undefined) boots.set(boot, [{ place, first, end }]);
      else known.push({ place, first, end });
    }
  }
  return boots;
}

import { dueSince } from '../core/compaction/due-time.ts';
import { type CompactionJob, groupedBy, isUnsealed, planDay } from '../core/compaction/plan-compaction.ts';
import { planJoins } from '../core/compaction/plan-joins.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';

/** What the blocks of a time ask for. */
export interface DaysPlan {
  /** With the time since when each could have been done, ms. */
  readonly jobs: readonly { readonly job: CompactionJob; readonly due: number }[];
  /** Live blocks, and those that lie aside. */
  readonly blocks: number;
  readonly aside: number;
}

const DAY_MS = 24 * 3_600_000;

/**
 * Plans day by day, so that memory holds the rows of one: those name the batches that may come again. Each day is read in
 * one search, so that a plan never sees a part of a swap; each row once, as a block is of the day in which it begins.
 * @param from begins an hour, and should begin a day: of one that it cuts, the rest is planned
 * @param joins whether it goes back far enough to see long ranges whole, and says which to join
 * @param see is told of every block
 */
export async function planDays(
  hub: Hub,
  { from, joins }: { readonly from: number; readonly joins: boolean },
  see: (row: BlockRow) => void,
): Promise<DaysPlan> {
  const { compaction } = hub.settings;
  const now = hub.clock();
  const plan = { jobs: [] as { job: CompactionJob; due: number }[], blocks: 0, aside: 0 };
  const unsealedDays = new Set<number>();
  const joined = new Set(
    compaction.resolutions.filter(({ joinMs }) => joinMs > 0).map(({ seconds }) => seconds),
  );
  const coarse: BlockRow[] = [];
  const add = (jobs: readonly CompactionJob[], rows: readonly BlockRow[]) => {
    const rowOf = new Map(rows.map((row) => [row.blockId, row]));
    for (const job of jobs) {
      const inputs = job.blockIds.map((id) => rowOf.get(id)!);
      plan.jobs.push({ job, due: dueSince(job, inputs, compaction) });
    }
  };
  for (const range of daysOf(from, now)) {
    const rows = await hub.catalog.find({ tenant: hub.tenant, ...range, starting: true, withAside: true });
    for (const [day, ofDay] of groupedBy(rows, DAY_MS)) {
      add(planDay(ofDay, now, compaction), ofDay);
      if (ofDay.some(isUnsealed)) unsealedDays.add(day);
    }
    for (const row of rows) {
      if (row.aside === undefined) plan.blocks++;
      else plan.aside++;
      if (joins && joined.has(row.resolutionSeconds)) coarse.push(row);
      see(row);
    }
  }
  if (joins) add(planJoins(coarse, unsealedDays, now, compaction), coarse);
  return plan;
}

/** Days from a time on; the last one with what is of the days to come, by clocks that differ. */
function daysOf(from: number, now: number): { from: number; until: number }[] {
  const days: { from: number; until: number }[] = [];
  const today = Math.floor(now / DAY_MS) * DAY_MS;
  let start = from;
  for (let end = (Math.floor(from / DAY_MS) + 1) * DAY_MS; end <= today; start = end, end += DAY_MS)
    days.push({ from: start, until: end });
  return [...days, { from: start, until: today + 3 * DAY_MS }];
}

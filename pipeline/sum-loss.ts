import { type BootExtents, readExtents, writeExtents } from './boot-extents.ts';
import { GroupLease, LeaseLostError } from './group-lease.ts';
import type { Hub } from './hub.ts';
import {
  addSums,
  HOUR_MS,
  type LossState,
  type Period,
  periodEnd,
  periodStart,
  readLossState,
  readSums,
  SLOT_MS,
  type SumsByCluster,
  sumsOf,
  writeLossState,
  writeSums,
} from './loss-sums.ts';
import { sumBatches } from './sum-batches.ts';

export interface SumLossReport {
  /** Hours that were summed. */
  hours: number;
  /** Hours left to the next run. */
  due: number;
}

/** An hour is summed in every run until so long after its end, ms: by then most batches of it have come. */
export const FRESH_MS = 600_000;

/** Hours are summed again at these ages, ms, and once more when no batch of them can come any more. */
const SUM_AGAIN_MS = [FRESH_MS, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS];

/** Hours of which the ledger still knows all, whatever the host: it keeps 14 days on AWS. */
export const LEDGER_MS = 13 * 24 * HOUR_MS;

/** Most hours of the ledger that one run reads. */
export const SUM_HOURS_MAX = 24;

/**
 * Sums the ledger of batches by hour, day and month, so that queries read a few small values instead of one record per
 * batch. Reads the hours that are fresh or due, one at a time. A run that is cut off anywhere is done again.
 */
export async function sumLoss(hub: Hub): Promise<SumLossReport> {
  const lease = await GroupLease.acquire(hub, 'sum-loss');
  if (lease === undefined) return { hours: 0, due: 0 };
  try {
    return await sumUnderLease(hub, lease);
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error;
    hub.telemetry.log('warn', `the sums of loss are left to another: ${error.message}`);
    return { hours: 0, due: 0 };
  } finally {
    await lease.release();
  }
}

/** Runs until nothing is due, for a host that calls it every few minutes. */
export async function sumAllLoss(hub: Hub): Promise<void> {
  while ((await sumLoss(hub)).due > 0);
}

async function sumUnderLease(hub: Hub, lease: GroupLease): Promise<SumLossReport> {
  const now = hub.clock();
  const since = periodStart('hour', now - LEDGER_MS);
  const was = (await readLossState(hub)) ?? { since, at: since, due: [] };
  const { todo, later } = chooseHours(hub, was, now);
  const newest = Math.max(...todo);
  const summed = new Set<number>();
  let known: HourExtents | undefined;
  while (todo.size > 0) {
    const hour = Math.min(...todo);
    todo.delete(hour);
    later.delete(hour);
    await lease.keep();
    const before = known?.hour === hour - HOUR_MS ? known.extents : await readExtents(hub, hour - HOUR_MS);
    known = { hour, extents: before };
    await sumHour(hub, known);
    summed.add(hour);
    const isOver = hour + HOUR_MS <= now;
    // What is missing in the next hour may have changed too: late batches came.
    if (isOver && (await writeExtents(hub, hour, known.extents)) && hour < newest)
      (summed.size + todo.size < SUM_HOURS_MAX ? todo : later).add(hour + HOUR_MS);
  }
  await sumPeriods(hub, 'day', 'hour', summed, now);
  await sumPeriods(hub, 'month', 'day', summed, now);
  await lease.confirm();
  await writeLossState(hub, { since: was.since, at: now, due: [...later].sort((a, b) => a - b) });
  hub.telemetry.gauge('loss_hours_due', later.size);
  return { hours: summed.size, due: later.size };
}

/** Boots as of the end of an hour. */
interface HourExtents {
  readonly hour: number;
  readonly extents: BootExtents;
}

/** Reads the ledger of one hour; the extents, as of the hour before, become those of this one. */
async function sumHour(hub: Hub, { hour, extents }: HourExtents): Promise<void> {
  const search = { from: hour, until: hour + HOUR_MS, stepMs: SLOT_MS };
  const hours = sumBatches(await hub.registry.listBatchSequences(search), extents);
  await writeSums(hub, 'hour', hour, hours.get(hour) ?? new Map());
}

/** The hours that are fresh, and the oldest of those that are due; the others are left to later runs. */
function chooseHours(hub: Hub, was: LossState, now: number): { todo: Set<number>; later: Set<number> } {
  const fresh = new Set<number>();
  const newest = periodStart('hour', now + hub.settings.futureWindowMs);
  for (let hour = periodStart('hour', now - FRESH_MS); hour <= newest; hour += HOUR_MS) fresh.add(hour);
  const ages = [...SUM_AGAIN_MS, hub.settings.lateWindowMs + FRESH_MS];
  const due = [...was.due, ...ages.flatMap((age) => hoursOfAge(age, was.at, now))];
  const oldest = Math.max(was.since, now - LEDGER_MS);
  const inOrder = [...new Set(due)]
    .filter((hour) => hour >= oldest && !fresh.has(hour))
    .sort((a, b) => a - b);
  const first = inOrder.splice(0, SUM_HOURS_MAX - fresh.size);
  return { todo: new Set([...fresh, ...first]), later: new Set(inOrder) };
}

/** Hours that ended `age` before a time within (from, until]. */
function hoursOfAge(age: number, from: number, until: number): number[] {
  const hours: number[] = [];
  const newest = periodStart('hour', until - age) - HOUR_MS;
  for (let hour = newest; hour + HOUR_MS + age > from; hour -= HOUR_MS) hours.push(hour);
  return hours;
}

/** Sums days of hours, or months of days: those that are over and had an hour summed. */
async function sumPeriods(
  hub: Hub,
  period: Period,
  part: Period,
  hours: Iterable<number>,
  now: number,
): Promise<void> {
  const starts = new Set([...hours].map((hour) => periodStart(period, hour)));
  for (const start of starts) {
    const end = periodEnd(period, start);
    if (end > now) continue;
    const whole: SumsByCluster = new Map();
    for (let time = start; time < end; time = periodEnd(part, time)) {
      for (const [cluster, sums] of (await readSums(hub, part, time)) ?? [])
        addSums(sumsOf(whole, cluster), sums);
    }
    await writeSums(hub, period, start, whole);
  }
}

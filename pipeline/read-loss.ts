import type { Hub } from './hub.ts';
import {
  HOUR_MS,
  type LossState,
  type Period,
  periodEnd,
  periodStart,
  readLossState,
  readSums,
  SLOT_MS,
  type SumsByCluster,
} from './loss-sums.ts';

/** What is known of loss in a time range, in whole months, days and hours. */
export interface LossReading {
  /** When the newest hours were summed, ms since epoch. */
  readonly summedAt: number;
  readonly periods: readonly ReadPeriod[];
  /** Hours of the range that were not summed yet. */
  readonly hoursUnknown: number;
}

export interface ReadPeriod extends PlannedPeriod {
  readonly clusters: SumsByCluster;
}

/** An hour at the edge may lie only in part within the range. */
export interface PlannedPeriod {
  readonly period: Period;
  readonly start: number;
}

/**
 * Reads the state, and sums of [start, end): at most 46 hours, 60 days, and the months between, however many clusters
 * there are. Undefined when nothing was ever summed.
 */
export async function readLoss(
  hub: Hub,
  range: { start: number; end: number },
): Promise<LossReading | undefined> {
  const state = await readLossState(hub);
  if (state === undefined) return undefined;
  const summedUntil = periodStart('hour', state.at + hub.settings.futureWindowMs) + HOUR_MS;
  const start = Math.max(range.start, state.since);
  const end = Math.min(range.end, summedUntil);
  const planned = planPeriods({ start, end }, state);
  const parts = await Promise.all(planned.map((period) => readPeriod(hub, period, state)));
  return {
    summedAt: state.at,
    periods: parts.flatMap((part) => part.periods),
    hoursUnknown: parts.reduce((sum, part) => sum + part.hoursUnknown, 0),
  };
}

/** Covers [start, end) with as few periods as possible; days and months are whole, and were over when they were summed. */
export function planPeriods(
  { start, end }: { start: number; end: number },
  { since, at }: Pick<LossState, 'since' | 'at'>,
): PlannedPeriod[] {
  const planned: PlannedPeriod[] = [];
  const wholeUntil = Math.min(end, at);
  let time = periodStart('hour', start);
  while (time < end) {
    const isWhole = (period: Period) => {
      const from = periodStart(period, time);
      return start <= time && time <= Math.max(from, since) && periodEnd(period, from) <= wholeUntil;
    };
    const period = isWhole('month') ? 'month' : isWhole('day') ? 'day' : 'hour';
    planned.push({ period, start: periodStart(period, time) });
    time = periodEnd(period, periodStart(period, time));
  }
  return planned;
}

/** Share of a sum of an hour that lies within the range, in steps of SLOT_MS: what is gone there. */
export function goneWithin(
  { period, start: at }: PlannedPeriod,
  sums: {
    lostByKernel: number;
    droppedByAgent: number;
    missingBatches: number;
    slots: ReadonlyMap<number, { samples: number; missingBatches: number }>;
  },
  { start, end }: { start: number; end: number },
): { samples: number; missingBatches: number } {
  const { lostByKernel, droppedByAgent, missingBatches } = sums;
  const gone = { samples: lostByKernel + droppedByAgent, missingBatches };
  if (period !== 'hour' || (start <= at && at + HOUR_MS <= end)) return gone;
  gone.samples = 0;
  gone.missingBatches = 0;
  for (const [slotStart, slot] of sums.slots) {
    if (slotStart + SLOT_MS <= start || slotStart >= end) continue;
    gone.samples += slot.samples;
    gone.missingBatches += slot.missingBatches;
  }
  return gone;
}

/** A day or month that is not there, because the sums lag, is read in its parts. */
async function readPeriod(
  hub: Hub,
  { period, start }: PlannedPeriod,
  { since }: LossState,
): Promise<{ periods: ReadPeriod[]; hoursUnknown: number }> {
  const clusters = await readSums(hub, period, start);
  if (clusters !== undefined) return { periods: [{ period, start, clusters }], hoursUnknown: 0 };
  if (period === 'hour') return { periods: [], hoursUnknown: 1 };
  const part = period === 'month' ? 'day' : 'hour';
  const found: { periods: ReadPeriod[]; hoursUnknown: number } = { periods: [], hoursUnknown: 0 };
  for (let time = start; time < periodEnd(period, start); time = periodEnd(part, time)) {
    if (periodEnd(part, time) <= since) continue;
    const { periods, hoursUnknown } = await readPeriod(
      hub,
      { period: part, start: time },
      { since, at: 0, due: [] },
    );
    found.periods.push(...periods);
    found.hoursUnknown += hoursUnknown;
  }
  return found;
}

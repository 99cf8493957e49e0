import { unpackBatchIds } from '../../core/block/batch-runs.ts';
import { checkAudit, checkHours, checkSeries, checkTree } from './check-answers.ts';
import { blocksOf, checkSealedDays } from './check-blocks.ts';
import { DAY_MS } from './expected-sums.ts';
import type { YearState } from './year-state.ts';

const JOINED_DAYS = 32;
/** Raw windows are sealed once this many days are over, and then some hours: 84 h after the end of a day. */
const SEALED_AFTER_DAYS = 5;
const RESOLUTIONS = [0, 300, 3600, 86_400];

/**
 * After each day: the last days as answers, random ranges of the past, and blocks of the day that was sealed last and of one
 * that was sealed at any time.
 * @param first day of the year, as a number of days
 * @param today not begun yet
 */
export async function checkDay(state: YearState, first: number, today: number): Promise<void> {
  const { figures, fleet, sampled, random } = state;
  const ordinal = today - first - 1;
  const recent = Math.max(first, today - 6);
  figures.compared += await checkSeries(state, recent, today);
  const service = fleet.services[ordinal % fleet.services.length]!;
  figures.compared += await checkHours(state, service, recent, today);
  const from = first + Math.floor(random() * (today - first));
  const until = from + 1 + Math.floor(random() * (today - from));
  figures.compared += await checkTree(state, sampled[ordinal % sampled.length]!, from, until, true);
  figures.compared += await checkTree(state, service, from, until, false);
  const sealed = today - SEALED_AFTER_DAYS;
  if (sealed <= first) return;
  figures.compared += await checkSealed(state, sealed - 1);
  figures.compared += await checkSealed(state, first + Math.floor(random() * (sealed - first)));
  figures.compared += await checkAudit(state, sealed - 1);
}

/** A sealed day, at every resolution; one that a crash kept from being sealed waits for its next turn. */
async function checkSealed(state: YearState, day: number): Promise<number> {
  const { hub, sums } = state;
  const rows = await blocksOf(hub.sound, day * DAY_MS, (day + 1) * DAY_MS);
  if (rows.some((row) => unpackBatchIds(row.batchIds).some((id) => sums.isTold(id)))) return 0;
  // Blocks of 1 d are joined once their range is over; then they belong to its first day, and are checked as one.
  const rangeEnd = (Math.floor(day / JOINED_DAYS) + 1) * JOINED_DAYS;
  const isJoined = hub.now >= (rangeEnd + SEALED_AFTER_DAYS - 2) * DAY_MS;
  return checkSealedDays(state, day, day + 1, isJoined ? RESOLUTIONS.slice(0, 3) : RESOLUTIONS);
}

/** At the end: every day and service as answers, every sampled service stack by stack, and all blocks there are. */
export async function checkAll(state: YearState, from: number, until: number): Promise<void> {
  const { figures, fleet, sampled } = state;
  for (let day = from; day < until; day++)
    figures.compared += await checkSealedDays(state, day, day + 1, RESOLUTIONS.slice(0, 3));
  for (let day = from; day < until; day += JOINED_DAYS) {
    const end = Math.min(until, day + JOINED_DAYS);
    figures.compared += await checkSealedDays(state, day, end, [86_400]);
    figures.compared += await checkSeries(state, day, end);
  }
  for (const service of fleet.services)
    figures.compared += await checkTree(state, service, from, until, sampled.includes(service));
  for (const service of sampled)
    figures.compared += await checkHours(state, service, Math.max(from, until - 9), until);
}

import { RejectedError } from '../../core/errors.ts';

const HOUR_MS = 3_600_000;

/** Ends beyond this are no time, and would be inexact as numbers. */
const TIME_MAX = 8_640_000_000_000_000n;

/**
 * The range of a querier.v1 request in ms. Both 0, as older Grafana versions send, is the last hour.
 * @throws RejectedError('invalid') when one is missing, or start is after end
 */
export function queryRange(start: bigint, end: bigint, now: number): { start: number; end: number } {
  if (start === 0n && end === 0n) return { start: now - HOUR_MS, end: now };
  if (start === 0n || end === 0n) throw new RejectedError('invalid', 'missing time range in the query');
  return timeRange(start, end);
}

/** @throws RejectedError('invalid') */
export function timeRange(start: bigint, end: bigint): { start: number; end: number } {
  if (start > end) throw new RejectedError('invalid', `start (${start}) is after end (${end})`);
  if (start < 0n || end > TIME_MAX) throw new RejectedError('invalid', 'times are ms since epoch');
  return { start: Number(start), end: Number(end) };
}

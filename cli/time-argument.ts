import { UsageError } from './exit-code.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * A point in time in ms since epoch: `now`, `now-1h` (ms s m h d w), RFC 3339 (`2026-11-21T09:30:00Z`, or the date
 * alone, UTC), or digits since epoch: up to 11 are seconds, 13 ms, 16 µs, 19 ns.
 * @throws UsageError naming the option
 */
export function parseTime(option: string, text: string, nowMs: number): number {
  const trimmed = text.trim();
  const time = relativeTime(trimmed, nowMs) ?? epochTime(trimmed) ?? calendarTime(trimmed);
  if (time !== undefined && time >= 0) return time;
  throw new UsageError(
    `${option} is "${text}", which is no time: use now-1h, 2026-11-21T09:30:00Z or digits since epoch (s, ms, µs, ns)`,
  );
}

function relativeTime(text: string, nowMs: number): number | undefined {
  const [matched, sign, count, unit] = /^now(?:([+-])(\d{1,12})(ms|[smhdw]))?$/.exec(text) ?? [];
  if (matched === undefined) return undefined;
  if (unit === undefined) return nowMs;
  return nowMs + (sign === '-' ? -1 : 1) * Number(count) * UNIT_MS[unit]!;
}

function epochTime(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  if (text.length <= 11) return Number(text) * 1000;
  if (text.length === 13) return Number(text);
  if (text.length === 16) return Number(BigInt(text) / 1000n);
  if (text.length === 19) return Number(BigInt(text) / 1_000_000n);
  return undefined;
}

/** A time without an offset is refused: it would mean another instant on every machine. */
function calendarTime(text: string): number | undefined {
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isTime = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})$/.test(text);
  if (!isDate && !isTime) return undefined;
  const time = Date.parse(text.replace(' ', 'T').toUpperCase());
  return Number.isNaN(time) ? undefined : time;
}

/** A length of time in ms, such as `30s` or `5m`. @throws UsageError naming the option */
export function parseDuration(option: string, text: string): number {
  const [, count, unit] = /^(\d{1,9})(ms|[smhdw])$/.exec(text.trim()) ?? [];
  const length = unit === undefined ? 0 : Number(count) * UNIT_MS[unit]!;
  if (length > 0) return length;
  throw new UsageError(`${option} is "${text}", which is no length of time: use 30s, 5m or 1h`);
}

/** [from, until) of `--from` and `--until`; the last hour unless they say otherwise. @throws UsageError */
export function parseRange(
  values: { readonly from?: string; readonly until?: string },
  nowMs: number,
): { start: number; end: number } {
  const end = parseTime('--until', values.until ?? 'now', nowMs);
  const start = parseTime('--from', values.from ?? 'now-1h', nowMs);
  if (start < end) return { start, end };
  throw new UsageError(
    `--from (${new Date(start).toISOString()}) must lie before --until (${new Date(end).toISOString()})`,
  );
}

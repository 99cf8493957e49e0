/** A range that moves with the clock, or a fixed one: ms since epoch, half-open. */
export type TimeRange = { kind: 'last'; seconds: number } | { kind: 'between'; start: number; end: number };

export interface Span {
  start: number;
  end: number;
}

export const RANGE_PRESETS = [
  { seconds: 15 * 60, label: 'Last 15 min' },
  { seconds: 3600, label: 'Last hour' },
  { seconds: 6 * 3600, label: 'Last 6 hours' },
  { seconds: 24 * 3600, label: 'Last 24 hours' },
  { seconds: 7 * 86_400, label: 'Last 7 days' },
] as const;

export function resolveRange(range: TimeRange, now: number): Span {
  if (range.kind === 'between') return { start: range.start, end: range.end };
  return { start: now - range.seconds * 1000, end: now };
}

/** The same length, moved by whole windows; a moving range becomes fixed. */
export function shiftRange(range: TimeRange, windows: number, now: number): TimeRange {
  const { start, end } = resolveRange(range, now);
  const by = (end - start) * windows;
  return { kind: 'between', start: start + by, end: end + by };
}

/** "1h", or "1700000000000-1700003600000". */
export function rangeToText(range: TimeRange): string {
  return range.kind === 'last' ? durationToText(range.seconds) : spanToText(range);
}

export function rangeFromText(text: string): TimeRange | undefined {
  const seconds = durationFromText(text);
  if (seconds !== undefined) return { kind: 'last', seconds };
  const span = spanFromText(text);
  return span && { kind: 'between', ...span };
}

export function spanToText(span: Span): string {
  return `${span.start}-${span.end}`;
}

export function spanFromText(text: string): Span | undefined {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  if (!match) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  return start < end ? { start, end } : undefined;
}

const UNITS: [string, number][] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];

/** 5400 → "90m": the largest unit that it is a whole multiple of. */
export function durationToText(seconds: number): string {
  const [unit, size] = UNITS.find(([, length]) => seconds % length === 0) ?? ['s', 1];
  return `${seconds / size}${unit}`;
}

export function durationFromText(text: string): number | undefined {
  const match = /^(\d{1,7})\s*(d|h|m|s)[a-z]*$/i.exec(text.trim());
  if (!match) return undefined;
  const seconds = Number(match[1]) * UNITS.find(([unit]) => unit === match[2].toLowerCase())![1];
  return seconds > 0 ? seconds : undefined;
}

/**
 * What people paste: "2026-11-20 14:00..15:00 UTC", "2026-11-20T14:00Z/2026-11-20T15:00Z", two epochs in seconds or
 * milliseconds, "now-1h..now", "last 15m".
 */
export function parsePastedRange(text: string, now: number, utc: boolean): TimeRange | undefined {
  const trimmed = text.trim().replace(/^last\s+/i, '');
  const seconds = durationFromText(
    trimmed.replace(/^now\s*-\s*/i, '').replace(/\s*(\.\.|to|\/)\s*now$/i, ''),
  );
  if (seconds !== undefined) return { kind: 'last', seconds };
  const inUtc = utc || /(utc|gmt|z)$/i.test(trimmed);
  const parts = trimmed
    .replace(/\s*(utc|gmt)$/i, '')
    .split(/\s*(?:\.\.+|\/|\s+to\s+|\s+–\s+|\s+-\s+|,)\s*|(?<=^\d{10,13})-(?=\d{10,13}$)/);
  if (parts.length !== 2) return undefined;
  const start = parseInstant(parts[0], now, inUtc);
  if (start === undefined) return undefined;
  const end = parseInstant(parts[1], now, inUtc, start);
  return end !== undefined && end > start ? { kind: 'between', start, end } : undefined;
}

/** A time of day alone is on the day of `sameDayAs`. */
function parseInstant(text: string, now: number, utc: boolean, sameDayAs?: number): number | undefined {
  if (/^now$/i.test(text)) return now;
  if (/^\d{10}$/.test(text)) return Number(text) * 1000;
  if (/^\d{13}$/.test(text)) return Number(text);
  const zone = utc ? 'Z' : '';
  if (/^\d{1,2}:\d{2}(:\d{2})?$/.test(text) && sameDayAs !== undefined) {
    const time = text.indexOf(':') === 1 ? `0${text}` : text;
    return toTime(`${dayText(sameDayAs, utc)}T${time}${zone}`);
  }
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?(Z|[+-]\d{2}:?\d{2})?$/.exec(
    text,
  );
  if (!match) return undefined;
  return toTime(`${match[1]}T${match[2] ?? '00:00'}${match[3] ?? zone}`);
}

function toTime(iso: string): number | undefined {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? undefined : time;
}

/** "2026-11-20" of an instant. */
export function dayText(time: number, utc: boolean): string {
  const date = new Date(time);
  if (utc) return date.toISOString().slice(0, 10);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** "14:03:20", or "14:03" without seconds. */
export function timeText(time: number, utc: boolean, seconds = true): string {
  const date = new Date(time);
  const [h, m, s] = utc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${two(h)}:${two(m)}${seconds ? `:${two(s)}` : ''}`;
}

/** "2026-11-20 14:00 – 15:00": the day only once where both ends share it. */
export function spanText(span: Span, utc: boolean): string {
  const seconds = span.end - span.start < 10 * 60_000;
  const [from, to] = [dayText(span.start, utc), dayText(span.end, utc)];
  const end = `${from === to ? '' : `${to} `}${timeText(span.end, utc, seconds)}`;
  return `${from} ${timeText(span.start, utc, seconds)} – ${end}${utc ? ' UTC' : ''}`;
}

export function rangeLabel(range: TimeRange, utc: boolean): string {
  if (range.kind === 'between') return spanText(range, utc);
  const preset = RANGE_PRESETS.find((entry) => entry.seconds === range.seconds);
  return preset ? preset.label : `Last ${durationToText(range.seconds)}`;
}

/** "12 s", "3 min", "5 h", "2 d": how long ago, coarsely. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

import { MalformedInputError } from '../../core/errors.ts';

const UNIT_MS = new Map<string | undefined, number>(
  Object.entries({
    s: 1000,
    sec: 1000,
    second: 1000,
    seconds: 1000,
    m: 60_000,
    min: 60_000,
    minute: 60_000,
    minutes: 60_000,
    h: 3_600_000,
    hour: 3_600_000,
    hours: 3_600_000,
    d: 86_400_000,
    day: 86_400_000,
    days: 86_400_000,
    w: 604_800_000,
    week: 604_800_000,
    weeks: 604_800_000,
  }),
);

/**
 * A time as Pyroscope's clients write it, in ms since epoch. Digits are read by their count: 8 are YYYYMMDD (UTC),
 * 13 ms, 16 µs, 19 ns, any other count seconds. Else `now`, `now-1h`, `now-30m`.
 * @throws MalformedInputError naming the parameter
 */
export function parseRequestTime(parameter: string, text: string, now: number): number {
  if (/^\d+$/.test(text)) return fromDigits(parameter, text);
  if (text.trim().toLowerCase() === 'now') return now;
  const [, sign, count, unit] = /^now([+-])(\d+)([a-z]+)$/.exec(text.trim().toLowerCase()) ?? [];
  const length = UNIT_MS.get(unit);
  if (length === undefined) {
    throw new MalformedInputError(parameter, `"${text}" is neither a time in digits nor like now-1h`);
  }
  return now + (sign === '-' ? -1 : 1) * Number(count) * length;
}

function fromDigits(parameter: string, digits: string): number {
  switch (digits.length) {
    case 8:
      return fromDay(parameter, digits);
    case 13:
      return Number(digits);
    case 16:
      return Number(BigInt(digits) / 1000n);
    case 19:
      return Number(BigInt(digits) / 1_000_000n);
    default:
      if (digits.length <= 11) return Number(digits) * 1000;
      throw new MalformedInputError(
        parameter,
        `"${digits}" has ${digits.length} digits; seconds, ms, µs and ns do not`,
      );
  }
}

function fromDay(parameter: string, digits: string): number {
  const day = `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
  const time = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(time))
    throw new MalformedInputError(parameter, `"${digits}" is read as ${day}, which is no day`);
  return time;
}

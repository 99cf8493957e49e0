// Values as people read them, three to four digits and a unit.

const NANOSECONDS: readonly [number, string][] = [
  [86_400e9, 'd'],
  [3600e9, 'h'],
  [60e9, 'min'],
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
];
const BYTES: readonly [number, string][] = [
  [2 ** 50, 'PiB'],
  [2 ** 40, 'TiB'],
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
  [1, 'B'],
];
const PER_UNIT: Readonly<Record<string, number>> = {
  nanoseconds: 1,
  microseconds: 1e3,
  milliseconds: 1e6,
  seconds: 1e9,
};

/** A value in a profile's unit: "1.25 s", "3.4 MiB", "12,345". */
export function quantity(value: number, unit: string): string {
  const nanoseconds = PER_UNIT[unit];
  if (nanoseconds !== undefined) return scaled(value * nanoseconds, NANOSECONDS);
  if (unit === 'bytes') return scaled(value, BYTES);
  return unit === 'count' || unit === '' ? count(value) : `${count(value)} ${unit}`;
}

export function bytesText(value: number): string {
  return scaled(value, BYTES);
}

/** A length of time in ms. */
export function durationText(ms: number): string {
  return scaled(ms * 1e6, NANOSECONDS);
}

export function count(value: number | bigint): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

/** "1 block", "12,345 blocks". */
export function counted(value: number, thing: string, things = `${thing}s`): string {
  return `${count(value)} ${value === 1 ? thing : things}`;
}

/** A share of the whole, "12.3%"; of nothing, "0.0%". */
export function percent(part: number, whole: number): string {
  return `${(whole > 0 ? (100 * part) / whole : 0).toFixed(1)}%`;
}

/** RFC 3339 in UTC, to the second where that says all. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

function scaled(value: number, steps: readonly [number, string][]): string {
  const [size, unit] = steps.find(([least]) => Math.abs(value) >= least) ?? steps.at(-1)!;
  const shown = value / size;
  const digits = Number.isInteger(shown) ? 0 : Math.abs(shown) >= 100 ? 0 : Math.abs(shown) >= 10 ? 1 : 2;
  return `${shown.toFixed(digits)} ${unit}`;
}

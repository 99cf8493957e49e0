// Numbers as people read them: three significant digits, SI for counts, IEC for bytes, the largest fitting unit of
// time. The minus sign is the typographic one.

const TIME_UNITS: [number, string][] = [
  [86_400e9, 'd'],
  [3600e9, 'h'],
  [60e9, 'min'],
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
];

const UNIT_IN_NANOSECONDS: Record<string, number> = {
  nanoseconds: 1,
  microseconds: 1e3,
  milliseconds: 1e6,
  seconds: 1e9,
};

/** "57.0 s", "1.21 GiB", "12.3 k". `unit` as in a call tree. */
export function formatValue(value: number, unit: string): string {
  if (value < 0) return `−${formatValue(-value, unit)}`;
  const nanoseconds = UNIT_IN_NANOSECONDS[unit];
  if (nanoseconds !== undefined) return formatNanoseconds(value * nanoseconds);
  if (unit === 'bytes') return formatBytes(value);
  const plain = unit === 'count' || unit === 'objects' || unit === '';
  return `${formatCount(value)}${plain ? '' : ` ${unit}`}`;
}

function formatNanoseconds(value: number): string {
  if (value === 0) return '0 s';
  // Hours and days only where seconds would be unreadable.
  const [size, name] = TIME_UNITS.find(([length]) => value >= length * (length > 1e9 ? 2 : 1)) ?? [1, 'ns'];
  return `${digits(value / size)} ${name}`;
}

export function formatBytes(value: number): string {
  return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
}

/** Whole numbers below 10,000 in full, with a thin space between thousands. */
export function formatCount(value: number): string {
  if (Number.isInteger(value) && value < 10_000) return String(value).replace(/(?=\d{3}$)(?<=\d)/, '\u2009');
  return scaled(value, 1000, ['', 'k', 'M', 'G', 'T', 'P']).trimEnd();
}

function scaled(value: number, base: number, names: string[]): string {
  let step = 0;
  let rest = value;
  while (rest >= base && step < names.length - 1) {
    rest /= base;
    step++;
  }
  return `${digits(rest)} ${names[step]}`;
}

/** Three significant digits, whole numbers without a point. */
export function digits(value: number): string {
  if (value === 0) return '0';
  if (value >= 100) return value.toFixed(0);
  if (Number.isInteger(value)) return String(value);
  if (value >= 10) return value.toFixed(1);
  if (value >= 0.01) return value.toFixed(2);
  return value.toPrecision(2);
}

/** "51.9 %"; tiny shares stay visible as "<0.01 %". */
export function formatShare(part: number, whole: number): string {
  if (!(whole > 0)) return '–';
  const percent = (100 * part) / whole;
  if (part === 0) return '0 %';
  if (Math.abs(percent) < 0.01) return '<0.01 %';
  if (Math.abs(percent) >= 99.995) return `${percent.toFixed(0)} %`;
  return `${percent.toFixed(Math.abs(percent) < 10 ? 2 : 1)} %`;
}

/** CPU nanoseconds over a span → "2.14 cores". */
export function formatCores(nanoseconds: number, spanMs: number): string {
  if (!(spanMs > 0)) return '–';
  const cores = nanoseconds / 1e6 / spanMs;
  if (cores !== 0 && Math.abs(cores) < 0.001) return `${digits(Math.abs(cores) * 1e6)} µcores`;
  if (Math.abs(cores) < 1 && cores !== 0) return `${digits(Math.abs(cores) * 1000)} mcores`;
  return Math.abs(cores) === 1 ? '1 core' : `${digits(Math.abs(cores))} cores`;
}

/** "+12.3 %", "−4 %"; "new" and "gone" where a side is 0. */
export function formatChange(before: number, after: number): string {
  if (before === 0) return after === 0 ? '0 %' : 'new';
  if (after === 0) return 'gone';
  const percent = (100 * (after - before)) / before;
  if (Math.abs(percent) < 0.05) return '0 %';
  return `${percent > 0 ? '+' : '−'}${digits(Math.abs(percent))} %`;
}

/** "+3.2 s" or "−3.2 s", by the given format. */
export function signed(value: number, format: (magnitude: number) => string): string {
  if (value === 0) return format(0);
  return `${value > 0 ? '+' : '−'}${format(Math.abs(value))}`;
}

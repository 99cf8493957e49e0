import type { Timeline } from './api.ts';

/** One value of the label, over time. */
export interface LabelSeries {
  /** '' where the label is missing. */
  value: string;
  points: { timeMs: number; value: number }[];
}

/** A timeline split by a label: the values that use most, and the rest together. */
export interface Split {
  label: string;
  parts: SplitPart[];
}

export interface SplitPart {
  /** undefined is the rest. */
  value: string | undefined;
  /** As many as the timeline has points, in their order. */
  values: Float64Array;
  total: number;
}

/** As many as colours that people tell apart. */
export const SPLIT_MOST = 6;

/** Rows of a heatmap: more than a screen shows, few enough for one answer. */
export const HEAT_MOST = 40;

/** A rest below this is rounding. */
const REST_SHARE = 0.001;

/**
 * Largest first, and the rest last: a bucket's values sum to the bucket. The first and last bucket may be cut by the
 * range while a series has them whole; there each part keeps its share of what is drawn.
 */
export function splitTimeline(
  { points }: Timeline,
  label: string,
  series: readonly LabelSeries[],
): Split | undefined {
  if (points.length === 0 || series.length === 0) return undefined;
  const at = new Map(points.map(({ timeMs }, i) => [timeMs, i]));
  const columns = series.map(({ points: own }) => {
    const values = new Float64Array(points.length);
    for (const { timeMs, value } of own) {
      const i = at.get(timeMs);
      if (i !== undefined) values[i] = value;
    }
    return values;
  });
  const rest = new Float64Array(points.length);
  points.forEach(({ value }, i) => {
    const known = columns.reduce((sum, values) => sum + values[i], 0);
    rest[i] = Math.max(0, value - known);
    if (known > value) for (const values of columns) values[i] *= value / known;
  });
  const parts = columns
    .map((values, i) => ({ value: series[i].value, values, total: sumOf(values) }))
    .sort((a, b) => b.total - a.total || (a.value < b.value ? -1 : 1));
  const restTotal = sumOf(rest);
  const whole = restTotal + parts.reduce((sum, { total }) => sum + total, 0);
  const hasRest = restTotal > whole * REST_SHARE;
  return {
    label,
    parts: hasRest ? [...parts, { value: undefined, values: rest, total: restTotal }] : parts,
  };
}

function sumOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** "api-7f9", "no pod", "others" */
export function partName({ label }: Split, { value }: SplitPart): string {
  if (value === undefined) return 'others';
  return value === '' ? `no ${label}` : value;
}

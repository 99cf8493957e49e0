import type { Timeline, TimelinePoint } from '../state/api.ts';

/** What the agent sends: steps as short as this hold one window of a series each. */
const WINDOW_MS = 10_000;

/** How far above the largest bar the axis reaches for a peak; what is higher is cut, and told in words. */
const PEAK_MOST = 2;

export interface Band {
  least: number;
  most: number;
}

/**
 * Between what a bucket would be if all of its windows were like the smallest of them, and like the largest: what a bar,
 * which is their sum, levels out. Undefined where a bucket is no longer than a window, or there is no difference.
 */
export function bandOf({ stepMs }: Timeline, { windows, least, most }: TimelinePoint): Band | undefined {
  if (stepMs <= WINDOW_MS || windows < 2 || least >= most) return undefined;
  return { least: least * windows, most: most * windows };
}

/** Top of the value axis, so that it has room for bars and, within reason, for peaks. */
export function peakOf(timeline: Timeline): number {
  let bar = 0;
  let band = 0;
  for (const point of timeline.points) {
    bar = Math.max(bar, point.value);
    band = Math.max(band, bandOf(timeline, point)?.most ?? 0);
  }
  return Math.max(bar, Math.min(band, bar * PEAK_MOST));
}

import type { Timeline } from '../state/api.ts';
import type { Split } from '../state/split.ts';
import { dayText, type Span, timeText } from '../state/time-range.ts';
import { bandOf, peakOf } from './timeline-band.ts';

export interface TimelinePaint {
  timeline: Timeline;
  window: Span;
  selection: Span | undefined;
  /** What each bar is made of, from the bottom up; undefined paints plain bars. */
  split: Split | undefined;
  /** Bucket start that the keyboard is on. */
  cursor: number | undefined;
  /** Newest moment that is known to be whole; later buckets still fill. */
  settledUntil: number;
  colors: TimelineColors;
  utc: boolean;
  /** Value of a bucket as the axis shows it, and how to write it. */
  scale: (value: number) => number;
  format: (value: number) => string;
}

export interface TimelineColors {
  bar: string;
  barOutside: string;
  /** Of the parts of a split, in their order; the last is for the rest. */
  parts: string[];
  axis: string;
  text: string;
  hatch: string;
  selection: string;
  selectionEdge: string;
  background: string;
}

export const AXIS_HEIGHT = 18;
export const AXIS_WIDTH = 80;
const TOP = 6;
/** Of what the windows of a bucket reach beyond its bar. */
const BAND_ALPHA = 0.3;
const FONT = '11px system-ui, "DejaVu Sans", sans-serif';

export interface TimelineSize {
  width: number;
  height: number;
}

/** x of a time, and back. The plot lies between the value axis and the right edge. */
export function xOf(time: number, window: Span, size: TimelineSize): number {
  return AXIS_WIDTH + ((time - window.start) / (window.end - window.start)) * (size.width - AXIS_WIDTH);
}

export function timeAt(x: number, window: Span, size: TimelineSize): number {
  const share = (x - AXIS_WIDTH) / (size.width - AXIS_WIDTH);
  return window.start + Math.min(1, Math.max(0, share)) * (window.end - window.start);
}

/** Whole buckets, so that the brushed sum is the sum of what is drawn. */
export function snapped({ start, end }: Span, stepMs: number): Span {
  if (stepMs <= 0) return { start: Math.floor(start), end: Math.ceil(end) };
  return { start: Math.floor(start / stepMs) * stepMs, end: Math.ceil(end / stepMs) * stepMs };
}

/**
 * Bars per bucket, before the band that its windows lie in; where a bucket is missing there is no data, which is hatched
 * and not drawn as zero.
 */
export function paintTimeline(
  context: CanvasRenderingContext2D,
  paint: TimelinePaint,
  size: TimelineSize,
): void {
  context.fillStyle = paint.colors.background;
  context.fillRect(0, 0, size.width, size.height);
  const bottom = size.height - AXIS_HEIGHT;
  const peak = niceCeiling(paint.scale(peakOf(paint.timeline)));
  const yOf = (value: number) => bottom - (peak > 0 ? (value / peak) * (bottom - TOP) : 0);
  paintGaps(context, paint, size, bottom);
  paintValueAxis(context, paint, size, peak, yOf);
  paintBars(context, paint, size, bottom, yOf);
  paintTimeAxis(context, paint, size, bottom);
  paintSelection(context, paint, size, bottom);
}

function paintBars(
  context: CanvasRenderingContext2D,
  { timeline, window, selection, split, settledUntil, colors, scale }: TimelinePaint,
  size: TimelineSize,
  bottom: number,
  yOf: (value: number) => number,
): void {
  timeline.points.forEach((point, i) => {
    const { timeMs, value } = point;
    const left = Math.max(AXIS_WIDTH, xOf(timeMs, window, size));
    const right = Math.min(size.width, xOf(timeMs + timeline.stepMs, window, size));
    if (right <= left) return;
    const inside = !selection || (timeMs + timeline.stepMs > selection.start && timeMs < selection.end);
    const gap = right - left > 4 ? 1 : 0;
    const alpha = timeMs + timeline.stepMs > settledUntil ? 0.45 : 1;
    const band = bandOf(timeline, point);
    if (band) {
      const top = Math.max(TOP, yOf(scale(band.most)));
      context.globalAlpha = alpha * BAND_ALPHA;
      context.fillStyle = inside ? colors.bar : colors.barOutside;
      context.fillRect(left, top, right - left - gap, yOf(scale(band.least)) - top);
    }
    context.globalAlpha = alpha;
    const paintBox = (from: number, to: number, color: string) => {
      const floor = from === 0 ? bottom : yOf(scale(from));
      const top = Math.min(yOf(scale(to)), floor - (from === 0 ? 1 : 0));
      context.fillStyle = color;
      context.fillRect(left, top, right - left - gap, floor - top);
    };
    if (!split || !inside) {
      paintBox(0, value, inside ? colors.bar : colors.barOutside);
      // How far down the band reaches shows on the bar.
      context.globalAlpha = alpha * BAND_ALPHA;
      if (band) paintBox(band.least, value, colors.background);
      return;
    }
    let below = 0;
    split.parts.forEach(({ values, value: name }, part) => {
      if (values[i] > 0) paintBox(below, below + values[i], partColor(colors, name, part));
      below += values[i];
    });
  });
  context.globalAlpha = 1;
}

/** Colour of a split's part, for bars and legend alike. */
export function partColor({ parts }: Pick<TimelineColors, 'parts'>, value: string | undefined, at: number) {
  return value === undefined ? parts[parts.length - 1] : parts[at % (parts.length - 1)];
}

/** A bucket this young may still be on its way; an empty one that is older is a gap. */
const GRACE_MS = 60_000;

/**
 * Runs of whole buckets without data, as [start, end) in ms. The range's first bucket counts only if it is in it from
 * its start; buckets after `settledUntil` may still come, for at most GRACE_MS.
 */
export function gapsOf({ points, stepMs }: Timeline, window: Span, settledUntil: number): Span[] {
  if (stepMs <= 0) return [window];
  const gaps: Span[] = [];
  const end = Math.min(window.end, Math.max(settledUntil, window.end - GRACE_MS) - stepMs);
  let at = Math.ceil(window.start / stepMs) * stepMs;
  for (const { timeMs } of points) {
    if (timeMs > at) gaps.push({ start: at, end: timeMs });
    at = Math.max(at, timeMs + stepMs);
  }
  if (end > at) gaps.push({ start: at, end: window.end });
  return gaps;
}

function paintGaps(
  context: CanvasRenderingContext2D,
  { timeline, window, settledUntil, colors }: TimelinePaint,
  size: TimelineSize,
  bottom: number,
): void {
  context.strokeStyle = colors.hatch;
  context.lineWidth = 1;
  for (const gap of gapsOf(timeline, window, settledUntil)) {
    const left = Math.max(AXIS_WIDTH, xOf(gap.start, window, size));
    const right = xOf(gap.end, window, size);
    if (right - left < 1) continue;
    context.save();
    context.beginPath();
    context.rect(left, TOP, right - left, bottom - TOP);
    context.clip();
    context.beginPath();
    for (let x = left - bottom; x < right; x += 7) {
      context.moveTo(x, bottom);
      context.lineTo(x + bottom - TOP, TOP);
    }
    context.stroke();
    context.restore();
  }
}

function paintValueAxis(
  context: CanvasRenderingContext2D,
  { colors, format }: TimelinePaint,
  size: TimelineSize,
  peak: number,
  yOf: (value: number) => number,
): void {
  context.font = FONT;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const value of peak > 0 ? [0, peak / 2, peak] : [0]) {
    const y = Math.round(yOf(value)) + 0.5;
    context.strokeStyle = colors.axis;
    context.beginPath();
    context.moveTo(AXIS_WIDTH, y);
    context.lineTo(size.width, y);
    context.stroke();
    context.fillStyle = colors.text;
    context.fillText(format(value), AXIS_WIDTH - 6, Math.max(TOP + 4, y));
  }
  context.textAlign = 'left';
}

function paintTimeAxis(
  context: CanvasRenderingContext2D,
  { window, colors, utc }: TimelinePaint,
  size: TimelineSize,
  bottom: number,
): void {
  const step = timeTickStep(window, Math.max(2, (size.width - AXIS_WIDTH) / 90));
  const zone = utc ? 0 : new Date(window.start).getTimezoneOffset() * 60_000;
  context.fillStyle = colors.text;
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  for (let time = Math.ceil((window.start - zone) / step) * step + zone; time < window.end; time += step) {
    const x = xOf(time, window, size);
    context.fillStyle = colors.axis;
    context.fillRect(Math.round(x), bottom, 1, 4);
    if (x < AXIS_WIDTH + 20 || x > size.width - 24) continue;
    context.fillStyle = colors.text;
    const label = step >= 86_400_000 ? dayText(time, utc).slice(5) : timeText(time, utc, step < 60_000);
    context.fillText(label, x, size.height - 4);
  }
  context.textAlign = 'left';
}

function paintSelection(
  context: CanvasRenderingContext2D,
  { window, selection, cursor, timeline, colors }: TimelinePaint,
  size: TimelineSize,
  bottom: number,
): void {
  if (selection) {
    const left = Math.max(AXIS_WIDTH, xOf(selection.start, window, size));
    const right = Math.min(size.width, xOf(selection.end, window, size));
    context.fillStyle = colors.selection;
    context.fillRect(left, TOP, right - left, bottom - TOP);
    context.fillStyle = colors.selectionEdge;
    context.fillRect(left, TOP, 2, bottom - TOP);
    context.fillRect(right - 2, TOP, 2, bottom - TOP);
  }
  if (cursor === undefined) return;
  const left = xOf(cursor, window, size);
  const width = Math.max(2, xOf(cursor + timeline.stepMs, window, size) - left);
  context.strokeStyle = colors.selectionEdge;
  context.lineWidth = 2;
  context.strokeRect(left + 1, TOP + 1, Math.max(1, width - 2), bottom - TOP - 2);
}

/** The next of 1, 2, 2.5, 4, 5, 8 × 10ⁿ at or above the value: round numbers for an axis and its middle. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 4, 5, 8, 10].find((step) => step * power >= value * 0.999) ?? 10) * power;
}

const TICK_STEPS = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
];

/** Ms between time labels, at most `most` of them. */
export function timeTickStep({ start, end }: Span, most: number): number {
  const seconds = (end - start) / 1000 / most;
  const step = TICK_STEPS.find((candidate) => candidate >= seconds);
  return (step ?? Math.ceil(seconds / 86_400) * 86_400) * 1000;
}

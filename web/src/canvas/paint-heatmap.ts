import type { Timeline } from '../state/api.ts';
import type { Split } from '../state/split.ts';
import type { Span } from '../state/time-range.ts';
import { AXIS_WIDTH, xOf } from './paint-timeline.ts';

export const HEAT_ROW = 16;
const LABEL_CHARS = 11;
const STEPS = 24;
const FONT = '11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';

/** A cell: the row of a part, and the index of a point of the timeline. */
export interface HeatCell {
  row: number;
  point: number;
}

export interface HeatmapPaint {
  split: Split;
  timeline: Timeline;
  window: Span;
  /** Names of the parts, in their order. */
  names: string[];
  cursor: HeatCell | undefined;
  /** Hex colours: of nothing, and of the largest value. */
  colors: { low: string; high: string; text: string; background: string; cursor: string };
}

/** A row per part under the timeline's own time axis; the more, the stronger. Buckets without data stay empty. */
export function paintHeatmap(context: CanvasRenderingContext2D, paint: HeatmapPaint, width: number): void {
  const { split, timeline, window, names, cursor, colors } = paint;
  const height = split.parts.length * HEAT_ROW;
  const size = { width, height };
  context.fillStyle = colors.background;
  context.fillRect(0, 0, width, height);
  const fills = rampOf(colors.low, colors.high);
  const most = largestValue(split);
  const left = timeline.points.map(({ timeMs }) => Math.max(AXIS_WIDTH, xOf(timeMs, window, size)));
  const right = timeline.points.map(({ timeMs }) =>
    Math.min(width, xOf(timeMs + timeline.stepMs, window, size)),
  );
  context.font = FONT;
  context.textBaseline = 'middle';
  split.parts.forEach(({ values }, row) => {
    const top = row * HEAT_ROW;
    values.forEach((value, i) => {
      context.fillStyle = fills[stepOf(value, most)];
      // Whole pixels, so that neighbours leave no seam.
      const from = Math.round(left[i]);
      context.fillRect(from, top, Math.max(0, Math.round(right[i]) - from), HEAT_ROW - 1);
    });
    context.fillStyle = colors.text;
    context.fillText(shortLabel(names[row]), 2, top + HEAT_ROW / 2);
  });
  if (!cursor) return;
  context.strokeStyle = colors.cursor;
  context.lineWidth = 2;
  const x = left[cursor.point];
  context.strokeRect(x, cursor.row * HEAT_ROW + 1, Math.max(4, right[cursor.point] - x), HEAT_ROW - 3);
}

/** Of the parts that are one value each: the rest together would outshine them. */
export function largestValue({ parts }: Split): number {
  const single = parts.filter(({ value }) => value !== undefined);
  return single.reduce((most, { values }) => values.reduce((a, b) => Math.max(a, b), most), 0);
}

/** Index of a colour: by the square root, for small values are what a heatmap is read for. */
export function stepOf(value: number, most: number): number {
  return most > 0 ? Math.ceil(Math.sqrt(Math.min(1, value / most)) * (STEPS - 1)) : 0;
}

/** Colours from one to the other, both as #rrggbb. */
export function rampOf(low: string, high: string): string[] {
  const channels = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const [from, to] = [channels(low), channels(high)];
  return Array.from({ length: STEPS }, (_, i) => {
    const mixed = from.map((value, c) => Math.round(value + ((to[c] - value) * i) / (STEPS - 1)));
    return `rgb(${mixed.join(' ')})`;
  });
}

/** The end tells pods and nodes apart, so the beginning goes. */
function shortLabel(name: string): string {
  return name.length <= LABEL_CHARS ? name : `…${name.slice(1 - LABEL_CHARS)}`;
}

import type { FlameLayout } from '../../../core/flamegraph/layout.ts';

/** What of a flame graph's width is on screen, as fractions of the whole: 0 ≤ x0 < x1 ≤ 1. */
export interface Part {
  x0: number;
  x1: number;
}

export const WHOLE: Part = { x0: 0, x1: 1 };

/** Narrower parts show one frame a million times as wide as it is: nobody needs that, and the URL could not hold it. */
const NARROWEST = 1e-5;
const URL_DIGITS = 6;

/** The part that a row covers; the whole for the root, or for a row that has no width. */
export function partOfRow(layout: FlameLayout, row: number): Part {
  const whole = layout.width[0];
  if (row <= 0 || !(whole > 0) || !(layout.width[row] > 0)) return WHOLE;
  return { x0: layout.start[row] / whole, x1: Math.min(1, (layout.start[row] + layout.width[row]) / whole) };
}

/** `scale` below 1 magnifies; the point at fraction `at` of the whole stays where it is on screen. */
export function scaledPart({ x0, x1 }: Part, at: number, scale: number): Part {
  const length = Math.min(1, Math.max(NARROWEST, (x1 - x0) * scale));
  const left = at - ((at - x0) / (x1 - x0)) * length;
  return inside(left, length);
}

/** Moves by a share of its own length; stops at the edges of the graph. */
export function movedPart({ x0, x1 }: Part, share: number): Part {
  return inside(x0 + (x1 - x0) * share, x1 - x0);
}

/** Between two fractions, in either order. */
export function partBetween(a: number, b: number): Part {
  return inside(Math.min(a, b), Math.max(NARROWEST, Math.abs(a - b)));
}

function inside(left: number, length: number): Part {
  const x0 = Math.min(1 - length, Math.max(0, left));
  return { x0, x1: Math.min(1, x0 + length) };
}

/** Whether both look the same on any screen. */
export function isSamePart(a: Part, b: Part): boolean {
  const tolerance = (a.x1 - a.x0) * 1e-4;
  return Math.abs(a.x0 - b.x0) <= tolerance && Math.abs(a.x1 - b.x1) <= tolerance;
}

/** "0.25-0.5" */
export function partToText({ x0, x1 }: Part): string {
  return `${Number(x0.toFixed(URL_DIGITS))}-${Number(x1.toFixed(URL_DIGITS))}`;
}

export function partFromText(text: string): Part | undefined {
  const match = /^([01]|0\.\d{1,6})-([01]|0\.\d{1,6})$/.exec(text);
  if (!match) return undefined;
  const [x0, x1] = [Number(match[1]), Number(match[2])];
  return x1 - x0 >= NARROWEST / 2 ? { x0, x1 } : undefined;
}

import type { FlameLayout } from './layout.ts';

/** What part of a flame graph is on screen. Lengths are CSS pixels. */
export interface FlameViewport {
  /** The visible part of the x axis as fractions of the whole, 0 ≤ x0 < x1 ≤ 1. */
  x0: number;
  x1: number;
  width: number;
  height: number;
  /** Pixels of the graph above (or for a flame below) the visible part. */
  scrollTop: number;
  rowHeight: number;
  /** Root at the bottom. */
  flipped?: boolean;
}

/**
 * Rectangles to paint, in columns. Every one is at least MIN_PIXELS wide and none overlaps another, so there are at
 * most 2 × width of them per visible level, however large the tree is.
 */
export interface FlamePlan {
  count: number;
  /** Row of the rectangle; of a merged run, its first row. */
  row: Int32Array;
  /** 1 for a run of neighbours that are each too narrow to show, drawn as one muted block. */
  merged: Uint8Array;
  x: Float64Array;
  width: Float64Array;
  level: Uint32Array;
}

/** Narrower rectangles join the run of their neighbours. */
export const MIN_PIXELS = 0.5;

/** Height of the whole graph in pixels. */
export function flameHeight(layout: FlameLayout, rowHeight: number): number {
  return (layout.depth + 1) * rowHeight;
}

/** Top edge of a level inside the viewport, in pixels. */
export function levelTop(layout: FlameLayout, view: FlameViewport, level: number): number {
  const place = view.flipped ? layout.depth - level : level;
  return place * view.rowHeight - view.scrollTop;
}

/** The level at a height inside the viewport; may lie outside the graph. */
export function levelAt(layout: FlameLayout, view: FlameViewport, y: number): number {
  const place = Math.floor((y + view.scrollTop) / view.rowHeight);
  return view.flipped ? layout.depth - place : place;
}

/**
 * Visits what can be seen and nothing else: a subtree that is off screen or too narrow is skipped by jumping to its
 * end. This loop runs on every frame of a zoom.
 */
export function planFlame(layout: FlameLayout, view: FlameViewport): FlamePlan {
  const { tree, start, width } = layout;
  const { level, end } = tree;
  const out = new PlanRows(layout, view);
  const whole = width[0];
  if (!(whole > 0)) return out.finish();
  const scale = view.width / (whole * (view.x1 - view.x0));
  const origin = whole * view.x0;
  const rows = level.length;
  for (let row = 0; row < rows; ) {
    const left = (start[row] - origin) * scale;
    const right = left + width[row] * scale;
    if (level[row] > out.lastLevel || right <= 0 || left >= view.width) {
      row = end[row];
      continue;
    }
    if (right - left < MIN_PIXELS) {
      if (level[row] >= out.firstLevel && width[row] > 0) out.addNarrow(row, left, right);
      row = end[row];
      continue;
    }
    if (level[row] >= out.firstLevel) out.addRow(row, Math.max(left, 0), Math.min(right, view.width));
    row++;
  }
  return out.finish();
}

/** The row under a point of the viewport, or -1. Descends by sibling jumps, so it costs what it passes. */
export function hitTest(layout: FlameLayout, view: FlameViewport, x: number, y: number): number {
  const { tree, start, width } = layout;
  const target = levelAt(layout, view, y);
  if (target < 0 || target > layout.depth || x < 0 || x >= view.width) return -1;
  const at = width[0] * (view.x0 + (x / view.width) * (view.x1 - view.x0));
  if (!(at >= 0 && at < width[0])) return -1;
  let row = 0;
  while (tree.level[row] < target) {
    const last = tree.end[row];
    let child = row + 1;
    while (child < last && at >= start[child] + width[child]) child = tree.end[child];
    if (child >= last || at < start[child]) return -1;
    row = child;
  }
  return row;
}

/** Collects rectangles; keeps one pending run of narrow neighbours per visible level. */
class PlanRows {
  readonly firstLevel: number;
  readonly lastLevel: number;
  readonly #limit: number;
  readonly #row: number[] = [];
  readonly #merged: number[] = [];
  readonly #x: number[] = [];
  readonly #width: number[] = [];
  readonly #level: number[] = [];
  readonly #levelOf: Uint32Array;
  readonly #pending: { row: number; left: number; right: number }[] = [];

  constructor(layout: FlameLayout, view: FlameViewport) {
    const a = levelAt(layout, view, 0);
    const b = levelAt(layout, view, Math.max(0, view.height - 1));
    this.firstLevel = Math.max(0, Math.min(a, b));
    this.lastLevel = Math.min(layout.depth, Math.max(a, b));
    this.#limit = view.width;
    this.#levelOf = layout.tree.level;
  }

  addRow(row: number, left: number, right: number): void {
    if (right - left < MIN_PIXELS) {
      this.addNarrow(row, left, right);
      return;
    }
    const level = this.#levelOf[row];
    this.#flush(level, left);
    this.#push(row, 0, left, right - left, level);
  }

  addNarrow(row: number, left: number, right: number): void {
    const level = this.#levelOf[row];
    const run = this.#pending[level - this.firstLevel];
    if (run !== undefined && left - run.right < MIN_PIXELS) {
      run.right = right;
      return;
    }
    this.#flush(level, left);
    this.#pending[level - this.firstLevel] = { row, left: Math.max(0, left), right };
  }

  /** A run that is too narrow even together is widened to be seen where there is room, else left out. */
  #flush(level: number, nextLeft: number): void {
    const run = this.#pending[level - this.firstLevel];
    if (run === undefined) return;
    delete this.#pending[level - this.firstLevel];
    const right = Math.min(Math.max(run.right, run.left + MIN_PIXELS), nextLeft, this.#limit);
    if (right - run.left >= MIN_PIXELS) this.#push(run.row, 1, run.left, right - run.left, level);
  }

  #push(row: number, merged: number, x: number, width: number, level: number): void {
    this.#row.push(row);
    this.#merged.push(merged);
    this.#x.push(x);
    this.#width.push(width);
    this.#level.push(level);
  }

  finish(): FlamePlan {
    this.#pending.forEach((_, i) => {
      this.#flush(i + this.firstLevel, this.#limit);
    });
    return {
      count: this.#row.length,
      row: Int32Array.from(this.#row),
      merged: Uint8Array.from(this.#merged),
      x: Float64Array.from(this.#x),
      width: Float64Array.from(this.#width),
      level: Uint32Array.from(this.#level),
    };
  }
}

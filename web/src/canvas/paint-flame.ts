import type { FlameLayout } from '../../../core/flamegraph/layout.ts';
import { type FlamePlan, type FlameViewport, levelTop } from '../../../core/flamegraph/plan.ts';
import { shortenName } from '../state/frame-name.ts';
import type { Palette } from './palette.ts';

/** What decides a frame's looks; all by row or by name, so painting looks nothing up. */
export interface FlamePaint {
  layout: FlameLayout;
  palette: Palette;
  /** Colour index per name, or per row for a diff. */
  colors: Uint8Array;
  colorsBy: 'name' | 'row';
  /** Per name: 1 where the search matches. Undefined when nothing is searched. */
  matched: Uint8Array | undefined;
  /** Row zoomed to; what is not in its subtree is dimmed. */
  zoomRow: number;
  selectedRow: number;
  hoveredRow: number;
  /** Name whose other frames are outlined, or -1. */
  markedName: number;
  /** Glyph before a label and hatching, for diffs. */
  glyph?: (row: number) => string;
  hatched?: (row: number) => boolean;
}

export const LABEL_FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const LABEL_PADDING = 4;
const MIN_LABEL_WIDTH = 18;

/** Paints a plan. `charWidth` is that of LABEL_FONT: monospace makes cutting labels plain arithmetic. */
export function paintFlame(
  context: CanvasRenderingContext2D,
  paint: FlamePaint,
  plan: FlamePlan,
  view: FlameViewport,
  charWidth: number,
): void {
  const { palette } = paint;
  context.fillStyle = palette.background;
  context.fillRect(0, 0, view.width, view.height);
  paintFills(context, paint, plan, view);
  paintLabels(context, paint, plan, view, charWidth);
  paintOutlines(context, paint, plan, view);
}

function paintFills(
  context: CanvasRenderingContext2D,
  paint: FlamePaint,
  plan: FlamePlan,
  view: FlameViewport,
): void {
  let style = '';
  for (let i = 0; i < plan.count; i++) {
    const fill = fillOf(paint, plan, i);
    if (fill !== style) {
      style = fill;
      context.fillStyle = fill;
    }
    const top = levelTop(paint.layout, view, plan.level[i]);
    const width = plan.width[i];
    // A hairline between neighbours, but only where both stay visible.
    context.fillRect(plan.x[i], top, width > 2 ? width - 0.8 : width, view.rowHeight - 1);
    if (paint.hatched && !plan.merged[i] && width > 3 && paint.hatched(plan.row[i])) {
      paintHatch(context, plan.x[i], top, width - 0.8, view.rowHeight - 1);
    }
  }
}

function fillOf(paint: FlamePaint, plan: FlamePlan, i: number): string {
  const row = plan.row[i];
  if (plan.merged[i]) return paint.palette.run;
  const name = paint.layout.tree.nameOf[row];
  if (paint.matched?.[name]) return paint.palette.match;
  const color = paint.colors[paint.colorsBy === 'name' ? name : row];
  return isDim(paint, row) ? paint.palette.dimFills[color] : paint.palette.fills[color];
}

function isDim(paint: FlamePaint, row: number): boolean {
  return paint.matched !== undefined || isOutsideZoom(paint, row);
}

function isOutsideZoom({ zoomRow, layout }: FlamePaint, row: number): boolean {
  return row < zoomRow || row >= layout.tree.end[zoomRow];
}

function paintHatch(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = 'rgba(16, 18, 22, 0.28)';
  context.lineWidth = 1;
  context.beginPath();
  for (let at = x - height; at < x + width; at += 6) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

function paintLabels(
  context: CanvasRenderingContext2D,
  paint: FlamePaint,
  plan: FlamePlan,
  view: FlameViewport,
  charWidth: number,
): void {
  const { tree } = paint.layout;
  context.font = LABEL_FONT;
  context.textBaseline = 'middle';
  let style = '';
  for (let i = 0; i < plan.count; i++) {
    const width = plan.width[i];
    if (width < MIN_LABEL_WIDTH || plan.merged[i]) continue;
    const row = plan.row[i];
    const glyph = paint.glyph ? paint.glyph(row) : '';
    const columns = Math.floor((width - 2 * LABEL_PADDING) / charWidth) - glyph.length;
    const label = shortenName(tree.names[tree.nameOf[row]] || '(anonymous)', columns);
    if (label === '') continue;
    const text = textOf(paint, row);
    if (text !== style) {
      style = text;
      context.fillStyle = text;
    }
    const middle = levelTop(paint.layout, view, plan.level[i]) + view.rowHeight / 2;
    context.fillText(glyph + label, plan.x[i] + LABEL_PADDING, middle);
  }
}

function textOf(paint: FlamePaint, row: number): string {
  if (paint.matched?.[paint.layout.tree.nameOf[row]]) return paint.palette.matchText;
  return isDim(paint, row) ? paint.palette.dimText : paint.palette.text;
}

function paintOutlines(
  context: CanvasRenderingContext2D,
  paint: FlamePaint,
  plan: FlamePlan,
  view: FlameViewport,
): void {
  const { tree } = paint.layout;
  context.strokeStyle = paint.palette.outline;
  for (let i = 0; i < plan.count; i++) {
    const row = plan.row[i];
    if (plan.merged[i]) continue;
    const isSelected = row === paint.selectedRow;
    const isMarked = tree.nameOf[row] === paint.markedName;
    if (!isSelected && !isMarked && row !== paint.hoveredRow) continue;
    const inset = isSelected ? 1 : 0.5;
    context.lineWidth = inset * 2;
    const top = levelTop(paint.layout, view, plan.level[i]);
    context.strokeRect(
      plan.x[i] + inset,
      top + inset,
      Math.max(0, plan.width[i] - 0.8 - inset * 2),
      view.rowHeight - 1 - inset * 2,
    );
  }
}

import type { FlameLayout } from '../../../core/flamegraph/layout.ts';
import type { Part } from '../state/part.ts';

/** Outline of a whole flame graph, per pixel column. */
export interface Skyline {
  /** The deepest level that is drawn there. */
  depth: Uint32Array;
  /** 1 where a frame lies that the search matches. */
  hit: Uint8Array;
  deepest: number;
}

/** Visits only rows that are at least a pixel wide; narrower ones add no column of their own. */
export function skylineOf(
  { tree, start, width }: FlameLayout,
  columns: number,
  matched: Uint8Array | undefined,
): Skyline {
  const depth = new Uint32Array(columns);
  const hit = new Uint8Array(columns);
  const scale = width[0] > 0 ? columns / width[0] : 0;
  const rows = tree.nameOf.length;
  let deepest = 0;
  for (let row = 0; row < rows; ) {
    if (width[row] * scale < 1) {
      row = tree.end[row];
      continue;
    }
    const level = tree.level[row];
    const left = Math.floor(start[row] * scale);
    const right = Math.min(columns, Math.floor((start[row] + width[row]) * scale));
    // Callers come before their callees, so a later level at a column is never a shallower one on the same stack.
    depth.fill(level, left, right);
    if (matched?.[tree.nameOf[row]]) hit.fill(1, left, right);
    if (level > deepest) deepest = level;
    row++;
  }
  return { depth, hit, deepest };
}

export interface MinimapColors {
  inside: string;
  outside: string;
  match: string;
  edge: string;
  background: string;
}

/** Root on top, as deep as the canvas is high; what is on screen stands out from the rest. */
export function paintMinimap(
  context: CanvasRenderingContext2D,
  { depth, hit, deepest }: Skyline,
  part: Part,
  colors: MinimapColors,
  height: number,
): void {
  const columns = depth.length;
  const [left, right] = [part.x0 * columns, part.x1 * columns];
  context.fillStyle = colors.background;
  context.fillRect(0, 0, columns, height);
  for (let x = 0; x < columns; x++) {
    const isInside = x + 1 > left && x < right;
    context.fillStyle = isInside ? colors.inside : colors.outside;
    context.fillRect(x, 0, 1, Math.max(2, ((depth[x] + 1) / (deepest + 1)) * height));
    if (!hit[x]) continue;
    context.fillStyle = colors.match;
    context.fillRect(x, height - 4, 1, 4);
  }
  if (right - left >= columns - 0.5) return;
  context.strokeStyle = colors.edge;
  context.lineWidth = 2;
  context.strokeRect(left + 1, 1, Math.max(2, right - left - 2), height - 2);
}

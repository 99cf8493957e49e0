import type { CallTree } from './call-tree.ts';

/** Where every row of a tree lies on the x axis, in the unit of its widths: row i covers [start[i], start[i]+width[i]). */
export interface FlameLayout {
  readonly tree: CallTree;
  readonly start: Float64Array;
  /** Widths by row; a child is never wider than its parent. The root's is the whole. */
  readonly width: Float64Array;
  /** The deepest level; the root alone is 0. */
  readonly depth: number;
}

/**
 * Children lie side by side from their parent's left edge; what the parent itself used is the rest on the right.
 * `width` is the tree's totals, or for a diff both sides' totals together.
 */
export function layoutFlame(tree: CallTree, width: Float64Array = tree.total): FlameLayout {
  const rows = tree.nameOf.length;
  const start = new Float64Array(rows);
  const next = new Float64Array(rows);
  let depth = 0;
  for (let row = 1; row < rows; row++) {
    const parent = tree.parent[row];
    start[row] = next[parent];
    next[row] = start[row];
    next[parent] = start[row] + width[row];
    if (tree.level[row] > depth) depth = tree.level[row];
  }
  return { tree, start, width, depth };
}

import type { CallTree } from '../../../core/flamegraph/call-tree.ts';

// Steps of the keyboard through a tree. Each returns the row to go to, or the row it was given.

export function widestChild(tree: CallTree, row: number, width: Float64Array): number {
  let best = row;
  for (let child = row + 1; child < tree.end[row]; child = tree.end[child]) {
    if (best === row || width[child] > width[best]) best = child;
  }
  return best;
}

export function nextSibling(tree: CallTree, row: number): number {
  const next = tree.end[row];
  return row !== 0 && next < tree.end[tree.parent[row]] ? next : row;
}

export function previousSibling(tree: CallTree, row: number): number {
  if (row === 0) return row;
  let before = row;
  for (let child = tree.parent[row] + 1; child < row; child = tree.end[child]) before = child;
  return before;
}

/** The next row (or the one before) whose name is wanted, going round at the ends. */
export function nextWanted(
  tree: CallTree,
  row: number,
  wanted: (name: number) => boolean,
  step: 1 | -1,
): number {
  const rows = tree.nameOf.length;
  for (let i = 1; i <= rows; i++) {
    const at = (row + step * i + rows * 2) % rows;
    if (at !== 0 && wanted(tree.nameOf[at])) return at;
  }
  return row;
}

/** The closest caller that is clearly wider, so that zooming out shows something new. */
export function widerAncestor(tree: CallTree, row: number, width: Float64Array): number {
  let at = row;
  while (at !== 0 && width[at] < width[row] * 1.02) at = tree.parent[at];
  // As wide as everything shows everything.
  return width[at] >= width[0] * 0.999 ? 0 : at;
}

/** Rows from the root's child down to `row`. */
export function pathTo(tree: CallTree, row: number): number[] {
  const path: number[] = [];
  for (let at = row; at > 0; at = tree.parent[at]) path.push(at);
  return path.reverse();
}

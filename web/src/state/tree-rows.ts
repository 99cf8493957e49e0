import type { CallTree } from '../../../core/flamegraph/call-tree.ts';

/** Rows of an expandable tree that are on show, in preorder: the root, and the children of every expanded row. */
export function openRows(tree: CallTree, expanded: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  for (let row = 0; row < tree.nameOf.length; ) {
    rows.push(row);
    row = expanded.has(row) ? row + 1 : tree.end[row];
  }
  return rows;
}

/** The path of the widest children from a row down, while each holds most of its parent: what is worth opening. */
export function hotPath(tree: CallTree, width: Float64Array, from = 0): number[] {
  const path = [from];
  for (let row = from; ; ) {
    let widest = -1;
    for (let child = row + 1; child < tree.end[row]; child = tree.end[child]) {
      if (widest < 0 || width[child] > width[widest]) widest = child;
    }
    if (widest < 0 || width[widest] < width[row] * 0.5 || path.length > 60) return path;
    path.push(widest);
    row = widest;
  }
}

/** Place of a row among its siblings, from 1, and how many there are. */
export function siblingPlace(tree: CallTree, row: number): { place: number; count: number } {
  if (row === 0) return { place: 1, count: 1 };
  const parent = tree.parent[row];
  let place = 1;
  let count = 0;
  for (let child = parent + 1; child < tree.end[parent]; child = tree.end[child]) {
    count++;
    if (child < row) place++;
  }
  return { place, count };
}

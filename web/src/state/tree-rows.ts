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

/** The rows of another tree that have the same paths; paths that it lacks are left out. */
export function sameRows(from: CallTree, to: CallTree, rows: Iterable<number>): Set<number> {
  const found = new Map<number, number>([[0, 0]]);
  const result = new Set<number>();
  // Parents have lower rows, so they are found first.
  for (const row of [...rows].sort((a, b) => a - b)) {
    const path: number[] = [];
    for (let at = row; !found.has(at); at = from.parent[at]) path.push(at);
    for (const step of path.reverse()) {
      const parent = found.get(from.parent[step])!;
      found.set(step, parent < 0 ? -1 : childNamed(to, parent, from.names[from.nameOf[step]]));
    }
    const same = found.get(row)!;
    if (same >= 0) result.add(same);
  }
  return result;
}

function childNamed(tree: CallTree, parent: number, name: string): number {
  for (let child = parent + 1; child < tree.end[parent]; child = tree.end[child]) {
    if (tree.names[tree.nameOf[child]] === name) return child;
  }
  return -1;
}

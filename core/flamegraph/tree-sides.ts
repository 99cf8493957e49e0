import type { CallTree } from './call-tree.ts';
import { toRows } from './call-tree-builder.ts';
import type { CallTreeDiff } from './diff.ts';
import type { PathTable } from './path-table.ts';
import { arrange, DROPPED, type SiblingOrder, totalsOf } from './preorder.ts';

/** Values of one side of a tree, by row, in units of the tree's scale. */
export interface SideColumns {
  readonly self: Float64Array;
  readonly total: Float64Array;
}

/** A call tree, or a diff: then `tree` carries the left side's values and `right` the other's. */
export interface TreeSides {
  readonly tree: CallTree;
  readonly right?: SideColumns;
}

export function sidesOfDiff(diff: CallTreeDiff): TreeSides {
  return { tree: diff.tree, right: { self: diff.selfRight, total: diff.totalRight } };
}

/** Left + right by row: what the width of a row in a diff stands for. Of a plain tree, its own totals. */
export function combinedTotal({ tree, right }: TreeSides): Float64Array {
  return right ? tree.total.map((value, row) => value + right.total[row]) : tree.total;
}

/** Which column of a row moves to the new tree: its own samples, or all that pass through it. */
export type MovedColumn = 'self' | 'total';

/**
 * The tree whose node `target[row]` holds what `row` held; DROPPED rows vanish with their value. Both sides move
 * alike. Every transform is a path table and such a target column.
 */
export function moveRows(
  sides: TreeSides,
  paths: PathTable,
  target: Int32Array,
  order: SiblingOrder,
  column: MovedColumn = 'self',
): TreeSides {
  const left = gather(sides.tree[column], target, paths);
  const right = sides.right && gather(sides.right[column], target, paths);
  const weight = right ? left.total.map((value, node) => value + right.total[node]) : left.total;
  const { shape, rowOf } = arrange(paths, weight, order);
  const rows = shape.nameOf.length;
  const place = (side: SideColumns) => ({
    self: toRows(side.self, rowOf, rows),
    total: toRows(side.total, rowOf, rows),
  });
  const { scale, unit } = sides.tree;
  return { tree: { ...shape, ...place(left), scale, unit }, ...(right && { right: place(right) }) };
}

function gather(values: Float64Array, target: Int32Array, paths: PathTable): SideColumns {
  const self = new Float64Array(paths.count);
  for (let row = 0; row < target.length; row++) if (target[row] !== DROPPED) self[target[row]] += values[row];
  return { self, total: totalsOf(paths.parentOf, self, paths.count) };
}

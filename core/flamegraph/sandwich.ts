import type { CallTree } from './call-tree.ts';
import { nameIds } from './diff.ts';
import { PathTable } from './path-table.ts';
import { DROPPED, type SiblingOrder } from './preorder.ts';
import { moveRows, type TreeSides } from './tree-sides.ts';

/**
 * What runs under a function: root › name › callees. Of nested calls of the function only the outermost starts a
 * stack, so the total is the function's total in the top table.
 */
export function focusRows(sides: TreeSides, name: string, order: SiblingOrder): TreeSides {
  const { tree } = sides;
  const paths = new PathTable();
  const ids = nameIds(paths, tree);
  const target = new Int32Array(tree.nameOf.length).fill(DROPPED);
  forEachOutermost(tree, name, (first) => {
    target[first] = paths.child(0, ids[tree.nameOf[first]]);
    for (let row = first + 1; row < tree.end[first]; row++) {
      target[row] = paths.child(target[tree.parent[row]], ids[tree.nameOf[row]]);
    }
  });
  return moveRows(sides, paths, target, order);
}

/**
 * Who calls a function: root › name › its callers › theirs …, up to the start of each stack. Totals are those of the
 * function, so both halves of a sandwich have the same total.
 */
export function callersOf(sides: TreeSides, name: string, order: SiblingOrder): TreeSides {
  const { tree } = sides;
  const paths = new PathTable();
  const ids = nameIds(paths, tree);
  const target = new Int32Array(tree.nameOf.length).fill(DROPPED);
  forEachOutermost(tree, name, (first) => {
    let node = 0;
    for (let row = first; row !== 0; row = tree.parent[row]) node = paths.child(node, ids[tree.nameOf[row]]);
    target[first] = node;
  });
  return moveRows(sides, paths, target, order, 'total');
}

/** Calls `visit` with every row of that name that has no such row above it. */
function forEachOutermost(tree: CallTree, name: string, visit: (row: number) => void): void {
  const rows = tree.nameOf.length;
  for (let row = 1; row < rows; ) {
    if (tree.names[tree.nameOf[row]] === name) {
      visit(row);
      row = tree.end[row];
    } else row++;
  }
}

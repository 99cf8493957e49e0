import type { CallTree } from './call-tree.ts';
import type { SideColumns } from './tree-sides.ts';

/**
 * Self and total value of every name, indexed like `tree.names`, in units of the tree's scale. A function that is on
 * a stack more than once counts once in its total. Index 0, the root, holds the whole.
 */
export function topTable(tree: CallTree, side: SideColumns = tree): SideColumns {
  const names = tree.names.length;
  const self = new Float64Array(names);
  const total = new Float64Array(names);
  // Rows below openEnd[name] are inside a subtree of that name.
  const openEnd = new Uint32Array(names);
  for (let row = 0; row < tree.nameOf.length; row++) {
    const name = tree.nameOf[row];
    self[name] += side.self[row];
    if (row < openEnd[name]) continue;
    total[name] += side.total[row];
    openEnd[name] = tree.end[row];
  }
  return { self, total };
}

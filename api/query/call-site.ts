import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { nameIds } from '../../core/flamegraph/diff.ts';
import { PathTable } from '../../core/flamegraph/path-table.ts';
import { DROPPED } from '../../core/flamegraph/preorder.ts';
import { moveRows } from '../../core/flamegraph/tree-sides.ts';

/** Only the stacks that begin with these functions, root first and named exactly; the tree keeps its shape otherwise. */
export function keepCallSite(tree: CallTree, callSite: readonly string[]): CallTree {
  if (callSite.length === 0) return tree;
  const rows = tree.nameOf.length;
  const paths = new PathTable();
  const ids = nameIds(paths, tree);
  /** Row → its node, or DROPPED where the path leaves the call site. */
  const nodeOf = new Int32Array(rows).fill(DROPPED);
  const target = new Int32Array(rows).fill(DROPPED);
  nodeOf[0] = 0;
  for (let row = 1; row < rows; row++) {
    const above = nodeOf[tree.parent[row]];
    const level = tree.level[row];
    if (above === DROPPED) continue;
    if (level <= callSite.length && tree.names[tree.nameOf[row]] !== callSite[level - 1]) continue;
    nodeOf[row] = paths.child(above, ids[tree.nameOf[row]]);
    if (level >= callSite.length) target[row] = nodeOf[row];
  }
  return moveRows({ tree }, paths, target, 'name').tree;
}

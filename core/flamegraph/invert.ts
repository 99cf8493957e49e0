import type { CallTree } from './call-tree.ts';
import { nameIds } from './diff.ts';
import { PathTable } from './path-table.ts';
import { DROPPED, type SiblingOrder } from './preorder.ts';
import { moveRows, type TreeSides } from './tree-sides.ts';

/** Most frames that an inversion walks; deeper callers are cut beyond it, and their value stays at the cut. */
export const INVERT_MAX_STEPS = 4_000_000;

/**
 * Bottom-up: root › the function that held the samples › its caller › its caller …. Values are conserved. Every stack
 * is walked on its own, so a tree with many long stacks is cut at the depth that INVERT_MAX_STEPS allows.
 */
export function invertRows(sides: TreeSides, order: SiblingOrder, maxSteps = INVERT_MAX_STEPS): TreeSides {
  const { tree } = sides;
  const holdsSamples = (row: number) =>
    tree.self[row] > 0 || (sides.right ? sides.right.self[row] > 0 : false);
  const depthLimit = invertDepth(tree, holdsSamples, maxSteps);
  const paths = new PathTable();
  const ids = nameIds(paths, tree);
  const target = new Int32Array(tree.nameOf.length).fill(DROPPED);
  for (let row = 0; row < target.length; row++) {
    if (!holdsSamples(row)) continue;
    let node = 0;
    for (let at = row, depth = 0; at !== 0 && depth < depthLimit; at = tree.parent[at], depth++) {
      node = paths.child(node, ids[tree.nameOf[at]]);
    }
    target[row] = node;
  }
  return moveRows(sides, paths, target, order);
}

/** The deepest cut at which the walk over all stacks takes at most `maxSteps`; at least 1. */
export function invertDepth(
  tree: CallTree,
  holdsSamples: (row: number) => boolean,
  maxSteps: number,
): number {
  let deepest = 0;
  for (let row = 0; row < tree.level.length; row++) deepest = Math.max(deepest, tree.level[row]);
  const stacksEndingAt = new Uint32Array(deepest + 1);
  let stacks = 0;
  for (let row = 1; row < tree.level.length; row++) {
    if (!holdsSamples(row)) continue;
    stacksEndingAt[tree.level[row]]++;
    stacks++;
  }
  // Each depth costs one step per stack that is at least that long.
  let steps = 0;
  for (let depth = 1; depth <= deepest; depth++) {
    steps += stacks;
    if (steps > maxSteps) return Math.max(1, depth - 1);
    stacks -= stacksEndingAt[depth];
  }
  return Math.max(1, deepest);
}

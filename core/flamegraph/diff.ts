import { RejectedError } from '../errors.ts';
import type { CallTree, FrameKind } from './call-tree.ts';
import { toRows } from './call-tree-builder.ts';
import { PathTable } from './path-table.ts';
import { arrange, type SiblingOrder, totalsOf } from './preorder.ts';

/**
 * Two call trees over one shape: every path of either side has one row. `tree.self` and `tree.total` are the left
 * (earlier, baseline) side; a side without that path has 0 there. Both sides use `tree.scale` and `tree.unit`.
 */
export interface CallTreeDiff {
  readonly tree: CallTree;
  readonly selfRight: Float64Array;
  readonly totalRight: Float64Array;
  /** Whether values had to be rounded to find a scale that both sides share. */
  readonly rounded: boolean;
}

/**
 * Merges same paths of two trees, root to leaf.
 * @throws RejectedError when the units differ: nanoseconds and bytes have no difference.
 */
export function diffTrees(left: CallTree, right: CallTree, order: SiblingOrder = 'name'): CallTreeDiff {
  if (left.unit !== right.unit) {
    throw new RejectedError('invalid', `cannot compare ${left.unit} with ${right.unit}`);
  }
  const { scale, rounded } = sharedScale(left, right);
  const paths = new PathTable();
  const nodesLeft = addPaths(paths, left);
  const nodesRight = addPaths(paths, right);
  const count = paths.count;
  const selfLeft = scatter(left, nodesLeft, count, left.scale / scale);
  const selfRight = scatter(right, nodesRight, count, right.scale / scale);
  const totalLeft = totalsOf(paths.parentOf, selfLeft, count);
  const totalRight = totalsOf(paths.parentOf, selfRight, count);
  const weight = totalLeft.map((value, node) => value + totalRight[node]);
  const { shape, rowOf } = arrange(paths, weight, order);
  const rows = shape.nameOf.length;
  const tree: CallTree = {
    ...shape,
    self: toRows(selfLeft, rowOf, rows),
    total: toRows(totalLeft, rowOf, rows),
    scale,
    unit: left.unit,
  };
  return {
    tree,
    selfRight: toRows(selfRight, rowOf, rows),
    totalRight: toRows(totalRight, rowOf, rows),
    rounded,
  };
}

/** Adds every path of a tree; returns the node of each row. */
export function addPaths(paths: PathTable, tree: CallTree): Uint32Array {
  const ids = nameIds(paths, tree);
  const nodes = new Uint32Array(tree.nameOf.length);
  for (let row = 1; row < nodes.length; row++) {
    nodes[row] = paths.child(nodes[tree.parent[row]], ids[tree.nameOf[row]]);
  }
  return nodes;
}

/** Name of the tree → name of the path table. Name 0 stays the root's. */
export function nameIds(paths: PathTable, tree: CallTree): Uint32Array {
  const ids = new Uint32Array(tree.names.length);
  for (let name = 1; name < ids.length; name++) {
    ids[name] = paths.name(
      tree.names[name],
      tree.kinds[name] as FrameKind,
      tree.modules[tree.moduleOf[name]],
    );
  }
  return ids;
}

function scatter(tree: CallTree, nodes: Uint32Array, count: number, factor: number): Float64Array {
  const self = new Float64Array(count);
  for (let row = 0; row < nodes.length; row++) self[nodes[row]] += Math.round(tree.self[row] * factor);
  return self;
}

/** The largest scale that both sides are whole multiples of; where values would pass 2^53, the coarser of the two. */
function sharedScale(left: CallTree, right: CallTree): { scale: number; rounded: boolean } {
  if (left.scale === right.scale) return { scale: left.scale, rounded: false };
  const coarser = Math.max(left.scale, right.scale);
  if (!Number.isSafeInteger(left.scale) || !Number.isSafeInteger(right.scale)) {
    return { scale: coarser, rounded: true };
  }
  const common = greatestCommonDivisor(left.scale, right.scale);
  const largest = Math.max((left.total[0] * left.scale) / common, (right.total[0] * right.scale) / common);
  if (largest <= Number.MAX_SAFE_INTEGER / 2) return { scale: common, rounded: false };
  return { scale: coarser, rounded: true };
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

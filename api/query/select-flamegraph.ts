import { RejectedError } from '../../core/errors.ts';
import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { type CallTreeDiff, diffTrees } from '../../core/flamegraph/diff.ts';
import { sidesOfDiff } from '../../core/flamegraph/tree-sides.ts';
import { trimSides, trimTree } from '../../core/flamegraph/trim.ts';

const MAX_NODES_DEFAULT = 8192;
const MAX_NODES_MAX = 1_048_576;

/** `max_nodes` as querier.v1 means it: absent or 0 is the default. @throws RejectedError('invalid') */
export function maxNodesOf(asked: bigint | number | undefined): number {
  const nodes = Number(asked ?? 0);
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > MAX_NODES_MAX) {
    throw new RejectedError('invalid', `max_nodes is ${asked}, it may be 0 to ${MAX_NODES_MAX}`);
  }
  return nodes === 0 ? MAX_NODES_DEFAULT : nodes;
}

export function trimmedTo(tree: CallTree, maxNodes: number): CallTree {
  return trimTree(tree, maxNodes).tree;
}

export function trimmedDiff(left: CallTree, right: CallTree, maxNodes: number): CallTreeDiff {
  const diff = diffTrees(left, right);
  const { sides } = trimSides(sidesOfDiff(diff), maxNodes);
  const { tree, right: other } = sides;
  return { tree, selfRight: other!.self, totalRight: other!.total, rounded: diff.rounded };
}

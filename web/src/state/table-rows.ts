import { type CallTree, FrameKind } from '../../../core/flamegraph/call-tree.ts';
import type { SideColumns } from '../../../core/flamegraph/tree-sides.ts';
import type { SortColumn } from './view-state.ts';

export interface TableInput {
  tree: CallTree;
  left: SideColumns;
  right?: SideColumns;
  /** What one unit of a side is worth, for the change between them. */
  factors: { left: number; right: number };
  /** Per name; undefined shows all. */
  matched: Uint8Array | undefined;
  sort: SortColumn;
  ascending: boolean;
}

/** Change of a name's self value from left to right, in comparable units. */
export function selfChange(
  { left, right, factors }: Pick<TableInput, 'left' | 'right' | 'factors'>,
  name: number,
): number {
  return right ? right.self[name] * factors.right - left.self[name] * factors.left : 0;
}

/** Names in the order of the table: the root and markers are no functions and stay out. Ties go by name. */
export function tableOrder(input: TableInput): Uint32Array {
  const { tree, left, right, matched } = input;
  const names: number[] = [];
  for (let name = 1; name < tree.names.length; name++) {
    if (tree.kinds[name] === FrameKind.marker || (matched && !matched[name])) continue;
    if (left.total[name] > 0 || (right && right.total[name] > 0)) names.push(name);
  }
  const direction = input.ascending ? 1 : -1;
  const byName = (a: number, b: number) =>
    tree.names[a] < tree.names[b] ? -1 : tree.names[a] > tree.names[b] ? 1 : 0;
  if (input.sort === 'name') names.sort((a, b) => direction * byName(a, b));
  else {
    const key = sortKey(input);
    names.sort((a, b) => direction * (key[a] - key[b]) || byName(a, b));
  }
  return Uint32Array.from(names);
}

function sortKey(input: TableInput): Float64Array {
  const { left, right, sort } = input;
  switch (sort) {
    case 'total':
      return left.total;
    case 'after':
      return right?.self ?? left.self;
    case 'delta':
      return left.self.map((_, name) => Math.abs(selfChange(input, name)));
    default:
      return left.self;
  }
}

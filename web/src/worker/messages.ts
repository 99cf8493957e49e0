import type { CallTree } from '../../../core/flamegraph/call-tree.ts';
import type { MatchSummary } from '../../../core/flamegraph/search.ts';
import type { Transform } from '../../../core/flamegraph/transforms.ts';
import type { TreeHeader } from '../../../core/flamegraph/tree-header.ts';
import type { SideColumns, TreeSides } from '../../../core/flamegraph/tree-sides.ts';

/** How the tree of the last load is to be shaped, and what else the page shows of it: all of it comes in one answer. */
export interface Shaping {
  steps: Transform[];
  order: 'name' | 'heavy';
  /** '' searches nothing. */
  search: string;
  table: boolean;
  /** Function in the middle of a sandwich; '' wants none. */
  pivot: string;
}

/** What the page asks its worker. Each question carries a number that comes back with its answer. */
export type Question =
  | { kind: 'load'; bytes: Uint8Array; shaping: Shaping }
  | { kind: 'reshape'; shaping: Shaping }
  | { kind: 'search'; text: string }
  | { kind: 'table' }
  | { kind: 'sandwich'; name: string; order: 'name' | 'heavy' };

export interface Shaped extends TreeSides {
  /** Counts shapes; answers about another shape are out of date. */
  generation: number;
  header: TreeHeader;
  /** Totals before any step, left and right. */
  whole: { left: number; right: number };
  dropped: { left: number; right: number };
  search?: SearchAnswer;
  table?: TableAnswer;
  sandwich?: SandwichAnswer;
}

export type SearchAnswer =
  | {
      generation: number;
      text: string;
      ok: true;
      matched: Uint8Array;
      left: MatchSummary;
      right?: MatchSummary;
    }
  | { generation: number; text: string; ok: false; message: string };

export interface TableAnswer {
  generation: number;
  left: SideColumns;
  right?: SideColumns;
}

export interface SandwichAnswer {
  generation: number;
  name: string;
  callers: TreeSides;
  callees: TreeSides;
}

export interface Answers {
  load: Shaped;
  reshape: Shaped;
  search: SearchAnswer;
  table: TableAnswer;
  sandwich: SandwichAnswer;
}

export type Reply = { id: number; answer: Answers[keyof Answers] } | { id: number; error: string };

/** Buffers of a tree, to be moved instead of copied. */
export function buffersOf(sides: TreeSides): ArrayBuffer[] {
  const { tree, right } = sides;
  const columns = [
    tree.kinds,
    tree.moduleOf,
    tree.nameOf,
    tree.level,
    tree.parent,
    tree.end,
    tree.self,
    tree.total,
  ];
  return [...columns, ...(right ? [right.self, right.total] : [])].map(
    (column) => column.buffer as ArrayBuffer,
  );
}

export function copyOf(sides: TreeSides): TreeSides {
  const { tree, right } = sides;
  const copy: CallTree = {
    ...tree,
    kinds: tree.kinds.slice(),
    moduleOf: tree.moduleOf.slice(),
    nameOf: tree.nameOf.slice(),
    level: tree.level.slice(),
    parent: tree.parent.slice(),
    end: tree.end.slice(),
    self: tree.self.slice(),
    total: tree.total.slice(),
  };
  return right
    ? { tree: copy, right: { self: right.self.slice(), total: right.total.slice() } }
    : { tree: copy };
}

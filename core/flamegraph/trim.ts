import { type CallTree, FrameKind } from './call-tree.ts';
import { combinedTotal, type TreeSides } from './tree-sides.ts';

/** Name of the frame that stands for what was trimmed under its parent; of kind `marker`, so no function is it. */
export const TRIMMED_NAME = '(trimmed)';

export interface Trimmed {
  sides: TreeSides;
  /** How many nodes went, and their value (left + right), in units of the tree's scale. */
  trimmed: { nodes: number; value: number };
}

/** Keeps the heaviest nodes of a tree; see trimSides. */
export function trimTree(tree: CallTree, maxNodes: number): { tree: CallTree; trimmed: Trimmed['trimmed'] } {
  const { sides, trimmed } = trimSides({ tree }, maxNodes);
  return { tree: sides.tree, trimmed };
}

/**
 * Keeps the heaviest nodes, at most `maxNodes` (at least 2) with the markers; what is cut under a node becomes its
 * last child, one marker with the value of all of it, so every total stays what it was. Markers of an earlier trim
 * join the new ones. Ties are kept in preorder, so a node is never kept without its parent.
 */
export function trimSides(sides: TreeSides, maxNodes: number): Trimmed {
  const { tree } = sides;
  const rows = tree.nameOf.length;
  const limit = Math.max(2, maxNodes);
  if (rows <= limit) return { sides, trimmed: { nodes: 0, value: 0 } };
  const weight = combinedTotal(sides);
  const descending = weight.slice().sort();
  let keep = limit;
  for (;;) {
    const kept = heaviest(tree, weight, descending[rows - keep], keep);
    const markers = countMarkers(tree, kept);
    if (keep + markers <= limit || keep === 1) return cut(sides, kept, weight);
    keep = Math.max(1, Math.min(keep - 1, Math.floor((keep * limit) / (keep + markers))));
  }
}

/** Per row: 1 when kept. Rows above `threshold`, then rows equal to it in preorder until `keep` are found. */
function heaviest(tree: CallTree, weight: Float64Array, threshold: number, keep: number): Uint8Array {
  const kept = new Uint8Array(weight.length);
  let left = keep;
  for (let row = 0; row < weight.length; row++) {
    if (weight[row] > threshold && !isMarker(tree, row)) {
      kept[row] = 1;
      left--;
    }
  }
  for (let row = 0; row < weight.length && left > 0; row++) {
    if (weight[row] !== threshold || isMarker(tree, row)) continue;
    kept[row] = 1;
    left--;
  }
  return kept;
}

function isMarker(tree: CallTree, row: number): boolean {
  return tree.kinds[tree.nameOf[row]] === FrameKind.marker;
}

function countMarkers(tree: CallTree, kept: Uint8Array): number {
  const hasMarker = new Uint8Array(kept.length);
  let markers = 0;
  for (let row = 1; row < kept.length; row++) {
    const parent = tree.parent[row];
    if (kept[row] || !kept[parent] || hasMarker[parent]) continue;
    hasMarker[parent] = 1;
    markers++;
  }
  return markers;
}

/** Copies the kept rows in their order and closes each subtree with its marker. */
function cut(sides: TreeSides, kept: Uint8Array, weight: Float64Array): Trimmed {
  const { tree, right } = sides;
  const out = new TrimmedRows(sides);
  let nodes = 0;
  let value = 0;
  for (let row = 0; row < kept.length; ) {
    out.closeBefore(row);
    if (kept[row]) {
      out.keep(row);
      row++;
      continue;
    }
    nodes += tree.end[row] - row;
    value += weight[row];
    out.drop(tree.total[row], right ? right.total[row] : 0);
    row = tree.end[row];
  }
  out.closeBefore(kept.length);
  return { sides: out.finish(), trimmed: { nodes, value } };
}

class TrimmedRows {
  readonly #sides: TreeSides;
  readonly #marker: number;
  readonly #nameOf: number[] = [];
  readonly #level: number[] = [];
  readonly #parent: number[] = [];
  readonly #end: number[] = [];
  readonly #self: number[] = [];
  readonly #total: number[] = [];
  readonly #selfRight: number[] = [];
  readonly #totalRight: number[] = [];
  /** Rows whose subtree is still open: source row's end, own row, value dropped under it so far. */
  readonly #open: { sourceEnd: number; row: number; left: number; right: number }[] = [];

  constructor(sides: TreeSides) {
    this.#sides = sides;
    this.#marker = sides.tree.names.length;
  }

  keep(source: number): void {
    const { tree, right } = this.#sides;
    const row = this.#push(tree.nameOf[source], tree.self[source], tree.total[source]);
    if (right) this.#pushRight(right.self[source], right.total[source]);
    this.#open.push({ sourceEnd: tree.end[source], row, left: 0, right: 0 });
  }

  drop(left: number, right: number): void {
    const parent = this.#open[this.#open.length - 1];
    parent.left += left;
    parent.right += right;
  }

  /** Ends every subtree that does not hold the source row. */
  closeBefore(source: number): void {
    for (;;) {
      const last = this.#open[this.#open.length - 1];
      if (last === undefined || source < last.sourceEnd) return;
      if (last.left + last.right > 0) this.#pushMarker(last.left, last.right);
      this.#open.pop();
      this.#end[last.row] = this.#nameOf.length;
    }
  }

  #pushMarker(left: number, right: number): void {
    const row = this.#push(this.#marker, left, left);
    if (this.#sides.right) this.#pushRight(right, right);
    this.#end[row] = row + 1;
  }

  #push(name: number, self: number, total: number): number {
    const row = this.#nameOf.push(name) - 1;
    const parent = this.#open[this.#open.length - 1];
    this.#level.push(this.#open.length);
    this.#parent.push(parent === undefined ? 0 : parent.row);
    this.#end.push(0);
    this.#self.push(self);
    this.#total.push(total);
    return row;
  }

  #pushRight(self: number, total: number): void {
    this.#selfRight.push(self);
    this.#totalRight.push(total);
  }

  finish(): TreeSides {
    const { tree, right } = this.#sides;
    const result: CallTree = {
      ...keepUsedNames(tree, this.#nameOf),
      level: Uint32Array.from(this.#level),
      parent: Uint32Array.from(this.#parent),
      end: Uint32Array.from(this.#end),
      self: Float64Array.from(this.#self),
      total: Float64Array.from(this.#total),
      scale: tree.scale,
      unit: tree.unit,
    };
    if (!right) return { tree: result };
    const totalRight = Float64Array.from(this.#totalRight);
    return { tree: result, right: { self: Float64Array.from(this.#selfRight), total: totalRight } };
  }
}

/** Names still in use, renumbered by first use; index `tree.names.length` stands for the marker. */
function keepUsedNames(tree: CallTree, nameOf: number[]) {
  const idOf = new Int32Array(tree.names.length + 1).fill(-1);
  const names: string[] = [];
  const kinds: number[] = [];
  const moduleOf: number[] = [];
  const renumbered = new Uint32Array(nameOf.length);
  for (let row = 0; row < nameOf.length; row++) {
    const source = nameOf[row];
    if (idOf[source] < 0) {
      const isNew = source === tree.names.length;
      idOf[source] = names.push(isNew ? TRIMMED_NAME : tree.names[source]) - 1;
      kinds.push(isNew ? FrameKind.marker : tree.kinds[source]);
      moduleOf.push(isNew ? 0 : tree.moduleOf[source]);
    }
    renumbered[row] = idOf[source];
  }
  return {
    names,
    kinds: Uint8Array.from(kinds),
    moduleOf: Uint32Array.from(moduleOf),
    modules: tree.modules,
    nameOf: renumbered,
  };
}

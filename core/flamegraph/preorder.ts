import { type CallTree, FrameKind } from './call-tree.ts';
import type { Paths } from './path-table.ts';

/** Order of siblings: by name (stable between refreshes), or the heaviest first. Markers always come last. */
export type SiblingOrder = 'name' | 'heavy';

/** The shape of a finished tree: everything of a CallTree except its values. */
export type TreeShape = Omit<CallTree, 'self' | 'total' | 'scale' | 'unit'>;

export interface Arranged {
  shape: TreeShape;
  /** Node of the path table → row of the tree, or DROPPED for nodes without weight. */
  rowOf: Int32Array;
}

export const DROPPED = -1;

/** Sums self values up to the root. `parentOf[node] < node` for every node but the root. */
export function totalsOf(parentOf: Uint32Array, self: Float64Array, count: number): Float64Array {
  const total = self.slice(0, count);
  for (let node = count - 1; node > 0; node--) total[parentOf[node]] += total[node];
  return total;
}

/**
 * Lays the paths out in preorder. Nodes whose weight (value incl. children) is 0 are left out. Names and modules are
 * renumbered by first use, so equal trees get equal columns whatever order their paths were added in.
 *
 * Linear but for the sorting of siblings, and without recursion: stacks may be 20,000 deep. Each loop is a function of its
 * own: a tree is often the first thing that a process computes, and a function is compiled once if it has one loop.
 */
export function arrange(paths: Paths, weight: Float64Array, order: SiblingOrder): Arranged {
  const { count, parentOf } = paths;
  const firstChild = new Uint32Array(count + 1);
  const size = subtreeSizes(parentOf, weight, count, firstChild);
  for (let i = 1; i <= count; i++) firstChild[i]! += firstChild[i - 1]!;
  const children = childrenByParent(parentOf, weight, count, firstChild);
  sortSiblings(children, firstChild, count, siblingOrder(paths, weight, order));
  const rows = size[0]!;
  const columns = {
    ...{ rawName: new Uint32Array(rows), level: new Uint32Array(rows) },
    ...{ parent: new Uint32Array(rows), end: new Uint32Array(rows) },
  };
  const rowOf = new Int32Array(count).fill(DROPPED);
  rowOf[0] = 0;
  columns.end[0] = rows;
  placeRows(paths.nameOf, children, firstChild, size, rowOf, columns);
  const { rawName, level, parent, end } = columns;
  return { shape: { ...renumberNames(paths, rawName), level, parent, end }, rowOf };
}

/** Counts the children of node n in childCount[n + 1]. */
function subtreeSizes(
  parentOf: Uint32Array,
  weight: Float64Array,
  count: number,
  childCount: Uint32Array,
): Uint32Array {
  const size = new Uint32Array(count);
  for (let node = count - 1; node > 0; node--) {
    if (weight[node] === 0) continue;
    const parent = parentOf[node]!;
    size[node]!++;
    size[parent]! += size[node]!;
    childCount[parent + 1]!++;
  }
  size[0]!++;
  return size;
}

/** Compressed rows: the children of node n are children[firstChild[n] .. firstChild[n+1]). */
function childrenByParent(
  parentOf: Uint32Array,
  weight: Float64Array,
  count: number,
  firstChild: Uint32Array,
): Uint32Array {
  const next = firstChild.slice(0, count);
  const children = new Uint32Array(firstChild[count]!);
  for (let node = 1; node < count; node++) if (weight[node] !== 0) children[next[parentOf[node]!]!++] = node;
  return children;
}

type Compare = (a: number, b: number) => number;

/** Siblings have different names, so no two are equal. */
function siblingOrder({ names, kinds, nameOf }: Paths, weight: Float64Array, order: SiblingOrder): Compare {
  const rank = nameRanks(names, kinds);
  const byName: Compare = (a, b) => rank[nameOf[a]!]! - rank[nameOf[b]!]!;
  if (order === 'name') return byName;
  const isMarker = (node: number) => kinds[nameOf[node]!] === FrameKind.marker;
  return (a, b) => {
    if (weight[a] === weight[b] || isMarker(a) || isMarker(b)) return byName(a, b);
    return weight[b]! - weight[a]!;
  };
}

/** Most nodes have few children: insertion sort, else the built-in one. */
function sortSiblings(children: Uint32Array, firstChild: Uint32Array, count: number, compare: Compare): void {
  for (let node = 0; node < count; node++) {
    const from = firstChild[node]!;
    const to = firstChild[node + 1]!;
    if (to - from < 2) continue;
    if (to - from > 24) children.set(Array.from(children.subarray(from, to)).sort(compare), from);
    else insertionSort(children, from, to, compare);
  }
}

function insertionSort(children: Uint32Array, from: number, to: number, compare: Compare): void {
  for (let i = from + 1; i < to; i++) {
    const child = children[i]!;
    let at = i;
    for (; at > from && compare(children[at - 1]!, child) > 0; at--) children[at] = children[at - 1]!;
    children[at] = child;
  }
}

function placeRows(
  nameOf: Uint32Array,
  children: Uint32Array,
  firstChild: Uint32Array,
  size: Uint32Array,
  rowOf: Int32Array,
  columns: { rawName: Uint32Array; level: Uint32Array; parent: Uint32Array; end: Uint32Array },
): void {
  const { rawName, level, parent, end } = columns;
  const { length } = rowOf;
  for (let node = 0; node < length; node++) {
    const ownRow = rowOf[node]!;
    let row = ownRow + 1;
    for (let i = firstChild[node]!; i < firstChild[node + 1]!; i++) {
      const child = children[i]!;
      rowOf[child] = row;
      rawName[row] = nameOf[child]!;
      parent[row] = ownRow;
      level[row] = level[ownRow]! + 1;
      end[row] = row + size[child]!;
      row = end[row]!;
    }
  }
}

/** Place of each name in code-unit order; markers last. */
function nameRanks(names: readonly string[], kinds: readonly number[]): Uint32Array {
  const ids = names.map((_, id) => id);
  ids.sort((a, b) => {
    const markers = Number(kinds[a] === FrameKind.marker) - Number(kinds[b] === FrameKind.marker);
    if (markers !== 0) return markers;
    return names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : a - b;
  });
  const rank = new Uint32Array(names.length);
  for (let place = 0; place < ids.length; place++) rank[ids[place]] = place;
  return rank;
}

/** Names and modules numbered by first use in preorder. */
function renumberNames({ names, kinds, moduleNames }: Paths, rawName: Uint32Array) {
  const nameOf = new Uint32Array(rawName.length);
  const used = renumber(rawName, names.length, nameOf);
  const moduleIds = new Map<string, number>([['', 0]]);
  const moduleOf = new Uint32Array(used.length);
  for (let name = 0; name < used.length; name++) {
    const module = moduleNames[used[name]!]!;
    if (!moduleIds.has(module)) moduleIds.set(module, moduleIds.size);
    moduleOf[name] = moduleIds.get(module)!;
  }
  return {
    names: Array.from(used, (raw) => names[raw]!),
    kinds: Uint8Array.from(used, (raw) => kinds[raw]!),
    moduleOf,
    modules: [...moduleIds.keys()],
    nameOf,
  };
}

/** Numbers what `raw` holds by first use; answers what each number stands for. */
function renumber(raw: Uint32Array, limit: number, numbers: Uint32Array): Uint32Array {
  const numberOf = new Int32Array(limit).fill(-1);
  const used = new Uint32Array(limit);
  let count = 0;
  for (let row = 0; row < raw.length; row++) {
    const value = raw[row]!;
    if (numberOf[value]! < 0) {
      used[count] = value;
      numberOf[value] = count++;
    }
    numbers[row] = numberOf[value]!;
  }
  return used.subarray(0, count);
}

import { type CallTree, FrameKind } from './call-tree.ts';
import type { PathTable } from './path-table.ts';

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
 * Linear but for the sorting of siblings, and without recursion: stacks may be 20,000 deep.
 */
export function arrange(paths: PathTable, weight: Float64Array, order: SiblingOrder): Arranged {
  const count = paths.count;
  const firstChild = new Uint32Array(count + 1);
  const children = childrenByName(paths, weight, firstChild);
  if (order === 'heavy') sortSiblingsByWeight(paths, children, firstChild, weight);
  const size = subtreeSizes(paths, weight);
  const rowOf = new Int32Array(count).fill(DROPPED);
  rowOf[0] = 0;
  for (let node = 0; node < count; node++) {
    let row = rowOf[node] + 1;
    for (let i = firstChild[node]; i < firstChild[node + 1]; i++) {
      const child = children[i];
      rowOf[child] = row;
      row += size[child];
    }
  }
  return { shape: shapeOf(paths, rowOf, size), rowOf };
}

/** Compressed rows: the children of node n are children[firstChild[n] .. firstChild[n+1]), in name order. */
function childrenByName(paths: PathTable, weight: Float64Array, firstChild: Uint32Array): Uint32Array {
  const { count, parentOf, nameOf } = paths;
  const rank = nameRanks(paths);
  const byRank = new Uint32Array(paths.names.length + 1);
  let kept = 0;
  for (let node = 1; node < count; node++) {
    if (weight[node] === 0) continue;
    kept++;
    byRank[rank[nameOf[node]] + 1]++;
    firstChild[parentOf[node] + 1]++;
  }
  for (let i = 1; i < byRank.length; i++) byRank[i] += byRank[i - 1];
  for (let i = 1; i <= count; i++) firstChild[i] += firstChild[i - 1];
  // Two stable counting sorts: by name, then by parent, leave siblings in name order.
  const sorted = new Uint32Array(kept);
  for (let node = 1; node < count; node++)
    if (weight[node] !== 0) sorted[byRank[rank[nameOf[node]]]++] = node;
  const next = firstChild.slice(0, count);
  const children = new Uint32Array(kept);
  for (let i = 0; i < kept; i++) children[next[parentOf[sorted[i]]]++] = sorted[i];
  return children;
}

/** Place of each name in code-unit order; markers last. */
function nameRanks(paths: PathTable): Uint32Array {
  const { names, kinds } = paths;
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

/** Stable, so equal weights stay in name order. Most nodes have few children: insertion sort, else the built-in one. */
function sortSiblingsByWeight(
  paths: PathTable,
  children: Uint32Array,
  firstChild: Uint32Array,
  weight: Float64Array,
): void {
  const isMarker = (node: number) => paths.kinds[paths.nameOf[node]] === FrameKind.marker;
  for (let node = 0; node < paths.count; node++) {
    const from = firstChild[node];
    let to = firstChild[node + 1];
    while (to > from && isMarker(children[to - 1])) to--;
    if (to - from > 24) {
      const siblings = Array.from(children.subarray(from, to));
      children.set(
        siblings.sort((a, b) => weight[b] - weight[a]),
        from,
      );
      continue;
    }
    for (let i = from + 1; i < to; i++) {
      const child = children[i];
      let at = i;
      for (; at > from && weight[children[at - 1]] < weight[child]; at--) children[at] = children[at - 1];
      children[at] = child;
    }
  }
}

function subtreeSizes(paths: PathTable, weight: Float64Array): Uint32Array {
  const size = new Uint32Array(paths.count);
  for (let node = paths.count - 1; node > 0; node--) {
    if (weight[node] === 0) continue;
    size[node]++;
    size[paths.parentOf[node]] += size[node];
  }
  size[0]++;
  return size;
}

function shapeOf(paths: PathTable, rowOf: Int32Array, size: Uint32Array): TreeShape {
  const rows = size[0];
  const rawName = new Uint32Array(rows);
  const level = new Uint32Array(rows);
  const parent = new Uint32Array(rows);
  const end = new Uint32Array(rows);
  end[0] = rows;
  for (let node = 1; node < paths.count; node++) {
    const row = rowOf[node];
    if (row === DROPPED) continue;
    rawName[row] = paths.nameOf[node];
    parent[row] = rowOf[paths.parentOf[node]];
    level[row] = level[parent[row]] + 1;
    end[row] = row + size[node];
  }
  return { ...renumberNames(paths, rawName), level, parent, end };
}

/** Names and modules numbered by first use in preorder. */
function renumberNames(paths: PathTable, rawName: Uint32Array) {
  const idOf = new Int32Array(paths.names.length).fill(-1);
  const moduleIds = new Map<string, number>([['', 0]]);
  const names: string[] = [];
  const kinds: number[] = [];
  const moduleOf: number[] = [];
  const nameOf = new Uint32Array(rawName.length);
  for (let row = 0; row < rawName.length; row++) {
    const raw = rawName[row];
    if (idOf[raw] < 0) {
      idOf[raw] = names.push(paths.names[raw]) - 1;
      kinds.push(paths.kinds[raw]);
      const module = paths.moduleNames[raw];
      if (!moduleIds.has(module)) moduleIds.set(module, moduleIds.size);
      moduleOf.push(moduleIds.get(module)!);
    }
    nameOf[row] = idOf[raw];
  }
  return {
    names,
    kinds: Uint8Array.from(kinds),
    moduleOf: Uint32Array.from(moduleOf),
    modules: [...moduleIds.keys()],
    nameOf,
  };
}

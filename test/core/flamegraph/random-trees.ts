import { type CallTree, FrameKind } from '../../../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../../../core/flamegraph/call-tree-builder.ts';
import type { TreeHeader } from '../../../core/flamegraph/tree-header.ts';

/** Repeatable random numbers (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Runs a property over many seeds; the failing seed is part of the error. */
export function forSeeds(check: (random: () => number, seed: number) => void, runs = 60): void {
  const first = Number(process.env.CINDERBLOCK_SEED ?? Date.now() % 1_000_000);
  const count = Number(process.env.CINDERBLOCK_RUNS ?? runs);
  for (let seed = first; seed < first + count; seed++) {
    try {
      check(seededRandom(seed), seed);
    } catch (cause) {
      throw new Error(`fails with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1: ${cause}`, { cause });
    }
  }
}

export type StackValue = { stack: string[]; value: number };

/** Stacks over few names, so that paths, recursion and equal siblings collide often. */
export function randomStacks(random: () => number, count = 1 + Math.floor(random() * 60)): StackValue[] {
  const names = 1 + Math.floor(random() * 12);
  const deepest = 1 + Math.floor(random() * 14);
  return Array.from({ length: count }, () => ({
    stack: Array.from(
      { length: Math.floor(random() * (deepest + 1)) },
      () => `f${Math.floor(random() * names)}`,
    ),
    value: Math.floor(random() ** 4 * 10_000),
  }));
}

export function treeOf(
  stacks: readonly StackValue[],
  order: 'name' | 'heavy' = 'heavy',
  scale = 1,
): CallTree {
  const builder = new CallTreeBuilder({ scale, unit: 'count' });
  for (const { stack, value } of stacks) {
    let node = 0;
    for (const name of stack) {
      node = builder.child(node, builder.name(name, FrameKind.native, moduleOfName(name)));
    }
    builder.addSelf(node, value);
  }
  return builder.build(order);
}

export function moduleOfName(name: string): string {
  return `lib${name.length % 2 === 0 ? name.charCodeAt(name.length - 1) % 3 : 'x'}`;
}

/** path → [self, total], the tree as anyone can check it by eye. */
export function pathValues(tree: CallTree, side = tree as { self: Float64Array; total: Float64Array }) {
  const paths = new Map<string, [number, number]>();
  const stack: string[] = [];
  for (let row = 0; row < tree.nameOf.length; row++) {
    stack.length = tree.level[row];
    stack.push(tree.names[tree.nameOf[row]]);
    const path = stack.join('›');
    if (paths.has(path)) throw new Error(`two rows for ${path}`);
    paths.set(path, [side.self[row], side.total[row]]);
  }
  return paths;
}

/** The non-empty stacks of a tree, root left out. */
export function stacksOf(tree: CallTree): StackValue[] {
  const stacks: StackValue[] = [];
  const stack: string[] = [];
  for (let row = 0; row < tree.nameOf.length; row++) {
    stack.length = Math.max(0, tree.level[row] - 1);
    if (row > 0) stack.push(tree.names[tree.nameOf[row]]);
    if (tree.self[row] > 0) stacks.push({ stack: [...stack], value: tree.self[row] });
  }
  return stacks;
}

/** Holds every tree to the rules of CallTree. */
export function checkTree(tree: CallTree, side = tree as { self: Float64Array; total: Float64Array }): void {
  const rows = tree.nameOf.length;
  for (const column of [tree.level, tree.parent, tree.end, side.self, side.total]) {
    if (column.length !== rows) throw new Error(`a column has ${column.length} rows, not ${rows}`);
  }
  if (tree.end[0] !== rows || tree.level[0] !== 0 || tree.nameOf[0] !== 0) throw new Error('bad root');
  const children = new Float64Array(rows);
  for (let row = 1; row < rows; row++) {
    const parent = tree.parent[row];
    if (parent >= row || row >= tree.end[parent])
      throw new Error(`row ${row} is outside its parent ${parent}`);
    if (tree.level[row] !== tree.level[parent] + 1) throw new Error(`row ${row} has a wrong level`);
    if (tree.end[row] <= row || tree.end[row] > tree.end[parent])
      throw new Error(`row ${row} has a wrong end`);
    if (tree.nameOf[row] >= tree.names.length) throw new Error(`row ${row} has no name`);
    children[parent] += side.total[row];
  }
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    sum += side.self[row];
    if (children[row] + side.self[row] !== side.total[row])
      throw new Error(`row ${row}: children + self ≠ total`);
  }
  if (sum !== side.total[0]) throw new Error(`Σ self ${sum} ≠ total ${side.total[0]}`);
}

export function aHeader(tree: CallTree): Omit<TreeHeader, 'nodes' | 'unit' | 'scale' | 'diff'> {
  return {
    profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    start: 0,
    end: 60_000,
    total: String(BigInt(tree.total[0]) * BigInt(tree.scale)),
    trimmed: { nodes: 0, value: 0 },
    rounded: false,
    completeness: {
      complete: true,
      blocksRead: 1,
      bytesRead: 100,
      missingBlocks: 0,
      corruptBlocks: 0,
      asideBlocks: 0,
      samples: 10,
      samplesLost: 0,
      lagMs: 1500,
      resolutionSeconds: 10,
      coveredMs: 60_000,
      notes: [],
    },
  };
}

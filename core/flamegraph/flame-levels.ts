import { type CallTree, FrameKind } from './call-tree.ts';
import type { CallTreeDiff } from './diff.ts';

/**
 * The flame graph encoding of Grafana Pyroscope (`querier.v1.FlameGraph`, also `/pyroscope/render`): per level a run
 * of tuples, x delta-coded against the end of the previous bar of that level. Values are in the tree's unit, and
 * saturate where int64 ends.
 */
export interface FlameLevels {
  names: string[];
  /** Per level, tuples of 4: [x − end of previous bar, total, self, name index]. */
  levels: bigint[][];
  total: bigint;
  maxSelf: bigint;
}

export interface FlameLevelsDiff extends FlameLevels {
  /** levels here hold tuples of 7: [x, total, self] of the left side, the same of the right, name index. */
  leftTicks: bigint;
  rightTicks: bigint;
}

export const INT64_MAX = 2n ** 63n - 1n;

/** What clients of this encoding take for "the rest". */
const MARKER_NAME = 'other';

export function flameLevels(tree: CallTree): FlameLevels {
  const side = new SideLevels(tree.scale, tree.self, tree.total);
  const levels: bigint[][] = [];
  for (let row = 0; row < tree.nameOf.length; row++) {
    const tuples = (levels[tree.level[row]] ??= []);
    side.pushBar(tuples, row, tree.level[row]);
    tuples.push(BigInt(tree.nameOf[row]));
  }
  return { names: namesForClients(tree), levels, total: side.wholeTotal(), maxSelf: side.maxSelf() };
}

export function flameLevelsOfDiff(diff: CallTreeDiff): FlameLevelsDiff {
  const { tree } = diff;
  const left = new SideLevels(tree.scale, tree.self, tree.total);
  const right = new SideLevels(tree.scale, diff.selfRight, diff.totalRight);
  const levels: bigint[][] = [];
  for (let row = 0; row < tree.nameOf.length; row++) {
    const tuples = (levels[tree.level[row]] ??= []);
    left.pushBar(tuples, row, tree.level[row]);
    right.pushBar(tuples, row, tree.level[row]);
    tuples.push(BigInt(tree.nameOf[row]));
  }
  return {
    names: namesForClients(tree),
    levels,
    total: saturate(left.exactTotal() + right.exactTotal()),
    maxSelf: larger(left.maxSelf(), right.maxSelf()),
    leftTicks: left.wholeTotal(),
    rightTicks: right.wholeTotal(),
  };
}

/** Bars of one side. Rows must come in preorder. */
class SideLevels {
  readonly #scaled: (value: number) => bigint;
  readonly #self: Float64Array;
  readonly #total: Float64Array;
  /** Per level: where the next bar under the open parent starts, and where the last bar of the level ended. */
  readonly #nextX: bigint[] = [0n];
  readonly #lastEnd: bigint[] = [];

  constructor(scale: number, self: Float64Array, total: Float64Array) {
    this.#scaled = scaler(scale);
    this.#self = self;
    this.#total = total;
  }

  pushBar(tuples: bigint[], row: number, level: number): void {
    const x = this.#nextX[level];
    const total = this.#scaled(this.#total[row]);
    const self = this.#scaled(this.#self[row]);
    tuples.push(saturate(x - (this.#lastEnd[level] ?? 0n)), saturate(total), saturate(self));
    this.#lastEnd[level] = x + total;
    this.#nextX[level] = x + total;
    // A node's own value is drawn on the left, its children after it.
    this.#nextX[level + 1] = x + self;
  }

  exactTotal(): bigint {
    return this.#scaled(this.#total[0]);
  }

  wholeTotal(): bigint {
    return saturate(this.exactTotal());
  }

  maxSelf(): bigint {
    let largest = 0;
    for (const value of this.#self) if (value > largest) largest = value;
    return saturate(this.#scaled(largest));
  }
}

function namesForClients(tree: CallTree): string[] {
  return tree.names.map((name, id) => (tree.kinds[id] === FrameKind.marker ? MARKER_NAME : name));
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function saturate(value: bigint): bigint {
  return value > INT64_MAX ? INT64_MAX : value;
}

/** Column value → whole number in the tree's unit, exact for whole scales. */
export function scaler(scale: number): (value: number) => bigint {
  if (scale === 1) return (value) => BigInt(value);
  if (!Number.isSafeInteger(scale)) return (value) => BigInt(Math.round(value * scale));
  const factor = BigInt(scale);
  return (value) => {
    const product = value * scale;
    return Number.isSafeInteger(product) ? BigInt(product) : BigInt(value) * factor;
  };
}

import type { Stacks } from '../profile/symbol-table.ts';
import type { CallTree, FrameKind } from './call-tree.ts';
import { type Paths, PathTable } from './path-table.ts';
import { arrange, DROPPED, type SiblingOrder, totalsOf } from './preorder.ts';

/**
 * Puts a call tree together from paths and values. The result depends on what was added, not on the order it was
 * added in.
 *
 *     const builder = new CallTreeBuilder({ scale: 10_000_000, unit: 'nanoseconds' });
 *     const main = builder.child(0, builder.name('main', FrameKind.native, 'app'));
 *     builder.addSelf(main, 3); // three periods of 10 ms
 *     const tree = builder.build();
 */
export class CallTreeBuilder {
  readonly #paths = new PathTable();
  readonly #scale: number;
  readonly #unit: string;
  #self = new Float64Array(256);

  /** `scale`: what a value of 1 is worth in `unit`; above 0. */
  constructor({ scale, unit }: { scale: number; unit: string }) {
    if (!(scale > 0)) throw new RangeError(`scale must be above 0, is ${scale}`);
    this.#scale = scale;
    this.#unit = unit;
  }

  /** How many nodes there are, the root included. */
  get nodes(): number {
    return this.#paths.count;
  }

  /** The number of a name; frames that print alike share one. */
  name(text: string, kind: FrameKind, module: string): number {
    return this.#paths.name(text, kind, module);
  }

  /** All names by their number; number 0 is the root's. Live: they change as names are added. */
  get names(): {
    readonly texts: readonly string[];
    readonly kinds: readonly number[];
    readonly modules: readonly string[];
  } {
    return { texts: this.#paths.names, kinds: this.#paths.kinds, modules: this.#paths.moduleNames };
  }

  /** The node under `parentNode` (0 is the root) with this name. Nodes are numbered in order of creation. */
  child(parentNode: number, nameId: number): number {
    return this.#paths.child(parentNode, nameId);
  }

  /** Adds a value ≥ 0, in units of `scale`, to the samples that end at `node`. Sums up to 2^53 − 1 are exact. */
  addSelf(node: number, value: number): void {
    if (node >= this.#self.length) this.#grow(node);
    this.#self[node] += value;
  }

  #grow(node: number): void {
    const next = new Float64Array(Math.max(node + 1, this.#self.length * 2));
    next.set(this.#self);
    this.#self = next;
  }

  /**
   * The tree, without the nodes that have no value. When the root's total would pass 2^53 − 1, all values are
   * rounded to a coarser power-of-two multiple of the scale, which `scale` of the tree then shows.
   */
  build(order: SiblingOrder = 'heavy'): CallTree {
    const { count } = this.#paths;
    if (this.#self.length < count) this.#grow(count);
    return this.#arranged(this.#paths, this.#self, order);
  }

  /**
   * The tree of paths that were told apart elsewhere, instead of those that `child` has added: node i has the name
   * frames[i], and the value self[i].
   */
  buildPaths({ count, parents, frames }: Stacks, self: Float64Array): CallTree {
    const { names, kinds, moduleNames } = this.#paths;
    return this.#arranged(
      { count, parentOf: parents, nameOf: frames, names, kinds, moduleNames },
      self,
      'heavy',
    );
  }

  #arranged(paths: Paths, values: Float64Array, order: SiblingOrder): CallTree {
    const { self, scale } = fitSafely(values.slice(0, paths.count), this.#scale);
    const total = totalsOf(paths.parentOf, self, paths.count);
    const { shape, rowOf } = arrange(paths, total, order);
    return {
      ...shape,
      self: toRows(self, rowOf, shape.nameOf.length),
      total: toRows(total, rowOf, shape.nameOf.length),
      scale,
      unit: this.#unit,
    };
  }
}

/** Values by node → values by row. */
export function toRows(values: Float64Array, rowOf: Int32Array, rows: number): Float64Array {
  const result = new Float64Array(rows);
  for (let node = 0; node < rowOf.length; node++)
    if (rowOf[node] !== DROPPED) result[rowOf[node]] = values[node];
  return result;
}

/** Halves the resolution until the sum of all values is a safe integer. */
export function fitSafely(self: Float64Array, scale: number): { self: Float64Array; scale: number } {
  let sum = 0;
  for (let i = 0; i < self.length; i++) sum += self[i]!;
  let divisor = 1;
  // Every value may round up by half a unit, hence the room for self.length.
  while (sum / divisor > Number.MAX_SAFE_INTEGER - (divisor > 1 ? self.length : 0)) divisor *= 2;
  if (divisor === 1) return { self, scale };
  return { self: self.map((value) => Math.round(value / divisor)), scale: scale * divisor };
}

import type { PackedSamples, RowTotals } from '../block/rows-sections.ts';
import type { CallTree } from '../flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../flamegraph/call-tree-builder.ts';
import { StackTable } from '../profile/stack-table.ts';
import type { Symbols } from '../profile/symbol-table.ts';
import { FrameNames } from './frame-names.ts';
import { namedSymbols } from './named-symbols.ts';
import { type StackMerger, type StackSums, sumPerStack } from './stack-merger.ts';

// Values are first summed per stack of the dataset, one array write per entry; only then do stacks become paths of
// names in the shared call tree, once per stack that has a value. A day of windows costs its entries plus its stacks.

/** Merges the samples of many datasets into one call tree. */
export class TreeMerger implements StackMerger {
  readonly #builder: CallTreeBuilder;
  readonly #scale: number;
  readonly #names: FrameNames;
  /** Paths of names. Every stack of every dataset passes through it, which it is built for; the builder sees only the result. */
  readonly #paths = new StackTable();
  /** Value per path. */
  #self = new Float64Array(1024);

  /** @param scale divides every value that will be added; sums of values / scale should stay below 2^53 to be exact */
  constructor(scale: number, unit: string) {
    this.#builder = new CallTreeBuilder({ scale, unit });
    this.#scale = scale;
    this.#names = new FrameNames(({ text, kind, module }) => this.#builder.name(text, kind, module));
  }

  add(symbols: Symbols, totals: RowTotals, samples: PackedSamples, rows: Uint32Array): void {
    const sums = sumPerStack(symbols.stacks.count, totals, samples, rows, this.#scale);
    this.addSums({ symbols, values: sums });
  }

  addSums({ symbols, values }: StackSums): void {
    const { count, parents, frames } = symbols.stacks;
    const reached = reachedStacks(parents, values, count);
    const nameOf = this.#names.of(symbols, reachedFrames(symbols, reached));
    const paths = this.#paths;
    const pathOf = new Uint32Array(count);
    for (let stack = 1; stack < count; stack++) {
      if (reached[stack] !== 0)
        pathOf[stack] = paths.child(pathOf[parents[stack]!]!, nameOf[frames[stack]!]!);
    }
    this.#growSelf(paths.count);
    for (let stack = 0; stack < count; stack++) this.#self[pathOf[stack]!]! += values[stack]!;
  }

  /** The frames have their names and nothing else: see namedSymbols. */
  sums(): StackSums {
    const { count, parents, frames } = this.#paths;
    const stacks = { count, parents: parents.slice(0, count), frames: frames.slice(0, count) };
    return { symbols: namedSymbols(this.#builder.names, stacks), values: this.#self.slice(0, count) };
  }

  build(): CallTree {
    const { count, parents, frames } = this.#paths;
    const nodeOf = new Uint32Array(count);
    for (let path = 1; path < count; path++) {
      nodeOf[path] = this.#builder.child(nodeOf[parents[path]!]!, frames[path]!);
    }
    for (let path = 0; path < count; path++) {
      if (this.#self[path]! > 0) this.#builder.addSelf(nodeOf[path]!, this.#self[path]!);
    }
    return this.#builder.build();
  }

  #growSelf(paths: number): void {
    if (paths <= this.#self.length) return;
    const next = new Float64Array(Math.max(paths, this.#self.length * 2));
    next.set(this.#self);
    this.#self = next;
  }
}

/** 1 for every stack that has a value or leads to one. */
function reachedStacks(parents: Uint32Array, sums: Float64Array, count: number): Uint8Array {
  const reached = new Uint8Array(count);
  for (let stack = count - 1; stack > 0; stack--) {
    if (reached[stack] === 0 && sums[stack] === 0) continue;
    reached[stack] = 1;
    reached[parents[stack]!] = 1;
  }
  return reached;
}

/** 1 for every frame that a reached stack ends in. */
function reachedFrames({ stacks, frames }: Symbols, reached: Uint8Array): Uint8Array {
  const wanted = new Uint8Array(frames.count);
  for (let stack = 1; stack < stacks.count; stack++) {
    if (reached[stack] !== 0) wanted[stacks.frames[stack]!] = 1;
  }
  return wanted;
}

import type { PackedSamples, RowTotals } from '../block/rows-sections.ts';
import type { CallTree } from '../flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../flamegraph/call-tree-builder.ts';
import { StackTable } from '../profile/stack-table.ts';
import type { Stacks, Symbols } from '../profile/symbol-table.ts';
import { FrameNames } from './frame-names.ts';
import { namedSymbols } from './named-symbols.ts';
import { type StackMerger, type StackSums, sumPerPlace } from './stack-merger.ts';

// Values are first summed per stack of the dataset, one array write per entry; only then do stacks become paths of
// names in the shared call tree, once per stack that has a value. A day of windows costs its entries plus its stacks.
// Every loop is a function of its own: the first answer of a process is mostly compiling, and a loop is compiled once where
// nothing comes before or after it.

/** Merges the samples of many datasets into one call tree. */
export class TreeMerger implements StackMerger {
  readonly #builder: CallTreeBuilder;
  readonly #scale: number;
  readonly #names: FrameNames;
  /** Paths of names. Every stack of every dataset passes through it, which it is built for; the builder sees only the result. */
  readonly #paths = new StackTable();
  /** Value per path. */
  #self = new Float64Array(1024);
  /** Per stack of the dataset being added. Kept, as new ones for each would be most of what a query allocates. */
  #reached = new Uint8Array(1024);
  #pathOf = new Uint32Array(1024);

  /** @param scale divides every value that will be added; sums of values / scale should stay below 2^53 to be exact */
  constructor(scale: number, unit: string) {
    this.#builder = new CallTreeBuilder({ scale, unit });
    this.#scale = scale;
    this.#names = new FrameNames(({ text, kind, module }) => this.#builder.name(text, kind, module));
  }

  add(symbols: Symbols, totals: RowTotals, samples: PackedSamples, rows: Uint32Array): void {
    const sums = sumPerPlace(symbols.stacks.count, totals, samples, rows, this.#scale);
    this.#addPlaces(symbols, samples.stackTable, sums);
  }

  addSums({ symbols, values }: StackSums): void {
    const stacks = new Uint32Array(values.length);
    for (let stack = 0; stack < stacks.length; stack++) stacks[stack] = stack;
    this.#addPlaces(symbols, stacks, values);
  }

  /** @param stacks those that may have a value, in the order of `sums` */
  #addPlaces(symbols: Symbols, stacks: Uint32Array, sums: Float64Array): void {
    this.#makeRoom(symbols.stacks.count);
    const reached = this.#reached.fill(0, 0, symbols.stacks.count);
    const wanted = new Uint8Array(symbols.frames.count);
    markReached(symbols.stacks, stacks, sums, reached, wanted);
    const nameOf = this.#names.of(symbols, wanted);
    const pathOf = this.#paths.addAll(symbols.stacks, nameOf, reached, this.#pathOf);
    this.#growSelf(this.#paths.count);
    addTo(this.#self, pathOf, stacks, sums);
  }

  /** The frames have their names and nothing else: see namedSymbols. */
  sums(): StackSums {
    const { count, parents, frames } = this.#paths;
    const stacks = { count, parents: parents.slice(0, count), frames: frames.slice(0, count) };
    return { symbols: namedSymbols(this.#builder.names, stacks), values: this.#self.slice(0, count) };
  }

  build(): CallTree {
    return this.#builder.buildPaths(this.#paths, this.#self);
  }

  #makeRoom(stacks: number): void {
    if (stacks <= this.#reached.length) return;
    this.#reached = new Uint8Array(stacks);
    this.#pathOf = new Uint32Array(stacks);
  }

  #growSelf(paths: number): void {
    if (paths <= this.#self.length) return;
    const next = new Float64Array(Math.max(paths, this.#self.length * 2));
    next.set(this.#self);
    this.#self = next;
  }
}

/** Sets `reached` of every stack that has a value or leads to one, and `wanted` of every frame that such a stack ends in. */
function markReached(
  { parents, frames }: Stacks,
  stacks: Uint32Array,
  sums: Float64Array,
  reached: Uint8Array,
  wanted: Uint8Array,
): void {
  for (let place = 0; place < stacks.length; place++) {
    if (sums[place] === 0) continue;
    for (let stack = stacks[place]!; stack !== 0 && reached[stack] === 0; stack = parents[stack]!) {
      reached[stack] = 1;
      wanted[frames[stack]!] = 1;
    }
  }
}

function addTo(self: Float64Array, pathOf: Uint32Array, stacks: Uint32Array, sums: Float64Array): void {
  for (let place = 0; place < stacks.length; place++) self[pathOf[stacks[place]!]!]! += sums[place]!;
}

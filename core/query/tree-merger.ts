import {
  addRowEntries,
  checkStackTable,
  type PackedSamples,
  type RowTotals,
} from '../block/rows-sections.ts';
import type { CallTree, FrameKind } from '../flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../flamegraph/call-tree-builder.ts';
import { StackTable } from '../profile/stack-table.ts';
import type { Symbols } from '../profile/symbol-table.ts';
import { FrameNames } from './frame-names.ts';

// Values are first summed per stack of the dataset, one array write per entry; only then do stacks become paths of
// names in the shared call tree, once per stack that has a value. A day of windows costs its entries plus its stacks.

/** What a merger has merged so far, as columns. */
export interface MergedStacks {
  /** By number; number 0 is not used. */
  readonly names: {
    readonly texts: readonly string[];
    readonly kinds: readonly number[];
    readonly modules: readonly string[];
  };
  /** Per stack: the stack that it continues, which comes before it, and the name of its last frame. Stack 0 is the empty one. */
  readonly parents: Uint32Array;
  readonly frames: Uint32Array;
  /** Per stack: the value of the samples that end there, in units of the merger's scale. */
  readonly self: Float64Array;
}

/** Merges the samples of many datasets into one call tree. */
export class TreeMerger {
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

  /** Adds the given rows of one profile type of one dataset. */
  add(symbols: Symbols, totals: RowTotals, samples: PackedSamples, rows: Uint32Array): void {
    const sums = sumPerStack(symbols.stacks.count, totals, samples, rows, this.#scale);
    this.#addSums(symbols, sums);
  }

  /** All that was added, for another merger of the same scale. */
  stacks(): MergedStacks {
    const { count, parents, frames } = this.#paths;
    const { texts, kinds, modules } = this.#builder.names;
    return {
      names: { texts: [...texts], kinds: [...kinds], modules: [...modules] },
      parents: parents.slice(0, count),
      frames: frames.slice(0, count),
      self: this.#self.slice(0, count),
    };
  }

  /** Adds what another merger of the same scale has merged. */
  addStacks({ names, parents, frames, self }: MergedStacks): void {
    const nameOf = names.texts.map((text, name) =>
      name === 0 ? 0 : this.#builder.name(text, names.kinds[name] as FrameKind, names.modules[name]!),
    );
    const pathOf = new Uint32Array(parents.length);
    for (let stack = 1; stack < parents.length; stack++)
      pathOf[stack] = this.#paths.child(pathOf[parents[stack]!]!, nameOf[frames[stack]!]!);
    this.#growSelf(this.#paths.count);
    for (let stack = 0; stack < parents.length; stack++) this.#self[pathOf[stack]!]! += self[stack]!;
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

  #addSums(symbols: Symbols, sums: Float64Array): void {
    const { count, parents, frames } = symbols.stacks;
    const reached = reachedStacks(parents, sums, count);
    const nameOf = this.#names.of(symbols, reachedFrames(symbols, reached));
    const paths = this.#paths;
    const pathOf = new Uint32Array(count);
    for (let stack = 1; stack < count; stack++) {
      if (reached[stack] !== 0)
        pathOf[stack] = paths.child(pathOf[parents[stack]!]!, nameOf[frames[stack]!]!);
    }
    this.#growSelf(paths.count);
    for (let stack = 0; stack < count; stack++) this.#self[pathOf[stack]!]! += sums[stack]!;
  }

  #growSelf(paths: number): void {
    if (paths <= this.#self.length) return;
    const next = new Float64Array(Math.max(paths, this.#self.length * 2));
    next.set(this.#self);
    this.#self = next;
  }
}

/** Value per stack of the given rows, in units of `scale`. @throws MalformedInputError when an entry is out of range */
export function sumPerStack(
  stackCount: number,
  totals: RowTotals,
  samples: PackedSamples,
  rows: Uint32Array,
  scale: number,
): Float64Array {
  checkStackTable(samples, stackCount);
  const { stackTable } = samples;
  const sums = new Float64Array(stackTable.length);
  for (const row of rows) addRowEntries(samples, row, sums, totals.scale[row]! / scale);
  const perStack = new Float64Array(stackCount);
  for (let place = 0; place < stackTable.length; place++) perStack[stackTable[place]!] = sums[place]!;
  return perStack;
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

import {
  addRowEntries,
  checkStackTable,
  type PackedSamples,
  type RowTotals,
} from '../block/rows-sections.ts';
import type { CallTree } from '../flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../flamegraph/call-tree-builder.ts';
import type { Symbols } from '../profile/symbol-table.ts';
import { frameName } from './frame-names.ts';

// Values are first summed per stack of the dataset, one array write per entry; only then do stacks become paths of
// names in the shared call tree, once per stack that has a value. A day of windows costs its entries plus its stacks.

/** Merges the samples of many datasets into one call tree. */
export class TreeMerger {
  readonly #builder: CallTreeBuilder;
  readonly #scale: number;

  /** @param scale divides every value that will be added; sums of values / scale should stay below 2^53 to be exact */
  constructor(scale: number, unit: string) {
    this.#builder = new CallTreeBuilder({ scale, unit });
    this.#scale = scale;
  }

  /** Adds the given rows of one profile type of one dataset. */
  add(symbols: Symbols, totals: RowTotals, samples: PackedSamples, rows: Uint32Array): void {
    const sums = sumPerStack(symbols.stacks.count, totals, samples, rows, this.#scale);
    this.#addStacks(symbols, sums);
  }

  build(): CallTree {
    return this.#builder.build();
  }

  #addStacks(symbols: Symbols, sums: Float64Array): void {
    const { count, parents, frames } = symbols.stacks;
    const reached = reachedStacks(parents, sums, count);
    // Names are looked up once per frame; 0 is the root's name, which no frame has.
    const nameOf = new Uint32Array(symbols.frames.count);
    const nodeOf = new Uint32Array(count);
    for (let stack = 1; stack < count; stack++) {
      if (reached[stack] === 0) continue;
      const frame = frames[stack]!;
      const name = nameOf[frame]! || (nameOf[frame] = this.#name(symbols, frame));
      const node = this.#builder.child(nodeOf[parents[stack]!]!, name);
      nodeOf[stack] = node;
      if (sums[stack]! > 0) this.#builder.addSelf(node, sums[stack]!);
    }
    if (sums[0]! > 0) this.#builder.addSelf(0, sums[0]!);
  }

  #name(symbols: Symbols, frame: number): number {
    const { text, kind, module } = frameName(symbols, frame);
    return this.#builder.name(text, kind, module);
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

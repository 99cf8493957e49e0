import { pruneSymbols } from '../block/prune-dataset.ts';
import type { PackedSamples, RowTotals } from '../block/rows-sections.ts';
import { type Symbols, SymbolTable } from '../profile/symbol-table.ts';
import { type StackMerger, type StackSums, sumPerStack } from './stack-merger.ts';

/** Merges the samples of many datasets with their real functions, lines and mappings. */
export class ProfileMerger implements StackMerger {
  readonly symbols = new SymbolTable();
  readonly #scale: number;
  #values = new Float64Array(1024);

  /** @param scale divides every value that will be added */
  constructor(scale: number) {
    this.#scale = scale;
  }

  /** By stack of `symbols`, in units of the scale; longer than there are stacks. */
  get values(): Float64Array {
    return this.#values;
  }

  add(symbols: Symbols, totals: RowTotals, samples: PackedSamples, rows: Uint32Array): void {
    this.addSums({ symbols, values: sumPerStack(symbols.stacks.count, totals, samples, rows, this.#scale) });
  }

  addSums({ symbols, values }: StackSums): void {
    const stackOf = this.symbols.addAll(symbols);
    this.#growValues(this.symbols.stacks.count);
    for (let stack = 0; stack < values.length; stack++) this.#values[stackOf[stack]!]! += values[stack]!;
  }

  sums(): StackSums {
    const count = this.symbols.stacks.count;
    const used = Uint8Array.from(this.#values.subarray(0, count), (value) => (value === 0 ? 0 : 1));
    // Marks what leads to those as well.
    const { symbols, stackOf } = pruneSymbols(this.symbols, used);
    const values = new Float64Array(symbols.stacks.count);
    for (let stack = 0; stack < count; stack++)
      if (used[stack] === 1) values[stackOf[stack]!] = this.#values[stack]!;
    return { symbols, values };
  }

  #growValues(stacks: number): void {
    if (stacks <= this.#values.length) return;
    const next = new Float64Array(stacks * 2);
    next.set(this.#values);
    this.#values = next;
  }
}

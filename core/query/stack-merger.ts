import { addRows, checkStackTable, type PackedSamples, type RowTotals } from '../block/rows-sections.ts';
import type { Symbols } from '../profile/symbol-table.ts';

/** Stacks, what they are made of, and per stack a value in units of a scale that all who add know. */
export interface StackSums {
  readonly symbols: Symbols;
  readonly values: Float64Array;
}

/** Merges the samples of many datasets. What comes out does not depend on the order in which they were added. */
export interface StackMerger {
  /** Adds the given rows of one profile type of one dataset. */
  add(symbols: Symbols, totals: RowTotals, samples: PackedSamples, rows: Uint32Array): void;
  /** Adds what another merger of the same kind and scale has merged. */
  addSums(sums: StackSums): void;
  /** All that was added, exactly: the stacks that have a value or lead to one. */
  sums(): StackSums;
}

/** Value per stack of the given rows, in units of `scale`. @throws MalformedInputError when an entry is out of range */
export function sumPerStack(
  stackCount: number,
  totals: RowTotals,
  samples: PackedSamples,
  rows: Uint32Array,
  scale: number,
): Float64Array {
  const sums = sumPerPlace(stackCount, totals, samples, rows, scale);
  const perStack = new Float64Array(stackCount);
  for (let place = 0; place < sums.length; place++) perStack[samples.stackTable[place]!] = sums[place]!;
  return perStack;
}

/** The same per place of the stack table. @throws MalformedInputError when an entry is out of range */
export function sumPerPlace(
  stackCount: number,
  totals: RowTotals,
  samples: PackedSamples,
  rows: Uint32Array,
  scale: number,
): Float64Array {
  checkStackTable(samples, stackCount);
  const sums = new Float64Array(samples.stackTable.length);
  addRows(samples, rows, totals.scale, scale, sums);
  return sums;
}

import { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import type { ProfileRows } from '../core/profile/profile-rows.ts';

/** Rows of all datasets refer to batch 0, the only one of a batch. */
const SAME_BATCH = new Uint32Array(1);

/**
 * Parts a batch that is too long into two, none of them empty: by service, then by window, then by series. No sample is
 * in both. Answers undefined when it is a single row, which cannot be parted.
 * @param datasets sorted by service, each with rows
 */
export function halve(datasets: readonly DatasetBuilder[]): [DatasetBuilder[], DatasetBuilder[]] | undefined {
  if (datasets.length > 1) {
    const half = halfOfWeight(datasets.map(entryCount));
    return [datasets.slice(0, half), datasets.slice(half)];
  }
  const [dataset] = datasets;
  if (dataset === undefined) return undefined;
  return (
    halveBy(dataset, (rows, row) => rows.start[row]!) ?? halveBy(dataset, (rows, row) => rows.series[row]!)
  );
}

/** How many of the first make about half of all, at least one and not all. */
function halfOfWeight(weights: readonly number[]): number {
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  for (const [i, weight] of weights.entries()) {
    sum += weight;
    if (sum * 2 >= all) return Math.min(Math.max(1, i + 1), weights.length - 1);
  }
  return 1;
}

function entryCount(dataset: DatasetBuilder): number {
  let count = 0;
  for (const rows of dataset.types.values()) count += rows.entryCount;
  return count;
}

function halveBy(
  dataset: DatasetBuilder,
  keyOf: (rows: ProfileRows, row: number) => number,
): [DatasetBuilder[], DatasetBuilder[]] | undefined {
  const keys = new Set<number>();
  for (const rows of dataset.types.values())
    for (let row = 0; row < rows.count; row++) keys.add(keyOf(rows, row));
  if (keys.size < 2) return undefined;
  const sorted = [...keys].sort((a, b) => a - b);
  const middle = sorted[sorted.length >> 1]!;
  const part = (isLeftOut: (key: number) => boolean) => {
    const half = new DatasetBuilder(dataset.service);
    half.addDataset(dataset, SAME_BATCH, (_, rows, row) => isLeftOut(keyOf(rows, row)));
    return [half];
  };
  return [part((key) => key >= middle), part((key) => key < middle)];
}

import { EntryAccumulator, greatestCommonDivisor } from '../profile/entry-accumulator.ts';
import { exactTotal, ProfileRowsBuilder, sampleCount } from '../profile/profile-rows.ts';
import { rolledUpSeries } from './roll-up-series.ts';
import { rowOrder } from './rows-sections.ts';
import { type BlockDataset, type BlockRows, spreadOf } from './window-spread.ts';

// Downsampling sums the rows of one series whose windows start in the same step, stack by stack. Steps are aligned to
// multiples of their length, so a coarser step never splits a finer one, and 1 h from 5 min equals 1 h from raw. Values
// stay whole: a sum is kept in units of the common divisor of what it sums. Series that differ in labels alone that are
// rolled up are one series from then on, and summed likewise.

/**
 * The dataset with one row per series, profile type and step (more where a sum would pass 2^53 units). Symbols are
 * shared with the dataset that it is made of, and series are while none is rolled up; every row refers to batch 0.
 * @param rollUp names of labels that series lose
 * @throws Error when the sums differ from those of the input: a bug, and nothing may be published
 */
export function downsampleDataset(
  dataset: BlockDataset,
  stepMs: number,
  rollUp: readonly string[] = [],
): BlockDataset {
  const { labelSets, seriesOf } = rolledUpSeries(dataset.labelSets, rollUp);
  const stackCount = dataset.symbols.stacks.count;
  const types = new Map<string, BlockRows>();
  for (const [profileType, rows] of dataset.types) {
    const summed = downsampleRows(renumbered(rows, seriesOf), stackCount, stepMs);
    if (exactTotal(summed) !== exactTotal(rows) || sampleCount(summed) !== sampleCount(rows)) {
      throw new Error(
        `downsampling ${dataset.service} ${profileType} changed its totals: refusing to publish`,
      );
    }
    types.set(profileType, summed);
  }
  return { service: dataset.service, symbols: dataset.symbols, labelSets, types };
}

function renumbered(rows: BlockRows, seriesOf: Uint32Array | undefined): BlockRows {
  if (seriesOf === undefined) return rows;
  return { ...rows, series: rows.series.subarray(0, rows.count).map((series) => seriesOf[series]!) };
}

function downsampleRows(rows: BlockRows, stackCount: number, stepMs: number): BlockRows {
  const order = rowOrder(rows);
  const entries = new EntryAccumulator();
  const into = new ProfileRowsBuilder();
  // There are at most as many, and what is not filled takes no memory; to grow step by step would take twice as much.
  into.reserveEntries(rows.entryStarts[rows.count]!);
  const windows: number[] = [];
  const least: number[] = [];
  const most: number[] = [];
  const spread = spreadOf(rows);
  for (let from = 0; from < order.length; ) {
    const run = runOf(rows, order, from, stepMs);
    let samples = 0;
    let count = 0;
    let smallest = Number.POSITIVE_INFINITY;
    let largest = 0;
    entries.begin(stackCount);
    for (let i = from; i < run.end; i++) {
      const row = order[i]!;
      const factor = rows.scale[row]! / run.scale;
      addEntries(entries, rows, row, factor);
      samples += rows.samples[row]!;
      count += spread.windows[row]!;
      smallest = Math.min(smallest, spread.least[row]! * factor);
      largest = Math.max(largest, spread.most[row]! * factor);
    }
    entries.sortOnly();
    const first = order[from]!;
    const start = Math.floor(rows.start[first]! / stepMs) * stepMs;
    const head = { series: rows.series[first]!, start, duration: stepMs, batch: 0, samples };
    into.add(head, run.scale, run.total, entries.stacks, entries.values, entries.length);
    windows.push(count);
    least.push(smallest);
    most.push(largest);
    from = run.end;
  }
  return {
    ...into,
    spread: {
      windows: Float64Array.from(windows),
      least: Float64Array.from(least),
      most: Float64Array.from(most),
    },
  };
}

function addEntries(entries: EntryAccumulator, rows: BlockRows, row: number, factor: number): void {
  for (let i = rows.entryStarts[row]!, end = rows.entryStarts[row + 1]!; i < end; i++)
    entries.add(rows.stacks[i]!, rows.values[i]! * factor);
}

/**
 * The rows order[from..end) that become one: of one series and step, as long as their sum stays below 2^53 units of
 * their common scale. Products above that are rounded, but they are only compared.
 */
function runOf(
  rows: BlockRows,
  order: Uint32Array,
  from: number,
  stepMs: number,
): { end: number; scale: number; total: number } {
  const first = order[from]!;
  const step = Math.floor(rows.start[first]! / stepMs);
  let scale = rows.scale[first]!;
  let total = rows.total[first]!;
  let end = from + 1;
  for (; end < order.length; end++) {
    const row = order[end]!;
    if (rows.series[row] !== rows.series[first] || Math.floor(rows.start[row]! / stepMs) !== step) break;
    const common = greatestCommonDivisor(scale, rows.scale[row]!);
    const sum = total * (scale / common) + rows.total[row]! * (rows.scale[row]! / common);
    if (sum > Number.MAX_SAFE_INTEGER) break;
    scale = common;
    total = sum;
  }
  return { end, scale, total };
}

import type { BlockBuilder } from '../core/block/block-builder.ts';
import { type Labels, labelsKey, labelsOf } from '../core/labels/labels.ts';
import { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import type { ProfileRows } from '../core/profile/profile-rows.ts';
import type { DropRule } from './drop-rules.ts';
import { OVERFLOW_SERVICE, threadLabel } from './naming/process-labels.ts';

/** What became of the samples of a window. */
export interface FoldedWindow {
  readonly kept: number;
  readonly droppedByRules: number;
  /** Part of kept: samples of series beyond the limit, which went into one series. */
  readonly overflowed: number;
}

export interface FoldOptions {
  readonly drop: DropRule;
  /** Most series of one window. */
  readonly seriesMax: number;
  /** Labels of the series that takes the rest. */
  readonly overflow: Labels;
}

/** A series as it came, and where it goes. */
interface Move {
  readonly key: string;
  readonly labels: Labels;
  samples: number;
}

/**
 * Adds the rows of one window to a batch. An engine tells processes apart and the batch does not, so rows that come out
 * with the same labels are summed into one: a row is known by its batch, series and window, and a second one would pass
 * for a duplicate. When there are more series than the limit, those with the fewest samples are folded into one.
 */
export function foldWindow(from: BlockBuilder, into: BlockBuilder, options: FoldOptions): FoldedWindow {
  const moves = new Map<DatasetBuilder, (Move | undefined)[]>();
  const bySeries = new Map<string, Move>();
  let droppedByRules = 0;
  for (const dataset of from.datasets()) {
    const ofDataset = dataset.labelSets.map((labels) => moveOf(labels, bySeries, options.drop));
    moves.set(dataset, ofDataset);
    for (const rows of dataset.types.values()) {
      for (let row = 0; row < rows.count; row++) {
        const move = ofDataset[rows.series[row]!];
        if (move === undefined) droppedByRules += rows.samples[row]!;
        else move.samples += rows.samples[row]!;
      }
    }
  }
  const folded = smallest(bySeries, options.seriesMax);
  let kept = 0;
  const rest = new DatasetBuilder(OVERFLOW_SERVICE);
  for (const [dataset, ofDataset] of moves) {
    kept += moveRows(
      dataset,
      into.dataset(dataset.service),
      (move) => (folded.has(move) ? undefined : move.labels),
      ofDataset,
    );
    moveRows(dataset, rest, (move) => (folded.has(move) ? options.overflow : undefined), ofDataset);
  }
  // Each dataset brought a row of its own to the rest.
  if (folded.size > 0)
    kept += moveRows(rest, into.dataset(rest.service), () => options.overflow, [
      { key: '', labels: options.overflow, samples: 0 },
    ]);
  let overflowed = 0;
  for (const { samples } of folded) overflowed += samples;
  return { kept, droppedByRules, overflowed };
}

/** Where a series goes; undefined when a rule drops it. */
function moveOf(labels: Labels, bySeries: Map<string, Move>, drop: DropRule): Move | undefined {
  const renamed = labelsOf(
    labels.map(([name, value]) => [name, name === 'comm' ? threadLabel(value) : value] as const),
  );
  if (drop(renamed)) return undefined;
  const key = labelsKey(renamed);
  let move = bySeries.get(key);
  if (move === undefined) bySeries.set(key, (move = { key, labels: renamed, samples: 0 }));
  return move;
}

/** The series with the fewest samples, so that the rest and the one that takes them are within the limit. */
function smallest(bySeries: Map<string, Move>, seriesMax: number): Set<Move> {
  if (bySeries.size <= seriesMax) return new Set();
  const byWeight = [...bySeries.values()].sort((a, b) => b.samples - a.samples || (a.key < b.key ? -1 : 1));
  return new Set(byWeight.slice(Math.max(0, seriesMax - 1)));
}

/**
 * Adds the rows of the series for which `newLabels` answers labels.
 * @param moves by series of the dataset
 * @returns how many samples were added
 */
function moveRows(
  dataset: DatasetBuilder,
  target: DatasetBuilder,
  newLabels: (move: Move) => Labels | undefined,
  moves: readonly (Move | undefined)[],
): number {
  const labelSets = moves.map((move) => move && newLabels(move));
  if (!labelSets.some((labels) => labels !== undefined)) return 0;
  const stackOf = target.symbols.addAll(dataset.symbols);
  const seriesOf = labelSets.map((labels) => (labels === undefined ? -1 : target.series.intern(labels)));
  let kept = 0;
  for (const [profileType, rows] of dataset.types)
    kept += addSummed(target, profileType, rows, seriesOf, stackOf);
  return kept;
}

/** Adds rows, summing those of one series and window. Rows whose series is −1 are left out. */
function addSummed(
  target: DatasetBuilder,
  profileType: string,
  rows: ProfileRows,
  seriesOf: readonly number[],
  stackOf: Uint32Array,
): number {
  const groups = new Map<string, number[]>();
  for (let row = 0; row < rows.count; row++) {
    const series = seriesOf[rows.series[row]!]!;
    if (series < 0) continue;
    const key = `${series}/${rows.start[row]}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  let kept = 0;
  for (const group of groups.values()) kept += addGroup(target, profileType, rows, group, seriesOf, stackOf);
  return kept;
}

function addGroup(
  target: DatasetBuilder,
  profileType: string,
  rows: ProfileRows,
  group: readonly number[],
  seriesOf: readonly number[],
  stackOf: Uint32Array,
): number {
  const { entries } = target;
  entries.begin(target.symbols.stacks.count);
  let samples = 0;
  let duration = 0;
  for (const row of group) {
    samples += rows.samples[row]!;
    duration = Math.max(duration, rows.duration[row]!);
    const scale = rows.scale[row]!;
    for (let i = rows.entryStarts[row]!; i < rows.entryStarts[row + 1]!; i++) {
      entries.add(stackOf[rows.stacks[i]!]!, rows.values[i]! * scale);
    }
  }
  const [first] = group;
  const head = {
    series: seriesOf[rows.series[first!]!]!,
    start: rows.start[first!]!,
    duration,
    batch: 0,
    samples,
  };
  target.addAccumulated(profileType, head);
  return entries.length === 0 ? 0 : samples;
}

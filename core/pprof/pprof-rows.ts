import { RejectedError } from '../errors.ts';
import type { DatasetBuilder } from '../profile/dataset-builder.ts';
import { WINDOW_TOTAL_MAX } from '../profile/entry-accumulator.ts';
import type { RowHead } from '../profile/profile-rows.ts';
import { upTo } from './identity.ts';
import type { SampleColumns } from './pprof-samples.ts';
import type { ProfileTypes } from './profile-type-names.ts';

/** What one profile adds, but for its values. */
export interface RowPlan {
  readonly types: ProfileTypes;
  /** Per label set: its series in the dataset. */
  readonly seriesIds: readonly number[];
  readonly start: number;
  readonly duration: number;
  readonly batch: number;
}

/** Sum over one profile, per sample type. */
export interface TypeTotal {
  readonly id: string;
  readonly total: bigint;
  readonly samples: number;
}

/** A row whose values pass 2^53 before they are divided by their greatest common divisor. */
interface ExactRow {
  readonly profileType: string;
  readonly head: RowHead;
  readonly scale: number;
  readonly total: number;
  readonly stacks: Uint32Array;
  readonly values: Float64Array;
}

/**
 * Adds one row per sample type and label set. All or nothing: what can be refused is worked out before the first row
 * goes in.
 * @throws RejectedError when a sum passes 2^53 − 1 in units of the values' greatest common divisor
 */
export function addRows(into: DatasetBuilder, columns: SampleColumns, plan: RowPlan): TypeTotal[] {
  const groups = groupByLabelSet(columns, plan.seriesIds.length);
  const parts = partsOf(columns, plan);
  const exactRows = parts.map((part) => (part.isPlain ? [] : exactRowsOf(columns, groups, part, plan)));
  return parts.map((part, i) => {
    if (part.isPlain) {
      const samples = addPlainRows(into, columns, groups, part, plan);
      return { id: part.id, total: BigInt(part.sum), samples };
    }
    const rows = exactRows[i]!;
    for (const row of rows) {
      into.rowsOf(part.id).add(row.head, row.scale, row.total, row.stacks, row.values, row.stacks.length);
    }
    return {
      id: part.id,
      total: rows.reduce((sum, row) => sum + BigInt(row.total) * BigInt(row.scale), 0n),
      samples: rows.reduce((sum, row) => sum + row.head.samples, 0),
    };
  });
}

/** The values of one sample type that have one sign. */
interface Part {
  readonly id: string;
  readonly type: number;
  readonly sign: 1 | -1;
  /** Sum of their sizes; exact only when `isPlain`. */
  readonly sum: number;
  /** Doubles are exact for all of their sums. */
  readonly isPlain: boolean;
}

function partsOf(columns: SampleColumns, plan: RowPlan): Part[] {
  const { count, values, large } = columns;
  const width = plan.types.signed.length;
  const parts: Part[] = [];
  for (let type = 0; type < width; type++) {
    let positive = 0;
    let negative = 0;
    for (let i = type, end = count * width; i < end; i += width) {
      const value = values[i]!;
      if (value >= 0) positive += value;
      else if (value < 0) negative -= value;
      else if (large.get(i)! > 0n) positive = Number.POSITIVE_INFINITY;
      else negative = Number.POSITIVE_INFINITY;
    }
    const ids = plan.types.signed[type]!;
    parts.push({ id: ids.positive, type, sign: 1, sum: positive, isPlain: positive <= WINDOW_TOTAL_MAX });
    if (negative > 0)
      parts.push({
        id: ids.negative,
        type,
        sign: -1,
        sum: negative,
        isPlain: negative <= WINDOW_TOTAL_MAX,
      });
  }
  if (!plan.types.areDistinct) refuseTwice(parts);
  return parts;
}

/** Sample numbers with those of one label set side by side: set g is order[starts[g]..starts[g+1]). */
interface Groups {
  readonly starts: Int32Array;
  readonly order: Int32Array;
}

/** Counting sort. */
function groupByLabelSet(columns: SampleColumns, sets: number): Groups {
  const { count, labelSets } = columns;
  if (sets === 1) return { starts: Int32Array.of(0, count), order: upTo(count) };
  const starts = new Int32Array(sets + 1);
  const order = new Int32Array(count);
  for (let s = 0; s < count; s++) starts[labelSets[s]! + 1]!++;
  for (let g = 0; g < sets; g++) starts[g + 1]! += starts[g]!;
  const next = starts.slice();
  for (let s = 0; s < count; s++) order[next[labelSets[s]!]!++] = s;
  return { starts, order };
}

/** Two rows of one type, series and window would pass for one row that came twice. */
function refuseTwice(parts: readonly Part[]): void {
  const ids = new Set<string>();
  for (const { id } of parts) {
    if (ids.has(id)) throw new RejectedError('invalid', `two sample types of the profile are both ${id}`);
    ids.add(id);
  }
}

function headOf(group: number, samples: number, plan: RowPlan): RowHead {
  const { start, duration, batch } = plan;
  return { series: plan.seriesIds[group]!, start, duration, batch, samples };
}

/** How many samples a record stands for: what the sample type that counts them says, else one. */
function samplesOf({ values, large }: SampleColumns, at: number, countType: number): number {
  if (countType < 0) return 1;
  const counted = values[at + countType]!;
  return Math.abs(Number.isNaN(counted) ? Number(large.get(at + countType)) : counted);
}

/** What the sample type that counts samples says of the records order[from..to) that have a value of this type and sign. */
function countedSamples(
  columns: SampleColumns,
  order: Int32Array,
  from: number,
  to: number,
  type: number,
  sign: 1 | -1,
  { types: { signed, countType } }: RowPlan,
): number {
  const { values } = columns;
  const width = signed.length;
  let samples = 0;
  for (let i = from; i < to; i++) {
    const at = order[i]! * width;
    if (values[at + type]! * sign > 0) samples += samplesOf(columns, at, countType);
  }
  return samples;
}

/** Answers how many samples the rows stand for. */
function addPlainRows(
  into: DatasetBuilder,
  columns: SampleColumns,
  groups: Groups,
  { id, type, sign }: Part,
  plan: RowPlan,
): number {
  const { entries } = into;
  const { stacks, values } = columns;
  const { starts, order } = groups;
  const { countType } = plan.types;
  const width = plan.types.signed.length;
  let allSamples = 0;
  for (let g = 0; g < plan.seriesIds.length; g++) {
    const from = starts[g]!;
    const to = starts[g + 1]!;
    entries.begin(into.symbols.stacks.count);
    let samples = entries.addColumn(order, from, to, stacks, values, type, width, sign);
    if (countType >= 0) samples = countedSamples(columns, order, from, to, type, sign, plan);
    into.addAccumulated(id, headOf(g, Math.min(samples, Number.MAX_SAFE_INTEGER), plan));
    allSamples += samples;
  }
  return allSamples;
}

/** The slow road for sums of 2^53 and more: the same rows in exact arithmetic. */
function exactRowsOf(columns: SampleColumns, groups: Groups, part: Part, plan: RowPlan): ExactRow[] {
  const rows: ExactRow[] = [];
  const width = plan.types.signed.length;
  const sign = BigInt(part.sign);
  for (let g = 0; g < plan.seriesIds.length; g++) {
    const byStack = new Map<number, bigint>();
    let samples = 0;
    for (let i = groups.starts[g]!; i < groups.starts[g + 1]!; i++) {
      const sample = groups.order[i]!;
      const at = sample * width + part.type;
      const value = sign * (columns.large.get(at) ?? BigInt(columns.values[at]!));
      const stack = columns.stacks[sample]!;
      if (value <= 0n) continue;
      byStack.set(stack, (byStack.get(stack) ?? 0n) + value);
      samples += samplesOf(columns, sample * width, plan.types.countType);
    }
    if (byStack.size === 0) continue;
    rows.push(exactRow(byStack, part.id, headOf(g, Math.min(samples, Number.MAX_SAFE_INTEGER), plan)));
  }
  return rows;
}

const MAX_SAFE = BigInt(WINDOW_TOTAL_MAX);

function exactRow(byStack: Map<number, bigint>, profileType: string, head: RowHead): ExactRow {
  const entries = [...byStack].sort(([a], [b]) => a - b);
  let divisor = 0n;
  let sum = 0n;
  for (const [, value] of entries) {
    divisor = greatestCommonDivisor(value, divisor);
    sum += value;
  }
  // A scale must be as exact as a value: factors of two go over to the values while it is not.
  while (divisor > MAX_SAFE && divisor % 2n === 0n) divisor /= 2n;
  const scale = Number(divisor);
  if (divisor > MAX_SAFE || sum / divisor > MAX_SAFE) {
    throw new RejectedError(
      'invalid',
      `the values of ${profileType} sum to ${sum}, in units of ${divisor}; the limit window_total_max is ${WINDOW_TOTAL_MAX} units (2^53 - 1, beyond which sums are not exact): send shorter windows`,
    );
  }
  return {
    profileType,
    head,
    scale,
    total: Number(sum / divisor),
    stacks: Uint32Array.from(entries, ([stack]) => stack),
    values: Float64Array.from(entries, ([, value]) => Number(value / divisor)),
  };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let x = a;
  let y = b;
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

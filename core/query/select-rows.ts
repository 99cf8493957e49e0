import type { DuplicateRows } from '../block/duplicate-rows.ts';
import type { RowTotals } from '../block/rows-sections.ts';
import type { Labels } from '../labels/labels.ts';
import { deletingSpan } from '../retention/tombstone.ts';
import { isInSpans, type TimeSpan } from './time-span.ts';

/** Which rows of a profile type belong to an answer. */
export interface RowFilter {
  /** Windows that start in one of these belong. */
  readonly spans: readonly TimeSpan[];
  readonly matches: (labels: Labels) => boolean;
  /** When windows of a series were deleted, and the block's step in ms (0 = raw); absent = never. */
  readonly deleted?: {
    readonly spansOf: (labels: Labels) => readonly TimeSpan[];
    readonly stepMs: number;
  };
  /** Set when rows of this block may have been brought by another block too. */
  readonly duplicates?: {
    readonly rows: DuplicateRows;
    readonly batchIds: readonly string[];
    /** Batches that another block of the answer has summed. */
    readonly except: ReadonlySet<string>;
  };
}

/** Numbers of the rows that pass, ascending. Labels are matched once per series, not per row. */
export function selectRows(
  profileType: string,
  totals: RowTotals,
  labelSets: readonly Labels[],
  filter: RowFilter,
): Uint32Array {
  const wanted = Uint8Array.from(labelSets, (labels) => (filter.matches(labels) ? 1 : 0));
  const rows = rowsWithin(totals, wanted, filter.spans);
  const { deleted, duplicates } = filter;
  if (deleted === undefined && duplicates === undefined) return rows;
  const deletedOf = labelSets.map((labels) => deleted?.spansOf(labels) ?? []);
  return rows.filter((row) => {
    const series = totals.series[row]!;
    if (deleted && deletingSpan(deletedOf[series]!, totals.start[row]!, deleted.stepMs) !== undefined)
      return false;
    if (duplicates === undefined) return true;
    const batchId = duplicates.batchIds[totals.batch[row]!]!;
    if (duplicates.except.has(batchId)) return false;
    return !duplicates.rows.seenBefore(batchId, profileType, labelSets[series]!, totals, row);
  });
}

/** Rows of the wanted series that start in one of the spans. */
function rowsWithin(
  { count, series, start }: RowTotals,
  wanted: Uint8Array,
  spans: readonly TimeSpan[],
): Uint32Array {
  const first = spans[0]?.start ?? 0;
  const end = spans.at(-1)?.end ?? 0;
  const isOne = spans.length <= 1;
  const selected = new Uint32Array(count);
  let length = 0;
  for (let row = 0; row < count; row++) {
    const time = start[row]!;
    if (wanted[series[row]!] === 0 || time < first || time >= end) continue;
    if (isOne || isInSpans(spans, time)) selected[length++] = row;
  }
  return selected.subarray(0, length);
}

/** The exact sum of the rows, in the unit of the profile type, and how many samples they stand for. */
export function sumRows(
  { total, scale, samples }: RowTotals,
  rows: Uint32Array,
): { total: bigint; samples: number } {
  let sum = 0n;
  let taken = 0;
  // Rows of one scale are summed as doubles as long as that is exact, which is nearly always all of them.
  let factor = 0;
  let part = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    taken += samples[row]!;
    const next = part + total[row]!;
    if (scale[row] === factor && next <= Number.MAX_SAFE_INTEGER) part = next;
    else {
      sum += BigInt(part) * BigInt(factor);
      factor = scale[row]!;
      part = total[row]!;
    }
  }
  return { total: sum + BigInt(part) * BigInt(factor), samples: taken };
}

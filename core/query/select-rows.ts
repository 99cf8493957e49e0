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
  const { deleted } = filter;
  const wanted = Uint8Array.from(labelSets, (labels) => (filter.matches(labels) ? 1 : 0));
  const deletedOf = deleted && labelSets.map(deleted.spansOf);
  const selected = new Uint32Array(totals.count);
  let length = 0;
  for (let row = 0; row < totals.count; row++) {
    const start = totals.start[row]!;
    if (wanted[totals.series[row]!] === 0 || !isInSpans(filter.spans, start)) continue;
    if (deletedOf && deletingSpan(deletedOf[totals.series[row]!]!, start, deleted!.stepMs) !== undefined)
      continue;
    if (filter.duplicates !== undefined) {
      const batchId = filter.duplicates.batchIds[totals.batch[row]!]!;
      if (filter.duplicates.except.has(batchId)) continue;
      const labels = labelSets[totals.series[row]!]!;
      if (filter.duplicates.rows.seenBefore(batchId, profileType, labels, totals, row)) continue;
    }
    selected[length++] = row;
  }
  return selected.subarray(0, length);
}

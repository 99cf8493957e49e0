import { type Labels, labelsKey } from '../labels/labels.ts';
import { BatchRuns, batchIdsOf } from './batch-runs.ts';
import type { RowTotals } from './rows-sections.ts';
import { eachSharedRun } from './shared-runs.ts';

/**
 * Tells rows that were seen before. Delivery is at least once, so two blocks may hold the same batch; a row is
 * identified by (batch, series, profile type, window), and only rows of batches that more than one block holds are
 * remembered, so the usual cost is nothing.
 */
export class DuplicateRows {
  readonly #shared: ReadonlySet<string>;
  readonly #runs: BatchRuns;
  readonly #seen = new Set<string>();

  /** @param shared ids of the batches that more than one input holds */
  constructor(shared: ReadonlySet<string>) {
    this.#shared = shared;
    this.#runs = new BatchRuns(shared);
  }

  /** Whether any row of a block with these entries, of its batch table or index row, can be a duplicate. */
  concerns(entries: readonly string[]): boolean {
    return this.#shared.size > 0 && entries.some((entry) => this.#runs.common(entry).length > 0);
  }

  /** True when an equal row was asked about before. */
  seenBefore(batchId: string, profileType: string, labels: Labels, rows: RowTotals, row: number): boolean {
    if (!this.#shared.has(batchId)) return false;
    const key = `${batchId}|${profileType}|${rows.start[row]}|${rows.duration[row]}|${labelsKey(labels)}`;
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }
}

/**
 * Batches that more than one of the tables names. Other entries never count: they name many batches.
 * @param mayShare whether two of them, by place, can hold the same rows at all; absent = any can
 */
export function sharedBatches(
  tables: readonly (readonly string[])[],
  mayShare: (a: number, b: number) => boolean = () => true,
): Set<string> {
  const shared = new Set<string>();
  eachSharedRun(tables, mayShare, (_a, _b, run) => {
    for (const id of batchIdsOf(run)) shared.add(id);
  });
  return shared;
}

import { type Labels, labelsKey } from '../labels/labels.ts';
import { isBatchId } from './batch-table.ts';
import type { RowTotals } from './rows-sections.ts';

/**
 * Tells rows that were seen before. Delivery is at least once, so two blocks may hold the same batch; a row is
 * identified by (batch, series, profile type, window), and only rows of batches that more than one block holds are
 * remembered, so the usual cost is nothing.
 */
export class DuplicateRows {
  readonly #shared: ReadonlySet<string>;
  readonly #seen = new Set<string>();

  /** @param shared ids of the batches that more than one input holds */
  constructor(shared: ReadonlySet<string>) {
    this.#shared = shared;
  }

  /** Whether any row of this block can be a duplicate. */
  concerns(batchIds: readonly string[]): boolean {
    return this.#shared.size > 0 && batchIds.some((id) => this.#shared.has(id));
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

/** Batches that appear in more than one of the lists. Other entries of batch tables never count: they name many batches. */
export function sharedBatches(lists: Iterable<readonly string[]>): Set<string> {
  const known = new Set<string>();
  const shared = new Set<string>();
  for (const list of lists) {
    for (const id of new Set(list)) {
      if (!isBatchId(id)) continue;
      if (known.has(id)) shared.add(id);
      known.add(id);
    }
  }
  return shared;
}

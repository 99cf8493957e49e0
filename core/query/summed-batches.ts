import { BatchRuns, batchIdsOf } from '../block/batch-runs.ts';
import type { IndexRow } from './query-plan.ts';

const NONE: ReadonlySet<string> = new Set();

/** Raw blocks that are read downsampled, and the batches that they hold. */
export class SummedBatches {
  readonly #rows: IndexRow[] = [];
  readonly #batches = new Map<string, BatchRuns>();

  add(row: IndexRow): void {
    this.#rows.push(row);
  }

  /**
   * Batches of a raw block that are summed. A batch has one time, and a row one service, so only blocks of the same time
   * and services are looked at. What such a block holds of a batch, it and others hold whole: so all of it is a copy.
   * @param services of the block, as far as they are wanted
   */
  sharedWith(
    { blockId, minTime, maxTime, batchIds }: IndexRow,
    services: ReadonlySet<string>,
  ): ReadonlySet<string> {
    const beside = this.#rows.filter(
      (row) =>
        row.blockId !== blockId &&
        row.minTime < maxTime &&
        row.maxTime > minTime &&
        row.datasets.some(({ service }) => services.has(service)),
    );
    if (beside.length === 0) return NONE;
    const tables = beside.map((row) => this.#tableOf(row));
    return new Set(
      batchIds.flatMap((entry) => tables.flatMap((table) => table.common(entry).flatMap(batchIdsOf))),
    );
  }

  #tableOf({ blockId, batchIds }: IndexRow): BatchRuns {
    let table = this.#batches.get(blockId);
    if (table === undefined) this.#batches.set(blockId, (table = new BatchRuns(batchIds)));
    return table;
  }
}

import { isFamily, sealedEntry } from '../core/block/batch-table.ts';
import type { BlockRow } from '../storage/block-catalog.ts';

/**
 * What reading a block takes of its index row. Rows of young blocks name thousands of batches, nearly all of which are in
 * no other block: of those only their clusters matter, which deletions are matched with.
 * @param services that are wanted
 * @param hasShared whether another block may hold a batch of it
 */
export function slimRow(row: BlockRow, services: ReadonlySet<string>, hasShared: boolean): BlockRow {
  const { minTime, maxTime, batchIds } = row;
  const entries = batchIds.filter((entry) => !isFamily(entry));
  return {
    ...row,
    datasets: [...services].map((service) => ({ service, profileTypes: [], minTime, maxTime })),
    batchIds: hasShared ? entries : [...new Set(entries.map(sealedEntry))],
  };
}

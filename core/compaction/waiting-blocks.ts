import { familyIdOf } from '../block/batch-table.ts';
import { byTime, unitsOf } from './block-units.ts';
import { type CompactionInput, isSealed } from './plan-compaction.ts';
import { shardMask } from './service-shard.ts';

/**
 * The blocks of a day that may be merged. Those that lie aside may not; and neither may those of their families, and raw
 * ones that may hold the same rows, until what lies aside is put back or gone: merged apart from it, they could not be told
 * from it any more.
 * @param rows all blocks that start in one day
 */
export function withoutWaiting<Row extends CompactionInput>(rows: readonly Row[]): readonly Row[] {
  const aside = rows.filter((row) => row.aside !== undefined);
  if (aside.length === 0) return rows;
  const families = new Set(aside.map(familyIdOf));
  const raw = rows.filter((row) => row.resolutionSeconds === 0 && !isSealed(row)).sort(byTime);
  const units = unitsOf(raw.map((block) => ({ block, versions: [], mask: shardMask(block.datasets) })));
  const waiting = new Set<string>();
  for (const { inputs } of units) {
    const waits = inputs.some(({ block }) => block.aside !== undefined || families.has(familyIdOf(block)));
    if (waits) for (const { block } of inputs) waiting.add(block.blockId);
  }
  return rows.filter((row) => row.aside === undefined && !waiting.has(row.blockId));
}

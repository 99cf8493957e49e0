import { familiesOf, familyIdOf, isPartial, keptDeletionsOf } from '../block/batch-table.ts';
import { isAnsweredByFamilies, isJoined, versionsByFamily } from '../block/families.ts';
import type { CompileRegex } from '../labels/matcher.ts';
import { type Tombstone, type TombstoneRow, Tombstones } from './tombstone.ts';

// A block that rolled up a label cannot tell the rows of a deletion that asks for it. Where a finer block can, queries
// read that one, and the coarser one is made anew from it. Where none is left, the deletion is out of reach: what it
// names stays in the sums of the block until these are past their time.

/** What deletion needs of a block's index row. */
export interface ReachRow extends TombstoneRow {
  readonly blockId: string;
}

/** Deletions that a block may hold rows of, and cannot tell. */
export interface UntoldDeletions {
  /** Finer blocks can tell them. */
  readonly withinReach: readonly Tombstone[];
  /** No block can. */
  readonly outOfReach: readonly Tombstone[];
}

const NONE: UntoldDeletions = { withinReach: [], outOfReach: [] };

/** What blocks still hold of a deletion. */
export interface DeletionLeft<Row> {
  /** Blocks that may still hold some of it, and are rewritten or merged. */
  readonly pending: readonly Row[];
  /** Blocks that may hold some of it for as long as they are kept. */
  readonly outOfReach: readonly Row[];
}

/** @param rows all blocks of the time of the deletion, and those of the families that joined blocks of that time sum */
export function deletionLeft<Row extends ReachRow & { readonly resolutionSeconds: number }>(
  deletion: Tombstone,
  rows: readonly Row[],
  compileRegex: CompileRegex,
  settleMs: number,
): DeletionLeft<Row> {
  const tombstone = Tombstones.of([deletion], compileRegex);
  const versionsOf = versionsByFamily(rows);
  const pending: Row[] = [];
  const outOfReach: Row[] = [];
  for (const row of rows) {
    const untold = untoldDeletions(row, tombstone, versionsOf, settleMs);
    if (!tombstone.concerning(row, settleMs).isEmpty || untold.withinReach.length > 0) pending.push(row);
    else if (untold.outOfReach.length > 0 || keptDeletionsOf(row.batchIds).includes(deletion.id))
      outOfReach.push(row);
  }
  return { pending, outOfReach };
}

/**
 * @param versionsOf the families of the time of the block
 * @param settleMs as of `Tombstones.concerning`
 */
export function untoldDeletions<Row extends ReachRow>(
  row: Row,
  tombstones: Tombstones,
  versionsOf: ReadonlyMap<string, readonly Row[]>,
  settleMs: number,
): UntoldDeletions {
  const untold = tombstones.untoldIn(row, settleMs).all;
  if (untold.length === 0) return NONE;
  // Whether a whole block of a family tells it, or was made anew since.
  const answersFor =
    ({ id }: Tombstone) =>
    (versions: readonly Row[]) =>
      versions.some(
        (version) =>
          !isPartial(version.batchIds) &&
          !tombstones.untoldIn(version, settleMs).all.some((one) => one.id === id),
      );
  const isWithinReach = (tombstone: Tombstone): boolean => {
    // What lacks series is not made anew: finer ones may hold less than it does.
    if (isPartial(row.batchIds)) return false;
    if (!isJoined(row)) return [versionsOf.get(familyIdOf(row)) ?? []].some(answersFor(tombstone));
    if (!isAnsweredByFamilies(row, versionsOf)) return false;
    const touched = familiesOf(row.batchIds)
      .map((family) => versionsOf.get(family) ?? [])
      .filter((versions) =>
        versions.some(({ minTime, maxTime }) => minTime < tombstone.end && maxTime > tombstone.start),
      );
    return touched.length === 0 || touched.some(answersFor(tombstone));
  };
  const groups = Map.groupBy(untold, isWithinReach);
  return { withinReach: groups.get(true) ?? [], outOfReach: groups.get(false) ?? [] };
}

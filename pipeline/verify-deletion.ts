import { hasLabels } from '../core/block/families.ts';
import { CorruptBlockError, RejectedError } from '../core/errors.ts';
import { compileMatchers } from '../core/labels/matcher.ts';
import { parseSelector } from '../core/labels/selector.ts';
import type { Tombstone } from '../core/retention/tombstone.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';
import { openBlockOf } from './open-block.ts';
import { mapConcurrently } from './read-blocks.ts';

/** What blocks still hold of a deletion, whatever queries leave out. */
export interface DeletionCheck {
  /** Blocks of its time that were looked at. */
  blocks: number;
  /** Rows and samples of it that were found. Zero is the proof. */
  rows: number;
  samples: number;
  /** Blocks that could not be read, with why. */
  unread: string[];
}

/**
 * Reads the totals of every block of the time of a deletion and counts what it should not hold: raw windows that start in
 * the range, and steps that lie in it altogether. A step that the range takes in part is summed from the raw windows
 * that are left. Blocks that rolled up a label of the selector have nothing to look at: they are made of finer ones, or
 * the deletion is out of their reach.
 */
export async function verifyDeletion(hub: Hub, tombstone: Tombstone): Promise<DeletionCheck> {
  const { selector, start, end } = tombstone;
  const { matchers } = parseSelector(selector);
  const labels = matchers.map(({ name }) => name);
  const matches = compileMatchers(matchers, hub.compileRegex);
  // What lies aside may be put back.
  const rows = await hub.catalog.find({ tenant: hub.tenant, from: start, until: end, withAside: true });
  const check: DeletionCheck = { blocks: 0, rows: 0, samples: 0, unread: [] };
  await mapConcurrently(rows, hub.settings.queryConcurrency, async (row) => {
    if (!hasLabels(row, labels)) return;
    try {
      await countIn(hub, row);
    } catch (error) {
      const isAbsent = error instanceof RejectedError && error.reason === 'not-found';
      if (!isAbsent && !(error instanceof CorruptBlockError)) throw error;
      check.unread.push(`${row.blockId}: ${error.message}`);
    }
  });
  return check;

  async function countIn(of: Hub, row: BlockRow): Promise<void> {
    const reader = await openBlockOf(of, row);
    const stepMs = Math.max(1, row.resolutionSeconds * 1000);
    check.blocks++;
    for (const dataset of reader.directory.datasets) {
      for (const type of dataset.types) {
        const { labelSets, totals } = await reader.totals(dataset, type);
        const wanted = labelSets.map(matches);
        for (let i = 0; i < totals.count; i++) {
          const from = totals.start[i]!;
          if (!wanted[totals.series[i]!] || from < start || from + stepMs > end) continue;
          check.rows++;
          check.samples += totals.samples[i]!;
        }
      }
    }
  }
}

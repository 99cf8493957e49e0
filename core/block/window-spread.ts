import type { Dataset } from '../profile/dataset-builder.ts';
import type { ProfileRows } from '../profile/profile-rows.ts';

/**
 * What a row of a downsampled block keeps of the raw windows that it sums, so that averages stay right and timelines
 * keep their peaks. Columns are per row.
 */
export interface WindowSpread {
  /** How many raw windows (rows) it sums. */
  readonly windows: Float64Array;
  /** Smallest and largest total of one of them, in units of the row's scale. */
  readonly least: Float64Array;
  readonly most: Float64Array;
}

/** Rows as a block holds them: raw ones are windows themselves, downsampled ones have a spread. */
export type BlockRows = ProfileRows & { readonly spread?: WindowSpread };

/** One service's slice of a block. */
export type BlockDataset = Omit<Dataset, 'types'> & { readonly types: ReadonlyMap<string, BlockRows> };

/** What the rows say of raw windows: of a raw row, itself. Arrays have at least `count` places. */
export function spreadOf(rows: Pick<BlockRows, 'count' | 'total' | 'spread'>): WindowSpread {
  if (rows.spread !== undefined) return rows.spread;
  const windows = new Float64Array(rows.count).fill(1);
  return { windows, least: rows.total, most: rows.total };
}

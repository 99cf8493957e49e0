import type { Completeness } from '../core/query/completeness.ts';
import type { PlannedBlock } from '../core/query/query-plan.ts';
import type { TimeSpan } from '../core/query/time-span.ts';
import type { Tombstone } from '../core/retention/tombstone.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { SeriesFilter } from './read-blocks.ts';

/** What an answer tells of frames: their names, as flame graphs show them, or all that is known, as pprof has it. */
export type ShareDetail = 'names' | 'symbols';

/** Blocks that one worker reads and merges. Plain data: it can be sent to a thread or another machine. */
export interface QueryShare {
  readonly detail: ShareDetail;
  readonly matchers: SeriesFilter['matchers'];
  readonly profileType: string;
  /**
   * With the spans of time that count of each. No block of another share holds a batch of theirs. Rows say what reading
   * takes and no more: see slim-row.ts.
   */
  readonly blocks: readonly PlannedBlock<BlockRow>[];
  /** Batches that more than one of the blocks holds. */
  readonly shared: ReadonlySet<string>;
  /** Deletions that the blocks may still hold rows of. */
  readonly tombstones: readonly Tombstone[];
  /** What one unit of a value is worth; it divides every value of the blocks. */
  readonly scale: number;
}

/** What a worker found out about completeness; what the catalog knew is not repeated. */
export type ReadingReport = Pick<
  Completeness,
  'complete' | 'bytesRead' | 'missingBlocks' | 'corruptBlocks' | 'samples' | 'notes'
>;

/** What a share came to, exactly: stacks and their values are merged, nothing is rounded. */
export interface ShareSum {
  /** As the section `symbols` of a block (docs/format/block.md). */
  readonly symbols: Uint8Array;
  /** Per stack of these, in units of the share's scale. */
  readonly values: Float64Array;
  readonly total: bigint;
  /** Ascending, disjoint. */
  readonly covered: readonly TimeSpan[];
  readonly reading: ReadingReport;
}

/** Readers beside this one: threads of a server, or functions. They run `sumShare` on the same blocks. */
export interface QueryWorkers {
  /** How many shares run at once. */
  readonly count: number;
  /** Any error: the share is read here instead. RejectedError('too-large') when it cannot be sent, or its sum. */
  sum(share: QueryShare): Promise<ShareSum>;
}

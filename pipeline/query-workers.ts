import type { Completeness } from '../core/query/completeness.ts';
import type { PlannedBlock } from '../core/query/query-plan.ts';
import type { TimeSpan } from '../core/query/time-span.ts';
import type { MergedStacks } from '../core/query/tree-merger.ts';
import type { Tombstone } from '../core/retention/tombstone.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { SeriesSelection } from './read-blocks.ts';

/** Blocks of a flame graph that one worker reads. Plain data: it can be sent to a thread or another machine. */
export interface TreeShare {
  readonly selection: SeriesSelection;
  readonly profileType: string;
  /** With the spans of time that count of each. No block of another share holds a batch of theirs. */
  readonly blocks: readonly PlannedBlock<BlockRow>[];
  /** Batches that more than one of the blocks holds. */
  readonly shared: ReadonlySet<string>;
  /** Deletions that the blocks may still hold rows of. */
  readonly tombstones: readonly Tombstone[];
  /** What one unit of a value is worth; it divides every value of the blocks. */
  readonly scale: number;
}

/** What a share came to, exactly: stacks and their values are merged, nothing is rounded. */
export interface TreeShareSum {
  readonly stacks: MergedStacks;
  readonly total: bigint;
  readonly covered: readonly TimeSpan[];
  /** Of reading; what the catalog knew is not repeated. */
  readonly completeness: Completeness;
}

/** Readers beside this one: threads of a server, or functions. They run `sumTreeShare` on a hub with the same blocks. */
export interface QueryWorkers {
  /** How many shares run at once. */
  readonly count: number;
  /** Any error: the share is read here instead. */
  sumTree(share: TreeShare): Promise<TreeShareSum>;
}

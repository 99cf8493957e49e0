import { limitExceeded, RejectedError } from '../core/errors.ts';
import { isKeySegment } from './object-store.ts';

/** One service's slice of a block, as far as planning needs it. */
export interface DatasetRow {
  service: string;
  profileTypes: string[];
  /** [minTime, maxTime) in ms since epoch, within that of the block. */
  minTime: number;
  maxTime: number;
}

/** Why a block was set aside, and when. */
export interface Aside {
  /** What is wrong with it, or what whoever did it says. */
  reason: string;
  /** In ms since epoch. */
  at: number;
}

/** One block in the catalog. A block is visible to queries exactly while its row is here, and not aside. */
export interface BlockRow {
  blockId: string;
  tenant: string;
  /** How often merged: 0 as written by the processor. */
  level: number;
  /** Time step of the block's windows, in seconds; 0 = as they came. */
  resolutionSeconds: number;
  /** [minTime, maxTime) in ms since epoch: every sample of the block lies within. */
  minTime: number;
  maxTime: number;
  /** Of the object, in bytes. */
  size: number;
  /** Byte range of the directory in the object, so that a reader needs no request to find it. */
  directoryOffset: number;
  directoryLength: number;
  /** In ms since epoch. */
  createdAt: number;
  datasets: DatasetRow[];
  /** The batches merged into it; may be empty once they are too old to arrive again. */
  batchIds: string[];
  /** Present while it lies aside: its row and object are kept, and nothing reads, merges or deletes them. */
  aside?: Aside;
}

/** A block that is out of the catalog and whose object is to be deleted after a grace period. */
export interface DeletionMark {
  blockId: string;
  tenant: string;
  level: number;
  /** In ms since epoch, by the catalog's clock. */
  markedAt: number;
}

/** Blocks of one tenant that overlap [from, until), in ms since epoch. */
export interface BlockSearch {
  tenant: string;
  from: number;
  until: number;
  /** Only blocks with a dataset of this service that itself overlaps the range. */
  service?: string;
  /**
   * Whether only blocks are found that begin in the range: of ranges side by side, each block is in one.
   * @default false
   */
  starting?: boolean;
  /**
   * Whether blocks that lie aside are found as well.
   * @default false
   */
  withAside?: boolean;
}

export interface BlockSwap {
  /** Ids of live blocks that leave the catalog. */
  remove: string[];
  /** Rows of blocks that enter it; their objects are already stored. */
  add: BlockRow[];
  /** Live blocks that are set aside. */
  setAside?: { blockId: string; aside: Aside }[];
  /** Ids of blocks aside that are live again, exactly as they were. */
  putBack?: string[];
  /** Ids of blocks aside that leave the catalog. */
  removeAside?: string[];
  /** Names this swap: a repeat of it under the same token does nothing more. */
  token: string;
}

export interface BlockPage {
  tenant: string;
  level?: number;
  /** The last row of the page before (exclusive). */
  after?: Pick<BlockRow, 'minTime' | 'blockId'>;
  limit: number;
  /**
   * Whether blocks that lie aside are listed as well.
   * @default false
   */
  withAside?: boolean;
}

/** Most blocks in one swap, in and out together: a DynamoDB transaction takes 100 items, some are kept for the token. */
export const MAX_SWAP_BLOCKS = 96;

/** Most rows on one page of `list` or of deletion marks. */
export const MAX_CATALOG_PAGE = 1000;

/** For how long, at least, a catalog remembers the tokens of its swaps. */
export const SWAP_TOKEN_MEMORY_MS = 7 * 24 * 3_600_000;

/**
 * Which blocks exist. One row per block, never per batch or series.
 *
 * A block id is used once. An id is *live* from publish (or swap in) until it is swapped out; then it is *marked* until
 * it is forgotten. A live block may be set *aside* and put back: meanwhile its id is used, its row is answered only to
 * who asks for blocks aside, and a swap that takes it for live meets a conflict. Every method throws RejectedError('invalid') for rows or arguments that break the rules of their
 * types, and RetryableError when the storage below does not answer; then the change may or may not have happened, and
 * the same call may be repeated.
 */
export interface BlockCatalog {
  /**
   * Makes the block visible. Answers 'exists' and changes nothing when the id is live, aside or marked: so a processor that
   * repeats its work after a crash brings back no block that was compacted away meanwhile.
   */
  publish(row: BlockRow): Promise<'published' | 'exists'>;

  /** All live blocks that match, ordered by (minTime, blockId). An empty range (from ≥ until) matches none. */
  find(search: BlockSearch): Promise<BlockRow[]>;

  /** The row of a live block, or with `withAside` of one that lies aside. */
  get(blockId: string, options?: { withAside?: boolean }): Promise<BlockRow | undefined>;

  /**
   * Removes, adds, sets aside and puts back in one step: no reader ever sees a part of it. Answers 'conflict', and
   * changes nothing, when a block to remove or to set aside is not live, one to put back or to remove from aside does not
   * lie there, or an id to add is live, aside or marked. The removed become deletion marks. Each part may be empty
   * (retention removes), not all of them. The same swap under the same token answers 'done' again, for as
   * long as the token is remembered (SWAP_TOKEN_MEMORY_MS at least).
   * @throws RejectedError 'invalid' when the token was used for another swap; 'too-large' past MAX_SWAP_BLOCKS.
   */
  swap(swap: BlockSwap): Promise<'done' | 'conflict'>;

  /** Marks set before `before` (ms, exclusive), ordered by (markedAt, blockId), at most `limit` (default the maximum, MAX_CATALOG_PAGE). */
  listDeletionMarks(before: number, limit?: number): Promise<DeletionMark[]>;

  /**
   * Drops the deletion mark of a block whose object is deleted; nothing happens when there is none, or when the block is
   * live. Call it only once the block's batches are too old to be processed again, see `publish`.
   */
  forget(blockId: string): Promise<void>;

  /** One page of a tenant's live blocks, ordered by (minTime, blockId), for planning. `limit` is at most MAX_CATALOG_PAGE. */
  list(page: BlockPage): Promise<BlockRow[]>;
}

/** @throws RejectedError 'invalid' when a field of the row, or the relation of two, is out of its range. */
export function checkBlockRow(row: BlockRow): void {
  const problem =
    idProblem('blockId', row.blockId) ??
    idProblem('tenant', row.tenant) ??
    integerProblem(row, [
      'level',
      'minTime',
      'maxTime',
      'size',
      'directoryOffset',
      'directoryLength',
      'createdAt',
    ]) ??
    (Number.isSafeInteger(row.resolutionSeconds) && row.resolutionSeconds >= 0
      ? undefined
      : `resolutionSeconds is ${row.resolutionSeconds}`) ??
    (row.aside === undefined ? undefined : 'a block enters the catalog live') ??
    (row.minTime < row.maxTime
      ? undefined
      : `[minTime, maxTime) = [${row.minTime}, ${row.maxTime}) is empty`) ??
    (row.directoryOffset + row.directoryLength <= row.size
      ? undefined
      : 'its directory ends after its end') ??
    row.datasets.map((dataset) => datasetProblem(row, dataset)).find((found) => found !== undefined);
  if (problem !== undefined)
    throw new RejectedError('invalid', `row of block ${JSON.stringify(row.blockId)}: ${problem}`);
}

/** @throws RejectedError as `BlockCatalog.swap` says for its arguments alone. */
export function checkSwap(swap: BlockSwap): void {
  const named = [...changedIds(swap), ...swap.add.map(({ blockId }) => blockId)];
  const blocks = named.length;
  if (blocks > MAX_SWAP_BLOCKS) {
    throw limitExceeded({ name: 'catalog.maxSwapBlocks', value: MAX_SWAP_BLOCKS, unit: 'blocks' }, blocks);
  }
  if (blocks === 0 || new Set(named).size !== blocks || swap.token === '') {
    throw new RejectedError(
      'invalid',
      'a swap needs a token and at least one block, and names each block once',
    );
  }
  swap.add.forEach(checkBlockRow);
}

/** The blocks that are in the catalog before a swap, and that it changes. */
export function changedIds({ remove, setAside = [], putBack = [], removeAside = [] }: BlockSwap): string[] {
  return [...remove, ...setAside.map(({ blockId }) => blockId), ...putBack, ...removeAside];
}

/** What a swap does with blocks aside, the same for swaps that do the same; empty when it does nothing with them. */
export function asideEffectOf({
  setAside = [],
  putBack = [],
  removeAside = [],
}: Pick<BlockSwap, 'setAside' | 'putBack' | 'removeAside'>): string[][] {
  if (setAside.length + putBack.length + removeAside.length === 0) return [];
  const set = setAside.map(({ blockId, aside: { reason, at } }) => JSON.stringify([blockId, reason, at]));
  return [set.sort(), [...putBack].sort(), [...removeAside].sort()];
}

function idProblem(field: string, id: string): string | undefined {
  return isKeySegment(id) ? undefined : `${field} ${JSON.stringify(id)} is not made of A-Z a-z 0-9 . _ = -`;
}

function integerProblem<K extends keyof BlockRow>(row: BlockRow, fields: K[]): string | undefined {
  const broken = fields.find((field) => !Number.isSafeInteger(row[field]) || Number(row[field]) < 0);
  return broken && `${broken} is ${row[broken]}, not a non-negative integer`;
}

function datasetProblem(row: BlockRow, dataset: DatasetRow): string | undefined {
  const { minTime, maxTime } = dataset;
  const whole = Number.isSafeInteger(minTime) && Number.isSafeInteger(maxTime);
  if (whole && row.minTime <= minTime && minTime < maxTime && maxTime <= row.maxTime) return undefined;
  return `dataset ${JSON.stringify(dataset.service)} spans [${minTime}, ${maxTime}), which is not within the block`;
}

import { CorruptBlockError, RejectedError } from '../core/errors.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';
import { openBlockOf } from './open-block.ts';

/** Which blocks are listed. What is absent is not asked for. */
export interface BlockFilter {
  /** Blocks that overlap [from, until), ms since epoch. */
  readonly from?: number;
  readonly until?: number;
  readonly service?: string;
  readonly level?: number;
  /** 0 = raw. */
  readonly resolutionSeconds?: number;
  /** Most blocks that are answered: the oldest. */
  readonly limit: number;
}

/** A live block, as its index row and its directory say. */
export interface ListedBlock {
  readonly blockId: string;
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly bytes: number;
  readonly createdAt: number;
  readonly services: readonly string[];
  /** Absent when its directory cannot be read; then `problem` says why. */
  readonly samples?: number;
  readonly problem?: string;
}

/** Most blocks that one call lists: for each, its directory is read. */
export const LISTED_BLOCKS_MAX = 1000;

const PARALLEL_READS = 16;

/** Live blocks by time and id, and how many match in all. */
export async function listBlocks(
  hub: Hub,
  { from = 0, until = Number.MAX_SAFE_INTEGER, service, level, resolutionSeconds, limit }: BlockFilter,
): Promise<{ blocks: ListedBlock[]; matching: number }> {
  if (!Number.isInteger(limit) || limit < 0 || limit > LISTED_BLOCKS_MAX)
    throw new RejectedError('invalid', `limit is ${limit}, it may be from 0 to ${LISTED_BLOCKS_MAX}`);
  const found = await hub.catalog.find({ tenant: hub.tenant, from, until, ...(service && { service }) });
  const rows = found.filter(
    (row) =>
      (level === undefined || row.level === level) &&
      (resolutionSeconds === undefined || row.resolutionSeconds === resolutionSeconds),
  );
  const blocks: ListedBlock[] = [];
  for (let at = 0; at < Math.min(limit, rows.length); at += PARALLEL_READS) {
    const some = rows.slice(at, Math.min(limit, at + PARALLEL_READS));
    blocks.push(...(await Promise.all(some.map((row) => describe(hub, row)))));
  }
  return { blocks, matching: rows.length };
}

async function describe(hub: Hub, row: BlockRow): Promise<ListedBlock> {
  const { blockId, level, resolutionSeconds, minTime, maxTime, size, createdAt, datasets } = row;
  const services = datasets.map(({ service }) => service);
  const head = { blockId, level, resolutionSeconds, minTime, maxTime, bytes: size, createdAt, services };
  try {
    const { directory } = await openBlockOf(hub, row);
    const types = directory.datasets.flatMap((dataset) => dataset.types);
    return { ...head, samples: types.reduce((sum, { samples }) => sum + samples, 0) };
  } catch (error) {
    const isGone = error instanceof RejectedError && error.reason === 'not-found';
    if (!isGone && !(error instanceof CorruptBlockError)) throw error;
    return { ...head, problem: isGone ? 'its object is gone' : error.message };
  }
}

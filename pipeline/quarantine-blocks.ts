import { familiesOf, familyIdOf } from '../core/block/batch-table.ts';
import { CorruptBlockError, RejectedError, RetryableError } from '../core/errors.ts';
import { type Aside, type BlockRow, MAX_CATALOG_PAGE } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';
import { openBlockOf } from './open-block.ts';
import { changeCatalog } from './swap-blocks.ts';

// A block in quarantine lies aside in the catalog: its id, row and object stay as they are, and nobody reads, merges or
// sweeps them. Setting one aside and putting it back is one swap each, so whoever merges it at the same time meets a
// conflict, or got it first. Blocks that may hold the same rows wait with it (core/compaction/waiting-blocks.ts),
// deletions that concern it stay in force, and retention drops it when its time is over.

/** A block that lies aside. */
export type QuarantinedBlock = BlockRow & { aside: Aside };

/** Longest reason, in characters. */
export const REASON_LENGTH_MAX = 500;

/** Most stored bytes that are read to see what is wrong with a block: about what a request has the time for. */
export const VERIFY_BYTES_MAX = 256 * 1024 * 1024;

/** What is wrong with a block; undefined when every section of it is sound. */
export async function problemOf(hub: Hub, row: BlockRow): Promise<string | undefined> {
  try {
    await (await openBlockOf(hub, row)).verify();
    return undefined;
  } catch (error) {
    if (error instanceof RejectedError && error.reason === 'not-found') return 'its object is gone';
    if (error instanceof CorruptBlockError) return error.message;
    throw error;
  }
}

/**
 * Takes a block out of all answers, and keeps it. One that lies aside already stays as it is.
 * @param request.reason why; absent = what is wrong with it
 * @throws RejectedError('not-found') when there is no such block; 'invalid' when it is sound and nobody says why, or stands
 *   in for another one; 'too-large' when it would take too long to see what is wrong
 */
export async function quarantineBlock(
  hub: Hub,
  { blockId, reason, dryRun }: { blockId: string; reason?: string; dryRun: boolean },
): Promise<QuarantinedBlock> {
  const row = await hub.catalog.get(blockId, { withAside: true });
  if (row === undefined) throw new RejectedError('not-found', `there is no block ${blockId}`);
  if (isAside(row)) return row;
  const why = (reason ?? (await foundProblem(hub, row))).slice(0, REASON_LENGTH_MAX);
  const aside: Aside = { reason: why, at: hub.clock() };
  await checkNoStandIn(hub, row);
  if (dryRun) return { ...row, aside };
  if (!(await changeCatalog(hub, { remove: [], add: [], setAside: [{ blockId, aside }] }))) {
    const now = await hub.catalog.get(blockId, { withAside: true });
    if (now !== undefined && isAside(now)) return now;
    throw new RejectedError(
      'not-found',
      `block ${blockId} was merged or dropped meanwhile: nothing was changed`,
    );
  }
  hub.telemetry.count('blocks_quarantined_total', 1);
  hub.telemetry.log('warn', `block ${blockId} is set aside: ${aside.reason}`);
  return { ...row, aside };
}

async function foundProblem(hub: Hub, row: BlockRow): Promise<string> {
  const { blockId, size } = row;
  if (size > VERIFY_BYTES_MAX) {
    throw new RejectedError(
      'too-large',
      `block ${blockId} has ${size} bytes, at most ${VERIFY_BYTES_MAX} are read to see what is wrong: say with a reason why it is to go`,
    );
  }
  const problem = await problemOf(hub, row);
  if (problem !== undefined) return problem;
  throw new RejectedError('invalid', `block ${blockId} is sound: say with a reason why it is to go`);
}

/**
 * Of blocks that stand for the same, one at most lies aside: which of two were the whole one, nobody could tell.
 * @throws RejectedError('invalid') when the block holds what could be saved of one that lies aside
 */
export async function checkNoStandIn(hub: Hub, row: BlockRow): Promise<void> {
  const [whole] = (await standingFor(hub, row, true)).filter(isAside);
  if (whole === undefined) return;
  throw new RejectedError(
    'invalid',
    `block ${row.blockId} is what could be saved of block ${whole.blockId}, which is in quarantine: put that back or give it up first`,
  );
}

/** All blocks that lie aside, by (minTime, blockId). Goes through the whole catalog. */
export async function listQuarantinedBlocks(hub: Hub): Promise<QuarantinedBlock[]> {
  const found: QuarantinedBlock[] = [];
  let after: BlockRow | undefined;
  for (;;) {
    const range = { after, limit: MAX_CATALOG_PAGE, withAside: true };
    const page = await hub.catalog.list({ tenant: hub.tenant, ...range });
    found.push(...page.filter(isAside));
    after = page.at(-1);
    if (page.length < MAX_CATALOG_PAGE) return found;
  }
}

/** A block that was put back. */
export interface RestoredBlock {
  readonly row: BlockRow;
  /** What is wrong with it; absent when it is sound, or too large to be read just for that. */
  readonly problem?: string;
  /** Blocks that held what could be saved of it, and left when it came back. */
  readonly replaced: readonly string[];
}

/**
 * Puts a block back exactly as it was. What was saved of it leaves in the same swap.
 * @throws RejectedError('not-found') when it does not lie aside, or its object is gone; 'invalid' when what stands for it
 *   cannot leave; RetryableError when its place
 *   changed just now
 */
export async function restoreBlock(hub: Hub, blockId: string): Promise<RestoredBlock> {
  const { aside: _, ...row } = await asideRow(hub, blockId);
  // Its directory at least: one without an object would only be missing from answers.
  const isGone = (await objectProblem(hub, row)) === 'its object is gone';
  if (isGone) throw new RejectedError('not-found', `the object of block ${blockId} is gone`);
  const standing = await standingFor(hub, row, false);
  const larger = standing.find((one) => familiesIn(one).some((id) => !familiesIn(row).includes(id)));
  if (larger !== undefined) {
    throw new RejectedError(
      'invalid',
      `block ${larger.blockId} sums what block ${blockId} sums, and more: back, it would count twice; give it up`,
    );
  }
  const replaced = standing.map((one) => one.blockId);
  if (!(await changeCatalog(hub, { remove: replaced, add: [], putBack: [blockId] })))
    throw new RetryableError(`block ${blockId}, or what was saved of it, was changed meanwhile`);
  hub.telemetry.count('blocks_restored_total', 1);
  hub.telemetry.log('warn', `block ${blockId} is put back`);
  const problem = row.size > VERIFY_BYTES_MAX ? undefined : await problemOf(hub, row);
  return { row, replaced, ...(problem !== undefined && { problem }) };
}

async function objectProblem(hub: Hub, row: BlockRow): Promise<string | undefined> {
  try {
    await openBlockOf(hub, row);
    return undefined;
  } catch (error) {
    if (error instanceof RejectedError && error.reason === 'not-found') return 'its object is gone';
    if (error instanceof CorruptBlockError) return error.message;
    throw error;
  }
}

/** Other blocks that stand for some of the same families at the same resolution: live ones, or also those aside. */
async function standingFor(hub: Hub, row: BlockRow, withAside: boolean): Promise<BlockRow[]> {
  const range = { from: row.minTime, until: row.maxTime };
  const rows = await hub.catalog.find({ tenant: hub.tenant, ...range, withAside });
  const families = new Set(familiesIn(row));
  return rows.filter(
    (other) =>
      other.blockId !== row.blockId &&
      other.resolutionSeconds === row.resolutionSeconds &&
      familiesIn(other).some((id) => families.has(id)),
  );
}

function familiesIn(row: BlockRow): string[] {
  return row.resolutionSeconds === 0 ? [familyIdOf(row)] : familiesOf(row.batchIds);
}

/**
 * Gives a block in quarantine up for good. Its object is deleted after the grace of merged blocks.
 * @throws RejectedError('not-found') when it does not lie aside
 */
export async function discardBlock(
  hub: Hub,
  { blockId, dryRun }: { blockId: string; dryRun: boolean },
): Promise<QuarantinedBlock> {
  const row = await asideRow(hub, blockId);
  if (dryRun) return row;
  if (!(await changeCatalog(hub, { remove: [], add: [], removeAside: [blockId] })))
    throw new RejectedError(
      'not-found',
      `block ${blockId} was put back or dropped meanwhile: nothing was changed`,
    );
  hub.telemetry.count('blocks_discarded_total', 1);
  hub.telemetry.log('warn', `block ${blockId} is given up: ${row.aside.reason}`);
  return row;
}

async function asideRow(hub: Hub, blockId: string): Promise<QuarantinedBlock> {
  const row = await hub.catalog.get(blockId, { withAside: true });
  if (row !== undefined && isAside(row)) return row;
  throw new RejectedError('not-found', `block ${blockId} is not in quarantine`);
}

function isAside(row: BlockRow): row is QuarantinedBlock {
  return row.aside !== undefined;
}

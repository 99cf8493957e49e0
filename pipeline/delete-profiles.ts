import { newBlockId } from '../core/block/block-id.ts';
import { RejectedError } from '../core/errors.ts';
import { CLUSTER, SERVICE_NAME } from '../core/labels/labels.ts';
import { parseSelector } from '../core/labels/selector.ts';
import type { LeftOutTime } from '../core/query/rolled-up-blocks.ts';
import { selectRows } from '../core/query/select-rows.ts';
import { type DeletionLeft, deletionLeft } from '../core/retention/deletion-reach.ts';
import { checkTombstone, type Tombstone } from '../core/retention/tombstone.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { blocksAround } from './blocks-around.ts';
import type { Hub } from './hub.ts';
import { openParts, planRead, readParts } from './read-blocks.ts';
import { addDeletion, type Deletion, readDeletions, SETTLE_MS } from './tombstone-store.ts';
import { type DeletionCheck, verifyDeletion } from './verify-deletion.ts';

/** What to delete: of every profile type, what a query of the selector over [start, end) in ms answers. */
export interface DeletionRequest {
  readonly selector: string;
  readonly start: number;
  readonly end: number;
  readonly reason: string;
  /** Answers what would go, and deletes nothing. */
  readonly dryRun?: boolean;
}

export interface DeletionAnswer {
  readonly tombstone: Tombstone;
  readonly isDryRun: boolean;
  /** Samples of all profile types that queries answer no more, and the blocks that hold them, or may. */
  readonly samples: number;
  readonly blocks: number;
  /** False when not all of the blocks could be read: there may be more. */
  readonly complete: boolean;
  /** Blocks that rolled up a label that the selector asks for, and that go on summing what it names. */
  readonly outOfReachBlocks: number;
}

/** A deletion and how far it is. */
export interface DeletionProgress extends Deletion {
  /** Blocks that may still hold some of it; queries leave it out all the same. */
  readonly pendingBlocks: number;
  /** Blocks that go on summing what it names, as of `DeletionAnswer`. Above 0, it is never done altogether. */
  readonly outOfReachBlocks: number;
  /** Present when it was asked to verify. */
  readonly check?: DeletionCheck;
}

/**
 * Deletes profiles: from answers at once, from blocks as they are merged or rewritten, within hours.
 * @throws RejectedError('invalid') for a selector or a range that deletes nothing, everything by mistake, what is
 *   still to come, or what is only kept without the labels that the selector asks for; RetryableError while somebody else changes deletions
 */
export async function deleteProfiles(hub: Hub, request: DeletionRequest): Promise<DeletionAnswer> {
  const { selector, start, end, reason, dryRun = false } = request;
  const now = hub.clock();
  const id = newBlockId(now, () => hub.random());
  const tombstone: Tombstone = { id, selector, start, end, createdAt: now, reason };
  checkTombstone(tombstone, hub.compileRegex);
  const latest = now + hub.settings.futureWindowMs;
  if (end > latest)
    throw new RejectedError(
      'invalid',
      `a deletion may end at ${latest} (now) at the latest, not at ${end}: what is yet to come is left out by drop rules of agents`,
    );
  const found = {
    ...(await samplesOf(hub, tombstone)),
    outOfReachBlocks: await countOutOfReach(hub, tombstone),
  };
  if (!dryRun) {
    await addDeletion(hub, tombstone);
    hub.telemetry.count('deletions_total', 1);
    hub.telemetry.log('info', `deletion ${id} of ${selector}: ${reason}`, { start, end });
  }
  return { tombstone, isDryRun: dryRun, ...found };
}

/** All deletions in force and the last ones that are done, the newest first. */
export async function listDeletions(
  hub: Hub,
  options: {
    /** Id of a deletion whose blocks are read, to see that none holds anything of it. */
    readonly verify?: string;
  } = {},
): Promise<DeletionProgress[]> {
  const deletions = await readDeletions(hub);
  if (options.verify !== undefined && !deletions.some(({ id }) => id === options.verify))
    throw new RejectedError('not-found', `there is no deletion ${options.verify}`);
  const listed: DeletionProgress[] = [];
  for (const deletion of deletions) {
    const pendingBlocks = deletion.doneAt === undefined ? (await leftOf(hub, deletion)).pending.length : 0;
    const outOfReachBlocks = await countOutOfReach(hub, deletion);
    const check = deletion.id === options.verify ? await verifyDeletion(hub, deletion) : undefined;
    listed.push({ ...deletion, pendingBlocks, outOfReachBlocks, check });
  }
  return listed;
}

/** Blocks of the time of a deletion that may hold some of it, those alone that can be rewritten or those that cannot. */
async function leftOf(hub: Hub, deletion: Tombstone): Promise<DeletionLeft<BlockRow>> {
  const rows = await blocksAround(hub, [deletion], true);
  return deletionLeft(deletion, rows, hub.compileRegex, SETTLE_MS);
}

/** Labels that are never rolled up. */
const KEPT_LABELS = [CLUSTER, SERVICE_NAME];

async function countOutOfReach(hub: Hub, deletion: Tombstone): Promise<number> {
  const { matchers } = parseSelector(deletion.selector);
  if (matchers.every(({ name }) => KEPT_LABELS.includes(name))) return 0;
  return (await leftOf(hub, deletion)).outOfReach.length;
}

async function samplesOf(
  hub: Hub,
  { selector, start, end }: Tombstone,
): Promise<Pick<DeletionAnswer, 'samples' | 'blocks' | 'complete'>> {
  const { matchers } = parseSelector(selector);
  const planned = await planRead(hub, { matchers, start, end });
  const { blocks: reachable, leftOut } = planned.plan;
  if (reachable.length === 0 && leftOut !== undefined) throw outOfReach(selector, leftOut);
  const parts = await openParts(hub, planned, 'totals');
  const blocks = new Set<string>();
  let samples = 0;
  await readParts(
    hub,
    parts,
    (part) => part.reader.totals(part.dataset, part.type),
    (part, { totals, labelSets }) => {
      const rows = selectRows(part.type.profileType, totals, labelSets, part.filter);
      for (const row of rows) samples += totals.samples[row]!;
      if (rows.length > 0) blocks.add(part.reader.directory.blockId);
    },
  );
  const { missingBlocks, corruptBlocks, asideBlocks, continueBefore } = parts.completeness;
  const isRead = missingBlocks + corruptBlocks + asideBlocks === 0 && continueBefore === undefined;
  return { samples, blocks: blocks.size, complete: isRead && leftOut === undefined };
}

function outOfReach(selector: string, { labels }: LeftOutTime): RejectedError {
  const names = labels.join(' and ');
  return new RejectedError(
    'invalid',
    `all that is kept of this time has ${names} rolled up, so that what ${selector} names cannot be told from the rest: delete without ${names}, or wait until retention takes it`,
  );
}

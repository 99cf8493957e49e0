import type { CopyJob } from '../core/compaction/plan-rewrites.ts';
import { RejectedError } from '../core/errors.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';
import type { RewriteReport, RewriteRequest } from './rewrite-block.ts';
import { changeSharedSetting, readSharedSetting } from './shared-setting.ts';

// A rewrite takes longer than a request may. So it is kept as a wish; the next plan makes a job of it, which runs where
// blocks are merged; and what came of it is kept for whoever asked.

/** A wish to rewrite a block, and what came of it. */
export interface RewriteRecord extends RewriteRequest {
  /** ms since epoch. */
  readonly requestedAt: number;
  /** Absent while it waits. */
  readonly doneAt?: number;
  /** Absent while it waits, and when it failed. Totals are digits; of what was lost, the first LOST_KEPT_MAX. */
  readonly report?: Omit<RewriteReport, 'lost'> & { readonly lost: readonly LostRecord[] };
  /** Why it failed, and whether that is damage. */
  readonly problem?: string;
  readonly isDamaged?: boolean;
}

export type LostRecord = Omit<RewriteReport['lost'][number], 'total'> & { readonly total: string };

const SETTING = 'block-rewrites';
const VERSION = 1;

/** Most wishes that wait. */
export const WAITING_REWRITES_MAX = 100;
/** How many that are done are kept. */
const DONE_KEPT_MAX = 20;
const LOST_KEPT_MAX = 50;

/** All that wait, and the last ones that are done; the newest wish first. */
export async function listRewrites(hub: Hub): Promise<RewriteRecord[]> {
  return (await readSharedSetting<RewriteRecord[]>(hub, SETTING, VERSION)) ?? [];
}

/**
 * Asks for a block to be rewritten. A second wish for the same block, while it waits, is the same wish.
 * @throws RejectedError('not-found') when there is no such live block; 'too-large' when too many wait; RetryableError
 *   while somebody else changes the list
 */
export async function requestRewrite(hub: Hub, { blockId, salvage }: RewriteRequest): Promise<RewriteRecord> {
  await liveRow(hub, blockId);
  const wish: RewriteRecord = { blockId, salvage, requestedAt: hub.clock() };
  const records = await changeRecords(hub, (records) => {
    if (records.some((one) => isWaiting(one) && one.blockId === blockId && one.salvage === salvage))
      return records;
    const others = records.filter((one) => one.blockId !== blockId);
    if (others.filter(isWaiting).length < WAITING_REWRITES_MAX) return [wish, ...others];
    throw new RejectedError(
      'too-large',
      `${WAITING_REWRITES_MAX} blocks wait to be rewritten, and no more may: ask again when some are done`,
    );
  });
  return records.find((one) => one.blockId === blockId)!;
}

/** The row of a block that can be rewritten. @throws RejectedError('not-found') */
export async function liveRow(hub: Hub, blockId: string): Promise<BlockRow> {
  const row = await hub.catalog.get(blockId);
  if (row !== undefined) return row;
  const isAside = (await hub.catalog.get(blockId, { withAside: true })) !== undefined;
  const rest = isAside ? ': it is in quarantine, put it back first' : '';
  throw new RejectedError('not-found', `there is no live block ${blockId}${rest}`);
}

/** A job for each that waits. */
export async function planCopies(hub: Hub): Promise<CopyJob[]> {
  return (await listRewrites(hub)).filter(isWaiting).map(copyJob);
}

export function copyJob({ blockId, salvage }: RewriteRequest): CopyJob {
  const alone = { blockIds: [blockId], versionIds: [], downsampleTo: [] };
  return { group: `copy-${blockId}`, step: 'copy', level: 0, resolutionSeconds: 0, ...alone, salvage };
}

/** As it is kept, and told. */
export function toRecord({ lost, ...report }: RewriteReport): NonNullable<RewriteRecord['report']> {
  const kept = lost.slice(0, LOST_KEPT_MAX);
  return { ...report, lost: kept.map((one) => ({ ...one, total: String(one.total) })) };
}

/** Without those that were done longest ago. */
export function trimmed(records: readonly RewriteRecord[]): RewriteRecord[] {
  let done = 0;
  return records.filter((one) => isWaiting(one) || ++done <= DONE_KEPT_MAX);
}

export function isWaiting({ doneAt }: RewriteRecord): boolean {
  return doneAt === undefined;
}

/** @throws RetryableError while somebody else changes them */
export function changeRecords(
  hub: Hub,
  change: (records: RewriteRecord[]) => RewriteRecord[],
): Promise<RewriteRecord[]> {
  return changeSharedSetting<RewriteRecord[]>(hub, SETTING, VERSION, (records) => change(records ?? []));
}

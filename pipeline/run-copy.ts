import type { CopyJob } from '../core/compaction/plan-rewrites.ts';
import { CorruptBlockError, RejectedError } from '../core/errors.ts';
import {
  changeRecords,
  isWaiting,
  listRewrites,
  type RewriteRecord,
  toRecord,
  trimmed,
} from './block-rewrites.ts';
import type { GroupLease } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { type RewriteRequest, rewriteBlock } from './rewrite-block.ts';

/**
 * Rewrites the block of a job, and keeps what came of it. Answers undefined when nobody wishes it any more.
 * @throws whatever says nothing of the block itself: then it goes on to wait
 */
export async function runCopy(hub: Hub, job: CopyJob, lease: GroupLease): Promise<RewriteRecord | undefined> {
  const blockId = job.blockIds[0]!;
  const wish = (await listRewrites(hub)).find((one) => isWaiting(one) && one.blockId === blockId);
  if (wish === undefined) return undefined;
  const done = { ...wish, ...(await outcomeOf(hub, wish, lease)), doneAt: hub.clock() };
  await changeRecords(hub, (records) =>
    trimmed(records.map((one) => (isWaiting(one) && one.blockId === blockId ? done : one))),
  );
  const { problem, report } = done;
  const text = problem ?? (report?.isCurrent ? 'nothing to do' : `it is ${report?.newBlockId} now`);
  hub.telemetry.log(problem === undefined ? 'info' : 'error', `rewrite of block ${blockId}: ${text}`);
  return done;
}

async function outcomeOf(
  hub: Hub,
  wish: RewriteRequest,
  lease: GroupLease,
): Promise<Pick<RewriteRecord, 'report' | 'problem' | 'isDamaged'>> {
  try {
    return { report: toRecord(await rewriteBlock(hub, wish, lease)) };
  } catch (error) {
    if (!(error instanceof CorruptBlockError) && !(error instanceof RejectedError)) throw error;
    return { problem: error.message, isDamaged: error instanceof CorruptBlockError };
  }
}

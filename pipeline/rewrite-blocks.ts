import { type BlockJob, planRewrites, type RewriteJob } from '../core/compaction/plan-rewrites.ts';
import { deletionLeft } from '../core/retention/deletion-reach.ts';
import type { Tombstone, Tombstones } from '../core/retention/tombstone.ts';
import { blocksAround } from './blocks-around.ts';
import { runCompactionJob } from './compact-blocks.ts';
import { listQuarantinedGroups } from './compaction-quarantine.ts';
import type { Hub } from './hub.ts';
import { runAll } from './run-all.ts';
import { INBOX_AGE_MS } from './sweep-orphans.ts';
import { endDeletions, loadTombstones, SETTLE_MS } from './tombstone-store.ts';

/** Runs one job that changes blocks. Answers how many went through, 0 or 1. */
export type BlockJobRunner = (job: BlockJob) => Promise<{ readonly jobs: number }>;

export interface RewriteReport {
  /** Blocks, each with its versions, that were written again without what was deleted. */
  rewritten: number;
  /** Left to the next run: somebody else has them, or they cannot be read. */
  left: number;
  /** Deletions that have nothing left to delete. */
  done: number;
}

/**
 * Takes what was deleted out of blocks that no merge will touch soon, one after the other. What fails is left, and the
 * others go on.
 * @param runJob runs what rewrites a block; default here
 * @throws RetryableError when storage does not answer for one of them: run it again
 */
export async function rewriteBlocks(
  hub: Hub,
  runJob: BlockJobRunner = (job) => runCompactionJob(hub, job),
): Promise<RewriteReport> {
  const report: RewriteReport = { rewritten: 0, left: 0, done: 0 };
  const tombstones = (await loadTombstones(hub)).settled(hub.clock(), SETTLE_MS);
  if (tombstones.isEmpty) return report;
  await runAll(await jobsOf(hub, tombstones), async (job) => {
    const { jobs } = await runJob(job);
    report.rewritten += jobs;
    report.left += 1 - jobs;
  });
  report.done = await endDone(hub, tombstones);
  return report;
}

async function jobsOf(hub: Hub, tombstones: Tombstones): Promise<RewriteJob[]> {
  const nowMs = hub.clock();
  const rules = hub.settings.compaction;
  const rows = await blocksAround(hub, tombstones.all, true);
  const resting = await restingGroups(hub);
  const jobs = planRewrites(rows, tombstones, { nowMs, settleMs: SETTLE_MS, rules });
  return jobs.filter(({ group }) => !resting.has(group));
}

/** Groups in quarantine whose time to be tried again has not come. */
export async function restingGroups(hub: Hub): Promise<ReadonlySet<string>> {
  const now = hub.clock();
  const quarantined = await listQuarantinedGroups(hub);
  return new Set(quarantined.filter(({ until }) => until > now).map(({ group }) => group));
}

/**
 * A deletion leaves force when no batch can bring its range any more, however long it lay in the queue or among dead
 * letters, and no block is concerned that can be rewritten.
 */
async function endDone(hub: Hub, tombstones: Tombstones): Promise<number> {
  const now = hub.clock();
  const comesUntil = hub.settings.lateWindowMs + INBOX_AGE_MS;
  const over = tombstones.all.filter(({ end }) => end + comesUntil <= now);
  if (over.length === 0) return 0;
  const rows = await blocksAround(hub, over, true);
  // What lies aside may be put back. What is out of reach is not waited for: its report says so.
  const isDone = (one: Tombstone) =>
    deletionLeft(one, rows, hub.compileRegex, SETTLE_MS).pending.length === 0;
  const done = new Set(over.filter(isDone).map(({ id }) => id));
  if (done.size > 0) await endDeletions(hub, done);
  return done.size;
}

import { type BlockJob, planRewrites, type RewriteJob } from '../core/compaction/plan-rewrites.ts';
import type { Tombstones } from '../core/retention/tombstone.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { runCompactionJob } from './compact-blocks.ts';
import { listQuarantinedGroups } from './compaction-quarantine.ts';
import type { Hub } from './hub.ts';
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

const DAY_MS = 24 * 3_600_000;

/**
 * Takes what was deleted out of blocks that no merge will touch soon, one after the other. What fails is left, and the
 * others go on.
 * @param runJob runs what rewrites a block; default here
 * @throws RetryableError when storage does not answer: run it again
 */
export async function rewriteBlocks(
  hub: Hub,
  runJob: BlockJobRunner = (job) => runCompactionJob(hub, job),
): Promise<RewriteReport> {
  const report: RewriteReport = { rewritten: 0, left: 0, done: 0 };
  const tombstones = (await loadTombstones(hub)).settled(hub.clock(), SETTLE_MS);
  if (tombstones.isEmpty) return report;
  for (const job of await jobsOf(hub, tombstones)) {
    const { jobs } = await runJob(job);
    report.rewritten += jobs;
    report.left += 1 - jobs;
  }
  report.done = await endDone(hub, tombstones);
  return report;
}

async function jobsOf(hub: Hub, tombstones: Tombstones): Promise<RewriteJob[]> {
  const nowMs = hub.clock();
  const rules = hub.settings.compaction;
  const rows = await rowsAround(hub, tombstones);
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

/** All blocks of the time of the tombstones, and those that a joined block of that time sums. */
function rowsAround(hub: Hub, tombstones: Tombstones): Promise<BlockRow[]> {
  const { resolutions } = hub.settings.compaction;
  const longest = resolutions.reduce((most, { joinMs }) => Math.max(most, joinMs), DAY_MS);
  const from = Math.min(...tombstones.all.map(({ start }) => start)) - longest;
  const until = Math.max(...tombstones.all.map(({ end }) => end)) + longest;
  return hub.catalog.find({ tenant: hub.tenant, from: Math.max(0, from), until });
}

/**
 * A deletion leaves force when no batch can bring its range any more, however long it lay in the queue or among dead
 * letters, and no block is concerned.
 */
async function endDone(hub: Hub, tombstones: Tombstones): Promise<number> {
  const now = hub.clock();
  const comesUntil = hub.settings.lateWindowMs + INBOX_AGE_MS;
  const over = tombstones.all.filter(({ end }) => end + comesUntil <= now);
  if (over.length === 0) return 0;
  const rows = await rowsAround(hub, tombstones);
  const concerned = new Set(
    rows.flatMap((row) => tombstones.concerning(row, SETTLE_MS).all.map(({ id }) => id)),
  );
  const done = new Set(over.map(({ id }) => id).filter((id) => !concerned.has(id)));
  if (done.size > 0) await endDeletions(hub, done);
  return done.size;
}

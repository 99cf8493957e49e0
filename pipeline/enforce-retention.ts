import { isSealed } from '../core/compaction/plan-compaction.ts';
import type { ExpiryJob } from '../core/compaction/plan-rewrites.ts';
import { planRetention, type RetentionPlan } from '../core/retention/plan-retention.ts';
import { type BlockRow, MAX_CATALOG_PAGE, MAX_SWAP_BLOCKS } from '../storage/block-catalog.ts';
import { runCompactionJob } from './compact-blocks.ts';
import { GroupLease, LeaseLostError } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { retentionRules } from './retention-policies.ts';
import { type BlockJobRunner, restingGroups } from './rewrite-blocks.ts';
import { runAll } from './run-all.ts';
import { changeCatalog } from './swap-blocks.ts';

/** What retention took, or would take. */
export interface RetentionReport {
  /** Blocks of which nothing is kept, and their stored bytes. */
  expired: number;
  expiredBytes: number;
  /** Blocks that some series are past their time of. */
  partly: number;
  partlyBytes: number;
  /** Of these, those that were rewritten. The others hold no such series after all, or somebody else has them. */
  rewritten: number;
  /** Somebody else enforces retention just now: nothing was done. */
  skipped: boolean;
}

/**
 * What there is to drop now, blocks that lie aside too. Blocks that may still be merged are not rewritten, and neither
 * are those aside: they are expired as a whole, or wait.
 */
export async function planRetentionNow(hub: Hub): Promise<RetentionPlan<BlockRow>> {
  const rules = await retentionRules(hub);
  const expired: BlockRow[] = [];
  const partly: BlockRow[] = [];
  let after: BlockRow | undefined;
  for (;;) {
    const range = { after, limit: MAX_CATALOG_PAGE, withAside: true };
    const page = await hub.catalog.list({ tenant: hub.tenant, ...range });
    const plan = planRetention(page, rules, hub.clock());
    expired.push(...plan.expired);
    partly.push(...plan.partly.filter((row) => isSealed(row) && row.aside === undefined));
    after = page.at(-1);
    if (page.length < MAX_CATALOG_PAGE) return { expired, partly };
  }
}

/**
 * Drops what is kept no longer. Expired blocks leave the catalog at once, whatever compaction does, and their objects
 * follow as those of merged blocks do; what expired in part is rewritten. A crash at any step leaves blocks that are
 * dropped by the next run.
 * @param runJob runs what rewrites a block; default here
 * @throws RetryableError when storage does not answer, for one block or at all: run it again
 */
export async function enforceRetention(
  hub: Hub,
  options: { dryRun: boolean },
  runJob: BlockJobRunner = (job) => runCompactionJob(hub, job),
): Promise<RetentionReport> {
  if (options.dryRun) return reportOf(await planRetentionNow(hub));
  const lease = await GroupLease.acquire(hub, `retention/${hub.tenant}`);
  if (lease === undefined) return { ...reportOf({ expired: [], partly: [] }), skipped: true };
  try {
    const plan = await planRetentionNow(hub);
    const report = reportOf(plan);
    await dropExpired(hub, plan.expired, lease);
    report.rewritten = await rewritePartly(hub, plan.partly, lease, runJob);
    hub.telemetry.count('retention_expired_blocks_total', report.expired);
    hub.telemetry.count('retention_expired_bytes_total', report.expiredBytes);
    return report;
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error;
    hub.telemetry.log('warn', `retention stops: ${error.message}`);
    return { ...reportOf({ expired: [], partly: [] }), skipped: true };
  } finally {
    await lease.release();
  }
}

function reportOf({ expired, partly }: RetentionPlan<BlockRow>): RetentionReport {
  const bytesOf = (rows: readonly BlockRow[]) => rows.reduce((sum, row) => sum + row.size, 0);
  return {
    expired: expired.length,
    expiredBytes: bytesOf(expired),
    partly: partly.length,
    partlyBytes: bytesOf(partly),
    rewritten: 0,
    skipped: false,
  };
}

async function dropExpired(hub: Hub, rows: readonly BlockRow[], lease: GroupLease): Promise<void> {
  for (let i = 0; i < rows.length; i += MAX_SWAP_BLOCKS) {
    await lease.keep();
    const some = rows.slice(i, i + MAX_SWAP_BLOCKS);
    if (await drop(hub, some)) continue;
    // One of them was merged, rewritten, set aside or put back meanwhile: the next run finds what came of it.
    for (const row of some) await drop(hub, [row]);
  }
}

function drop(hub: Hub, rows: readonly BlockRow[]): Promise<boolean> {
  const idsOf = (isAside: boolean) =>
    rows.filter(({ aside }) => (aside !== undefined) === isAside).map(({ blockId }) => blockId);
  return changeCatalog(hub, { remove: idsOf(false), add: [], removeAside: idsOf(true) });
}

async function rewritePartly(
  hub: Hub,
  rows: readonly BlockRow[],
  lease: GroupLease,
  runJob: BlockJobRunner,
): Promise<number> {
  const resting = await restingGroups(hub);
  let rewritten = 0;
  await runAll(rows, async (row) => {
    await lease.keep();
    const job = expiryJob(row);
    if (!resting.has(job.group)) rewritten += (await runJob(job)).jobs;
  });
  return rewritten;
}

/** The block alone: its versions live on, by policies of their own. */
function expiryJob({ blockId, level, resolutionSeconds }: BlockRow): ExpiryJob {
  const group = `expire-${blockId}`;
  const alone = { versionIds: [], downsampleTo: [] };
  return { group, step: 'expire', level, resolutionSeconds, blockIds: [blockId], ...alone };
}

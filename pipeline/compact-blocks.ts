import { TRAILER_LENGTH } from '../core/block/block-format.ts';
import { newBlockId } from '../core/block/block-id.ts';
import { BlockReader } from '../core/block/block-reader.ts';
import { mergeBlocks } from '../core/block/merge-blocks.ts';
import { type CompactionJob, planCompaction } from '../core/compaction/plan-compaction.ts';
import { CorruptBlockError, RejectedError } from '../core/errors.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { blockKey } from '../storage/names.ts';
import { objectSource } from './block-source.ts';
import type { Hub } from './hub.ts';
import { blockRowOf } from './process-batches.ts';

/** What one round of compaction did. */
export interface CompactionReport {
  jobs: number;
  blocksIn: number;
  blocksOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Jobs left alone: another compactor has the group, or a block of it is damaged. */
  skipped: number;
}

/** How far back blocks are looked at, ms: late windows may be three days old. */
const HORIZON_MS = 80 * 3_600_000;
/** How long one job may hold its group, ms. */
const LEASE_MS = 600_000;
/** Merged inputs stay readable this long, for queries that planned with them, ms. */
export const DELETION_GRACE_MS = 600_000;

/**
 * Merges blocks that belong together. The merged block becomes visible and its inputs disappear in one transaction,
 * so that a query sees either; a crash before it leaves an object that nobody refers to.
 */
export async function compactBlocks(hub: Hub): Promise<CompactionReport> {
  const report: CompactionReport = {
    jobs: 0,
    blocksIn: 0,
    blocksOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    skipped: 0,
  };
  const now = hub.clock();
  const rows = await hub.catalog.find({
    tenant: hub.tenant,
    from: now - HORIZON_MS,
    until: now + HORIZON_MS,
  });
  const rowOf = new Map(rows.map((row) => [row.blockId, row]));
  for (const job of planCompaction(rows, now)) {
    await runJob(
      hub,
      job,
      job.blockIds.map((id) => rowOf.get(id)!),
      report,
    );
  }
  return report;
}

async function runJob(
  hub: Hub,
  job: CompactionJob,
  rows: readonly BlockRow[],
  report: CompactionReport,
): Promise<void> {
  const owner = newBlockId(hub.clock(), () => hub.random());
  const name = `compaction/${hub.tenant}/${job.group}`;
  const lease = await hub.leases.acquire(name, owner, LEASE_MS);
  if (lease === undefined) {
    report.skipped++;
    return;
  }
  try {
    await mergeJob(hub, job, rows, report);
  } catch (error) {
    if (!(error instanceof CorruptBlockError || error instanceof RejectedError)) throw error;
    report.skipped++;
    hub.telemetry.count('compaction_failed_jobs_total', 1);
    hub.telemetry.log('error', `compaction of ${job.group} is left: ${error.message}`);
  } finally {
    await hub.leases.release(name, owner, lease.token);
  }
}

async function mergeJob(
  hub: Hub,
  job: CompactionJob,
  rows: readonly BlockRow[],
  report: CompactionReport,
): Promise<void> {
  const readers = await Promise.all(rows.map((row) => openRow(hub, row)));
  const blockId = newBlockId(hub.clock(), () => hub.random());
  const meta = { blockId, tenant: hub.tenant, level: job.level, resolutionSeconds: 0 };
  const merged = await mergeBlocks(readers, meta, hub.codec);
  const row = blockRowOf(merged, hub.clock());
  await hub.objects.put(blockKey(row.tenant, row.level, row.blockId), merged.bytes);
  const swap = { remove: [...job.blockIds], add: [row], token: blockId };
  if ((await hub.catalog.swap(swap)) === 'conflict') {
    // Somebody else merged one of the inputs meanwhile: their result stands, ours goes.
    await hub.objects.delete(blockKey(row.tenant, row.level, row.blockId));
    report.skipped++;
    return;
  }
  report.jobs++;
  report.blocksIn += rows.length;
  report.blocksOut++;
  report.bytesIn += rows.reduce((sum, input) => sum + input.size, 0);
  report.bytesOut += merged.bytes.length;
  hub.telemetry.count('compaction_jobs_total', 1, { level: String(job.level) });
  hub.telemetry.count('compaction_bytes_total', merged.bytes.length);
}

function openRow(hub: Hub, row: BlockRow): Promise<BlockReader> {
  const source = objectSource(hub.objects, blockKey(row.tenant, row.level, row.blockId), row.size);
  const tailLength = row.directoryLength + TRAILER_LENGTH;
  return BlockReader.open(source, hub.codec, { blockId: row.blockId, tailLength });
}

/** Deletes the objects of blocks that were merged away longer ago than the grace period. Answers how many. */
export async function deleteMarkedBlocks(hub: Hub): Promise<number> {
  const marks = await hub.catalog.listDeletionMarks(hub.clock() - DELETION_GRACE_MS);
  for (const { tenant, level, blockId } of marks) {
    await hub.objects.delete(blockKey(tenant, level, blockId));
    await hub.catalog.forget(blockId);
  }
  return marks.length;
}

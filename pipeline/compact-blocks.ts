import type { BlockJob } from '../core/compaction/plan-rewrites.ts';
import { RetryableError } from '../core/errors.ts';
import { blockKey } from '../storage/names.ts';
import { listQuarantinedGroups, quarantineGroup, releaseGroup } from './compaction-quarantine.ts';
import { GroupLease, LeaseLostError } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { type PlanScope, planJobs } from './plan-jobs.ts';
import { type JobResult, runJob } from './run-compaction-job.ts';
import { runCopy } from './run-copy.ts';

/** What a round of compaction, or one job of it, did. */
export interface CompactionReport {
  jobs: number;
  blocksIn: number;
  blocksOut: number;
  bytesIn: number;
  bytesOut: number;
  samples: number;
  /** Most unfolded bytes that one dataset was merged from: what a job's memory follows. */
  peakDatasetBytes: number;
  /** Jobs left to others: another compactor has the group, or merged its blocks. */
  skipped: number;
  /** Jobs that failed; their groups are in quarantine. */
  failed: number;
}

/** Merged inputs stay readable this long, for queries that planned with them, ms. */
export const DELETION_GRACE_MS = 600_000;

/** Plans, and runs all jobs one after the other. */
export async function compactBlocks(hub: Hub, scope: PlanScope = 'recent'): Promise<CompactionReport> {
  return runCompactionJobs(hub, (await planJobs(hub, scope)).jobs);
}

/** Runs jobs one after the other, each as `runCompactionJob` does. */
export async function runCompactionJobs(hub: Hub, jobs: readonly BlockJob[]): Promise<CompactionReport> {
  const report = newReport();
  for (const job of jobs) await runInto(hub, job, report);
  return report;
}

/**
 * Runs one job under the lease of its group. What comes of it becomes visible, and its inputs disappear, in one
 * transaction, so that a query sees either; a crash before it leaves objects that nobody refers to. A job that fails
 * puts its group in quarantine, so that others go on.
 * @throws RetryableError when storage does not answer: run the job again
 */
export async function runCompactionJob(hub: Hub, job: BlockJob): Promise<CompactionReport> {
  const report = newReport();
  await runInto(hub, job, report);
  return report;
}

function newReport(): CompactionReport {
  const counts = { jobs: 0, blocksIn: 0, blocksOut: 0, bytesIn: 0, bytesOut: 0, samples: 0 };
  return { ...counts, peakDatasetBytes: 0, skipped: 0, failed: 0 };
}

async function runInto(hub: Hub, job: BlockJob, report: CompactionReport): Promise<void> {
  const lease = await GroupLease.acquire(hub, `compaction/${hub.tenant}/${job.group}`);
  if (lease === undefined) {
    report.skipped++;
    return;
  }
  try {
    if (!(await runLeased(hub, job, lease, report))) report.skipped++;
    else if ((await listQuarantinedGroups(hub)).length > 0) await releaseGroup(hub, job.group);
  } catch (error) {
    if (error instanceof RetryableError) throw error;
    if (error instanceof LeaseLostError) {
      report.skipped++;
      hub.telemetry.log('warn', `compaction of ${job.group} stops: ${error.message}`);
    } else await setAside(hub, job, error as Error, report);
  } finally {
    await lease.release();
  }
}

/** Whether it was done: false when somebody else did it, or there is nothing to do. */
async function runLeased(
  hub: Hub,
  job: BlockJob,
  lease: GroupLease,
  report: CompactionReport,
): Promise<boolean> {
  if (job.step === 'copy') {
    const isDone = (await runCopy(hub, job, lease)) !== undefined;
    if (isDone) report.jobs++;
    return isDone;
  }
  const result = await runJob(hub, job, lease);
  if (result !== undefined) addResult(hub, job, result, report);
  return result !== undefined;
}

function addResult(hub: Hub, job: BlockJob, result: JobResult, report: CompactionReport): void {
  const bytesOf = (rows: JobResult['inputs']) => rows.reduce((sum, row) => sum + row.size, 0);
  const bytesOut = bytesOf(result.outputs);
  report.jobs++;
  report.blocksIn += result.inputs.length;
  report.blocksOut += result.outputs.length;
  report.bytesIn += bytesOf(result.inputs);
  report.bytesOut += bytesOut;
  report.samples += result.samples;
  report.peakDatasetBytes = Math.max(report.peakDatasetBytes, result.peakDatasetBytes);
  hub.telemetry.count('compaction_jobs_total', 1, { step: job.step });
  hub.telemetry.count('compaction_bytes_total', bytesOut, { step: job.step });
  hub.telemetry.count('compaction_duplicate_samples_total', result.report.duplicateSamples);
}

async function setAside(hub: Hub, job: BlockJob, error: Error, report: CompactionReport): Promise<void> {
  report.failed++;
  const { failures, until } = await quarantineGroup(hub, job, error.message);
  hub.telemetry.count('compaction_failed_jobs_total', 1, { step: job.step });
  const fields = { group: job.group, blockIds: job.blockIds, failures, until, stack: error.stack };
  hub.telemetry.log('error', `compaction of ${job.group} is left: ${error.message}`, fields);
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

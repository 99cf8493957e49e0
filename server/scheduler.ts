import { RetryableError } from '../core/errors.ts';
import { deleteMarkedBlocks, runCompactionJob } from '../pipeline/compact-blocks.ts';
import { enforceRetention } from '../pipeline/enforce-retention.ts';
import { forgetAgents } from '../pipeline/forget-agents.ts';
import type { Hub } from '../pipeline/hub.ts';
import { type PlanScope, planJobs } from '../pipeline/plan-jobs.ts';
import { processBatches } from '../pipeline/process-batches.ts';
import { rewriteBlocks } from '../pipeline/rewrite-blocks.ts';
import { runAll } from '../pipeline/run-all.ts';
import { scrubBlocks } from '../pipeline/scrub-blocks.ts';
import { sumLoss } from '../pipeline/sum-loss.ts';
import { sweepOrphans } from '../pipeline/sweep-orphans.ts';
import type { JobRunner } from './compaction-thread.ts';

const HOUR_MS = 3_600_000;

/** How often each job looks for work while there is none. */
const PROCESS_EVERY_MS = 2000;
const COMPACT_EVERY_MS = 30_000;
const COMPACT_ALL_EVERY_MS = HOUR_MS;
const DELETE_EVERY_MS = 120_000;
const RETENTION_EVERY_MS = HOUR_MS;
const REWRITE_EVERY_MS = HOUR_MS;
const SWEEP_EVERY_MS = 24 * HOUR_MS;
const SCRUB_EVERY_MS = HOUR_MS;
const SCRUB_STEP_BYTES = 128 * 1024 * 1024;
const SUM_LOSS_EVERY_MS = 60_000;
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 30_000;
/** The ledger of batches keeps what the loss audit may be asked about. */
const LEDGER_KEEP_MS = 31 * 24 * HOUR_MS;

export interface Scheduler {
  /** Stops looking for work, stores what is queued, and resolves when that is done or `graceMs` are over. */
  stop(graceMs: number): Promise<void>;
}

/** A job, how long to wait after a run that found nothing, and whether a run found work (then the next follows at once). */
interface Job {
  name: string;
  idleMs: number;
  run(): Promise<boolean>;
}

/**
 * Runs the hub's jobs in this process, one loop each, for as long as it lives.
 * @param runJob runs what merges blocks; default in this thread
 */
export function startScheduler(hub: Hub, runJob: JobRunner = (job) => runCompactionJob(hub, job)): Scheduler {
  const stopped = new AbortController();
  const loops = [
    ...[storeBatches, mergeBlocks, mergeOldBlocks, deleteBlocks],
    ...[dropOldBlocks, rewriteOldBlocks, sweepObjects, verifyBlocks, sumLosses, keepHouse],
  ]
    .map((jobOf) => jobOf(hub, runJob))
    .map((job) => runForever(hub, job, stopped.signal));
  return {
    async stop(graceMs) {
      stopped.abort();
      const drained = new AbortController();
      const work = Promise.all(loops).then(() => drain(hub));
      await Promise.race([work.finally(() => drained.abort()), pause(graceMs, drained.signal)]);
    },
  };
}

function storeBatches(hub: Hub): Job {
  return {
    name: 'process-batches',
    idleMs: PROCESS_EVERY_MS,
    async run() {
      const { batches } = await processBatches(hub);
      const depth = await hub.queue.depth();
      hub.telemetry.gauge('queue_batches', depth.visible + depth.inFlight);
      hub.telemetry.gauge('queue_dead_batches', depth.dead);
      hub.telemetry.gauge('queue_oldest_seconds', depth.oldestMs / 1000);
      return batches > 0;
    },
  };
}

function mergeBlocks(hub: Hub, runJob: JobRunner): Job {
  const run = () => mergeRound(hub, 'fresh', runJob);
  return { name: 'compact-blocks', idleMs: COMPACT_EVERY_MS, run };
}

/** What came too late for the rounds above, and ranges of many days. */
function mergeOldBlocks(hub: Hub, runJob: JobRunner): Job {
  const run = () => mergeRound(hub, 'all', runJob);
  return { name: 'compact-old-blocks', idleMs: COMPACT_ALL_EVERY_MS, run };
}

async function mergeRound(hub: Hub, scope: PlanScope, runJob: JobRunner): Promise<boolean> {
  let merged = 0;
  await runAll((await planJobs(hub, scope)).jobs, async (job) => {
    merged += (await runJob(job)).jobs;
  });
  return merged > 0;
}

function deleteBlocks(hub: Hub): Job {
  const run = async () => (await deleteMarkedBlocks(hub)) > 0;
  return { name: 'delete-blocks', idleMs: DELETE_EVERY_MS, run };
}

function dropOldBlocks(hub: Hub, runJob: JobRunner): Job {
  const run = async () => {
    await enforceRetention(hub, { dryRun: false }, runJob);
    return false;
  };
  return { name: 'enforce-retention', idleMs: RETENTION_EVERY_MS, run };
}

/** Takes what was deleted out of them. */
function rewriteOldBlocks(hub: Hub, runJob: JobRunner): Job {
  const run = async () => {
    await rewriteBlocks(hub, runJob);
    return false;
  };
  return { name: 'rewrite-blocks', idleMs: REWRITE_EVERY_MS, run };
}

function sweepObjects(hub: Hub): Job {
  const run = async () => {
    await sweepOrphans(hub, { dryRun: false });
    return false;
  };
  return { name: 'sweep-orphans', idleMs: SWEEP_EVERY_MS, run };
}

/** A step at a time: 3 GiB a day. */
function verifyBlocks(hub: Hub): Job {
  const run = async () => {
    await scrubBlocks(hub, SCRUB_STEP_BYTES);
    return false;
  };
  return { name: 'scrub-blocks', idleMs: SCRUB_EVERY_MS, run };
}

function sumLosses(hub: Hub): Job {
  const run = async () => (await sumLoss(hub)).due > 0;
  return { name: 'sum-loss', idleMs: SUM_LOSS_EVERY_MS, run };
}

function keepHouse(hub: Hub): Job {
  return {
    name: 'keep-house',
    idleMs: HOUR_MS,
    async run() {
      await forgetAgents(hub);
      await hub.registry.forgetBatches(hub.clock() - LEDGER_KEEP_MS);
      return false;
    },
  };
}

/** A failure is logged and the job tried again, later each time: other jobs, and the API, go on. */
async function runForever(hub: Hub, job: Job, signal: AbortSignal): Promise<void> {
  let backoffMs = BACKOFF_MIN_MS;
  while (!signal.aborted) {
    try {
      const worked = await job.run();
      backoffMs = BACKOFF_MIN_MS;
      // Between two rounds of work, requests get their turn.
      await pause(worked ? 0 : job.idleMs, signal);
    } catch (error) {
      reportFailure(hub, job, error, backoffMs);
      await pause(backoffMs, signal);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    }
  }
}

function reportFailure(hub: Hub, job: Job, error: unknown, backoffMs: number): void {
  hub.telemetry.count('job_failures_total', 1, { job: job.name });
  const isKnown = error instanceof RetryableError;
  const what = isKnown ? error.message : ((error as Error)?.stack ?? String(error));
  hub.telemetry.log(isKnown ? 'warn' : 'error', `${job.name}: ${what}; next try in ${backoffMs / 1000} s`);
}

/** What cannot be stored now stays in the queue, which is durable. */
async function drain(hub: Hub): Promise<void> {
  try {
    while ((await processBatches(hub)).batches > 0);
  } catch (error) {
    hub.telemetry.log('warn', `batches stay queued until the next start: ${(error as Error).message}`);
  }
}

/** Resolves early, without a timer left behind, when the signal fires. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

import type { BlockJob } from '../core/compaction/plan-rewrites.ts';
import { RetryableError } from '../core/errors.ts';
import { quarantineGroup } from '../pipeline/compaction-quarantine.ts';
import type { Hub } from '../pipeline/hub.ts';
import type { CompactionWorkerData, JobOutcome, JobRequest } from './compaction-worker.ts';
import { startWorker, type WorkerThread } from './worker-thread.ts';

/** Runs one job that changes blocks. Answers how many went through, 0 or 1. @throws RetryableError: run it again */
export type JobRunner = (job: BlockJob) => Promise<{ readonly jobs: number }>;

/** A thread beside the one that serves: merging keeps a core busy for minutes, and requests must not wait for it. */
export interface CompactionThread {
  /** One job at a time, whoever asks. Answers 0 jobs once stopped. */
  readonly run: JobRunner;
  /** Ends the job under way, which publishes nothing then, and the thread; kills it after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** A thread without work is ended after so long, and with it goes the memory of the last job. */
const IDLE_MS = 60_000;

const WORKER = new URL('./compaction-worker.ts', import.meta.url);

const NO_JOB = { jobs: 0 };

/**
 * The thread starts with the first job. When it dies, the group of blocks that it worked on goes to quarantine, and the
 * next job gets a new thread: what it had not swapped in yet is not there for anybody.
 */
export function startCompactionThread(hub: Hub, dataFolder: string): CompactionThread {
  const stopping = new Int32Array(new SharedArrayBuffer(4));
  const data: CompactionWorkerData = { dataFolder, settings: hub.settings, stopping };
  let worker: WorkerThread<JobRequest, JobOutcome> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let idle: NodeJS.Timeout | undefined;

  async function run(job: BlockJob): Promise<{ jobs: number }> {
    if (isStopping()) return NO_JOB;
    clearTimeout(idle);
    if (worker === undefined || worker.hasEnded()) worker = startWorker(WORKER, data, hub.telemetry);
    const ending = await worker.run({ job, now: hub.clock() });
    if (isStopping()) return ending.kind === 'ended' ? { jobs: ending.jobs } : NO_JOB;
    if (ending.kind === 'crashed') {
      await setAside(hub, job, ending.reason);
      return NO_JOB;
    }
    idle = setTimeout(endIdle, IDLE_MS).unref();
    if (ending.kind === 'ended') return { jobs: ending.jobs };
    throw asError(ending);
  }
  function isStopping(): boolean {
    return Atomics.load(stopping, 0) !== 0;
  }
  /** In turn with jobs, so that none is given to a thread that ends. */
  function endIdle(): void {
    last = last.then(() => worker?.end());
  }
  return {
    run(job) {
      const result = last.then(() => run(job));
      last = result.catch(() => undefined);
      return result;
    },
    async stop(graceMs) {
      Atomics.store(stopping, 0, 1);
      clearTimeout(idle);
      let timer: NodeJS.Timeout | undefined;
      const grace = new Promise((resolve) => (timer = setTimeout(resolve, graceMs)));
      await Promise.race([last, grace]);
      clearTimeout(timer);
      await worker?.end();
    },
  };
}

/** Its lease lapses before the group is tried again. */
async function setAside(hub: Hub, job: BlockJob, reason: string): Promise<void> {
  const { failures, until } = await quarantineGroup(hub, job, reason);
  hub.telemetry.count('compaction_failed_jobs_total', 1, { step: job.step });
  const fields = { group: job.group, blockIds: job.blockIds, failures, until };
  hub.telemetry.log('error', `compaction of ${job.group} is left: ${reason}`, fields);
}

function asError({ isRetryable, message, stack }: JobOutcome & { kind: 'failed' }): Error {
  if (isRetryable) return new RetryableError(message);
  const error = new Error(message);
  error.stack = stack;
  return error;
}

import { workerData } from 'node:worker_threads';
import type { BlockJob } from '../core/compaction/plan-rewrites.ts';
import { RetryableError } from '../core/errors.ts';
import { runCompactionJob } from '../pipeline/compact-blocks.ts';
import type { Hub, HubSettings } from '../pipeline/hub.ts';
import { joinEmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { openHub } from './open-hub.ts';
import { answerRequests, forwardedTelemetry } from './worker-port.ts';

// Runs in a thread of its own, started by compaction-thread.ts: merges blocks, one job after the other, on a storage
// handle of its own. What it logs and counts goes to the thread that serves.

/** What the thread is started with. */
export interface CompactionWorkerData {
  readonly dataFolder: string;
  readonly settings: HubSettings;
  /** One number, shared between the threads: not 0 once the server stops. A merge does not look at messages. */
  readonly stopping: Int32Array;
}

/** A job to run. */
export interface JobRequest {
  readonly job: BlockJob;
  /** The hub's clock, ms since epoch. */
  readonly now: number;
}

/** How a job ended. */
export type JobOutcome =
  /** `jobs`: how many went through, 0 or 1. */
  | { readonly kind: 'ended'; readonly jobs: number }
  | {
      readonly kind: 'failed';
      readonly isRetryable: boolean;
      readonly message: string;
      readonly stack: string;
    };

const { dataFolder, settings, stopping } = workerData as CompactionWorkerData;

let clockOffsetMs = 0;
const clock = () => Date.now() + clockOffsetMs;
let opened: Promise<Hub> | undefined;

answerRequests(async ({ job, now }: JobRequest): Promise<JobOutcome> => {
  clockOffsetMs = now - Date.now();
  return outcomeOf(job);
});

async function outcomeOf(job: BlockJob): Promise<JobOutcome> {
  try {
    const hub = await (opened ??= open());
    return { kind: 'ended', jobs: (await runCompactionJob(hub, job)).jobs };
  } catch (error) {
    const { message, stack = message } = error as Error;
    return { kind: 'failed', isRetryable: error instanceof RetryableError, message, stack };
  }
}

async function open(): Promise<Hub> {
  try {
    const storage = await joinEmbeddedStorage({ folder: dataFolder, clock });
    return untilStopped(openHub(storage, { telemetry: forwardedTelemetry(), clock, settings }));
  } catch (error) {
    opened = undefined;
    throw error;
  }
}

/** Once the server stops, a job ends at the next section that it folds or unfolds, as if storage did not answer. */
function untilStopped(hub: Hub): Hub {
  const check = () => {
    if (Atomics.load(stopping, 0) !== 0) throw new RetryableError('the server is stopping');
  };
  const { codec } = hub;
  return {
    ...hub,
    codec: {
      ...codec,
      compress(raw) {
        check();
        return codec.compress(raw);
      },
      decompress(compressed, rawLength) {
        check();
        return codec.decompress(compressed, rawLength);
      },
    },
  };
}

import { workerData } from 'node:worker_threads';
import type { HubSettings } from '../pipeline/hub.ts';
import type { QueryShare, ShareSum } from '../pipeline/query-workers.ts';
import { sumShare } from '../pipeline/sum-stacks.ts';
import { joinEmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { openHub } from './open-hub.ts';
import { answerRequests, forwardedTelemetry } from './worker-port.ts';

// Runs in threads of their own, started by query-threads.ts: reads shares of flame graphs.

/** What the thread is started with. */
export interface QueryWorkerData {
  readonly dataFolder: string;
  readonly settings: HubSettings;
}

/** A share that was read, or why it was not. */
export type ShareOutcome =
  | { readonly kind: 'ended'; readonly sum: ShareSum }
  | { readonly kind: 'failed'; readonly message: string };

const { dataFolder, settings } = workerData as QueryWorkerData;
const clock = Date.now;
const opened = joinEmbeddedStorage({ folder: dataFolder, clock }).then((storage) =>
  openHub(storage, { telemetry: forwardedTelemetry(), clock, settings }),
);

answerRequests(async (share: QueryShare): Promise<ShareOutcome> => {
  try {
    return { kind: 'ended', sum: await sumShare(await opened, share) };
  } catch (error) {
    return { kind: 'failed', message: (error as Error).message };
  }
});

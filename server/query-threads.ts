import type { HubSettings, Telemetry } from '../pipeline/hub.ts';
import type { QueryShare, QueryWorkers, ShareSum } from '../pipeline/query-workers.ts';
import type { QueryWorkerData, ShareOutcome } from './query-worker.ts';
import { startWorker, type WorkerThread } from './worker-thread.ts';

/** Threads that read shares of large flame graphs. */
export interface QueryThreads extends QueryWorkers {
  /** At once: shares under way fail, and are read by who asked. */
  stop(): Promise<void>;
}

export interface QueryThreadsOptions {
  readonly dataFolder: string;
  readonly settings: HubSettings;
  readonly telemetry: Telemetry;
  /** Most threads; 0 = none. One core is left to the thread that asks. */
  readonly count: number;
}

/** Threads without work are ended after so long, and with them goes their memory. */
const IDLE_MS = 300_000;

const WORKER = new URL('./query-worker.ts', import.meta.url);

type QueryThread = WorkerThread<QueryShare, ShareOutcome>;

/** Threads start when they are wanted, and stay for the next query: their code is compiled then. */
export function startQueryThreads(options: QueryThreadsOptions): QueryThreads {
  const { dataFolder, settings, telemetry, count } = options;
  const data: QueryWorkerData = { dataFolder, settings };
  const free: QueryThread[] = [];
  const all = new Set<QueryThread>();
  const waiting: ((thread: QueryThread) => void)[] = [];
  let idle: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function threadToUse(): Promise<QueryThread> {
    const thread = free.pop();
    if (thread !== undefined) return thread.hasEnded() ? replaced(thread) : thread;
    if (all.size < count) return started();
    return new Promise((resolve) => waiting.push(resolve));
  }
  function started(): QueryThread {
    const thread: QueryThread = startWorker(WORKER, data, telemetry);
    all.add(thread);
    return thread;
  }
  function replaced(thread: QueryThread): QueryThread {
    all.delete(thread);
    return started();
  }
  function giveBack(thread: QueryThread): void {
    const next = waiting.shift();
    const alive = thread.hasEnded() && !isStopped ? replaced(thread) : thread;
    if (next !== undefined) next(alive);
    else free.push(alive);
    clearTimeout(idle);
    if (!isStopped && free.length === all.size) idle = setTimeout(endAll, IDLE_MS).unref();
  }
  async function endAll(): Promise<void> {
    const ended = [...all];
    all.clear();
    free.length = 0;
    await Promise.all(ended.map((thread) => thread.end()));
  }
  return {
    count,
    async sum(share): Promise<ShareSum> {
      if (isStopped) throw new Error('the server is stopping');
      clearTimeout(idle);
      const thread = await threadToUse();
      if (isStopped) {
        giveBack(thread);
        throw new Error('the server is stopping');
      }
      const outcome = await thread.run(share);
      giveBack(thread);
      if (outcome.kind === 'ended') return outcome.sum;
      throw new Error(outcome.kind === 'failed' ? outcome.message : outcome.reason);
    },
    async stop() {
      isStopped = true;
      clearTimeout(idle);
      await endAll();
    },
  };
}

import { Worker } from 'node:worker_threads';
import type { Telemetry } from '../pipeline/hub.ts';
import type { WorkerMessage } from './worker-port.ts';

/** Its thread ended before it answered. */
export interface Crash {
  readonly kind: 'crashed';
  readonly reason: string;
}

/** A thread that answers one request at a time. */
export interface WorkerThread<Request, Outcome> {
  hasEnded(): boolean;
  /** To be called again only after the answer. */
  run(request: Request): Promise<Outcome | Crash>;
  /** At once; a request under way is answered as crashed. */
  end(): Promise<void>;
}

/**
 * Starts a thread, and passes on what it logs and counts.
 * @param data becomes its `workerData`
 */
export function startWorker<Request, Outcome>(
  script: URL,
  data: object,
  telemetry: Telemetry,
): WorkerThread<Request, Outcome> {
  const worker = new Worker(script, { workerData: data });
  let answer: (outcome: Outcome | Crash) => void = () => undefined;
  let crash: Crash | undefined;
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const onCrash = (reason: string) => {
    crash ??= { kind: 'crashed', reason };
    answer(crash);
  };
  worker.on('message', (message: WorkerMessage<Outcome>) => {
    if (message.kind === 'outcome') answer(message.outcome);
    else (telemetry[message.call] as (...args: readonly unknown[]) => void)(...message.args);
  });
  worker.on('error', (error) => onCrash(`its thread failed: ${error.message}`));
  worker.on('exit', (code) => onCrash(`its thread ended with code ${code}`));
  return {
    hasEnded: () => crash !== undefined,
    run(request) {
      return new Promise((resolve) => {
        answer = resolve;
        worker.postMessage(request);
      });
    },
    async end() {
      await worker.terminate();
      await ended;
    },
  };
}

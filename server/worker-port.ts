import { parentPort } from 'node:worker_threads';
import type { Telemetry } from '../pipeline/hub.ts';

// The side of a worker thread; worker-thread.ts is the side of who started it.

/** What a worker thread says. */
export type WorkerMessage<Outcome> =
  | { readonly kind: 'telemetry'; readonly call: keyof Telemetry; readonly args: readonly unknown[] }
  /** The answer to the oldest request that has none. */
  | { readonly kind: 'outcome'; readonly outcome: Outcome };

/** Answers what the thread is asked, one request after the other. An error of `answer` ends the thread. */
export function answerRequests<Request, Outcome>(answer: (request: Request) => Promise<Outcome>): void {
  parentPort!.on('message', async (request: Request) => {
    say({ kind: 'outcome', outcome: await answer(request) });
  });
}

/** Passes on to the thread that serves what is logged and counted here. */
export function forwardedTelemetry(): Telemetry {
  const forward =
    (call: keyof Telemetry) =>
    (...args: unknown[]) =>
      say({ kind: 'telemetry', call, args });
  return { count: forward('count'), gauge: forward('gauge'), log: forward('log') };
}

function say(message: WorkerMessage<unknown>): void {
  parentPort!.postMessage(message);
}

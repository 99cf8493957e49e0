import { Session } from 'node:inspector/promises';

/** Asks the V8 inspector of one process: its own, or another one's that answers over a channel. */
export interface InspectorLink {
  readonly pid: number;
  post(method: string, params?: object): Promise<unknown>;
  close(): void;
}

/** The inspector of this very process; no port is opened. */
export function ownInspector(): InspectorLink {
  const session = new Session();
  session.connect();
  return {
    pid: process.pid,
    // The session's type lists every method; which one it is, is known only at run time here.
    post: (method, params) =>
      (session.post as (method: string, params?: object) => Promise<unknown>)(method, params),
    close: () => session.disconnect(),
  };
}

/** Messages over the channel between a parent and the agent that it spawned with an `ipc` channel. */
export interface InspectRequest {
  readonly inspect: { readonly id: number; readonly method: string; readonly params?: object };
}
export interface InspectAnswer {
  readonly inspected: { readonly id: number; readonly result?: unknown; readonly error?: string };
}

const ANSWER_MS = 5_000;

/**
 * The inspector of the process that spawned this one, if it answers: see `answerInspector`. Undefined when there is no
 * channel to it.
 */
export function parentInspector(): InspectorLink | undefined {
  if (process.send === undefined) return undefined;
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let lastId = 0;
  const onMessage = (message: unknown) => {
    const { inspected } = (message ?? {}) as Partial<InspectAnswer>;
    const asked = inspected && waiting.get(inspected.id);
    if (!inspected || !asked) return;
    waiting.delete(inspected.id);
    if (inspected.error === undefined) asked.resolve(inspected.result);
    else asked.reject(new Error(inspected.error));
  };
  process.on('message', onMessage);
  return {
    pid: process.ppid,
    post: (method, params) =>
      new Promise((resolve, reject) => {
        const id = ++lastId;
        const timer = setTimeout(() => {
          waiting.delete(id);
          reject(new Error(`the process that started the agent did not answer ${method}`));
        }, ANSWER_MS).unref();
        const settle =
          <T>(act: (value: T) => void) =>
          (value: T) => {
            clearTimeout(timer);
            act(value);
          };
        waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
        const request: InspectRequest = { inspect: { id, method, params } };
        process.send!(request);
      }),
    close: () => void process.off('message', onMessage),
  };
}

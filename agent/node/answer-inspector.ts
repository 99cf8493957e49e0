import type { ChildProcess } from 'node:child_process';
import { Session } from 'node:inspector/promises';
import type { InspectAnswer, InspectRequest } from './inspector-link.ts';

/** What an agent may ask: to profile, and how much CPU was used. */
const ALLOWED = new Set([
  'Profiler.enable',
  'Profiler.setSamplingInterval',
  'Profiler.start',
  'Profiler.stop',
  'Runtime.evaluate',
]);
/** The only expression that is evaluated. */
export const CPU_USAGE_EXPRESSION = 'process.cpuUsage()';

/**
 * Lets an agent that this process spawned (with an `ipc` channel in its stdio) profile this process: the engine for
 * where nothing else can be sampled. Nothing happens, and nothing is loaded into the inspector, until the agent asks.
 */
export function answerInspector(agent: ChildProcess): void {
  let session: Session | undefined;
  agent.on('message', async (message) => {
    const { inspect } = (message ?? {}) as Partial<InspectRequest>;
    if (inspect === undefined) return;
    const { id, method, params } = inspect;
    const answer = (inspected: InspectAnswer['inspected']) => {
      if (agent.connected) agent.send({ inspected }, () => {});
    };
    if (!isAllowed(method, params)) {
      answer({ id, error: `${method} is not allowed` });
      return;
    }
    try {
      if (session === undefined) {
        session = new Session();
        session.connect();
      }
      const post = session.post as (method: string, params?: object) => Promise<unknown>;
      answer({ id, result: await post.call(session, method, params) });
    } catch (error) {
      answer({ id, error: (error as Error).message });
    }
  });
  agent.once('exit', () => session?.disconnect());
}

function isAllowed(method: string, params: object | undefined): boolean {
  if (!ALLOWED.has(method)) return false;
  if (method !== 'Runtime.evaluate') return true;
  return (params as { expression?: unknown } | undefined)?.expression === CPU_USAGE_EXPRESSION;
}

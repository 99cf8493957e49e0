import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError } from '../../core/errors.ts';
import type { AdminClient, AgentInfo } from '../admin-client.ts';
import { durationText } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';

const LOOK_EVERY_MS = 2_000;

/**
 * Waits until an agent of a cluster is heard that was not heard before `since`.
 * @param since ms since epoch, on the hub's clock
 * @returns the agent, or undefined when none came within `waitMs`
 * @throws the reason of the abort on Ctrl-C
 */
export async function waitForHeartbeat(
  admin: AdminClient,
  { cluster, since, waitMs }: { cluster: string; since: number; waitMs: number },
  terminal: Terminal,
): Promise<AgentInfo | undefined> {
  const startedAt = terminal.now();
  for (;;) {
    const agent = await newAgent(admin, cluster, since);
    const waitedMs = terminal.now() - startedAt;
    if (agent !== undefined || waitedMs >= waitMs) {
      terminal.progress('');
      return agent;
    }
    const waited = waitedMs < 60_000 ? `${Math.floor(waitedMs / 1000)} s` : durationText(waitedMs);
    terminal.progress(
      `waiting for the first heartbeat of ${cluster}: ${waited} of ${durationText(waitMs)}, Ctrl-C ends it`,
    );
    await pause(Math.min(LOOK_EVERY_MS, waitMs - waitedMs), terminal.signal);
  }
}

async function newAgent(admin: AdminClient, cluster: string, since: number): Promise<AgentInfo | undefined> {
  try {
    const { agents } = await admin.call('GetCluster', { cluster, lossHours: 0 });
    return agents.find(({ lastSeenMs }) => Number(lastSeenMs) >= since);
  } catch (error) {
    // A hub that is away for a moment is what waiting is for.
    if (error instanceof RetryableError) return undefined;
    throw error;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

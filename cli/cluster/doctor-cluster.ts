import { hostname } from 'node:os';
import { readSettings } from '../../agent/agent-settings.ts';
import { type Check, checkLine, exitCodeOfChecks } from '../../agent/doctor/check.ts';
import { probeHub } from '../../agent/doctor/probe-hub.ts';
import { RejectedError, RetryableError } from '../../core/errors.ts';
import type { AdminClient } from '../admin-client.ts';
import { styled, type Terminal } from '../terminal.ts';
import { checksOfHub } from './hub-checks.ts';

const COLORS = { ok: 'green', warning: 'yellow', failed: 'red' } as const;

/** A check as people see it. */
export function checkText(check: Check, terminal: Terminal): string {
  return checkLine(check, (status, text) => styled(terminal, COLORS[status], text));
}

/** Takes checks as they come, and answers the exit code of the worst. */
export async function reportChecks(
  checks: AsyncIterable<Check>,
  terminal: Terminal,
  write: (check: Check) => Promise<void> | void = (check) => terminal.write(checkText(check, terminal)),
): Promise<{ checks: Check[]; exitCode: number }> {
  const all: Check[] = [];
  for await (const check of checks) {
    terminal.signal.throwIfAborted();
    all.push(check);
    await write(check);
  }
  return { checks: all, exitCode: exitCodeOfChecks(all) };
}

/** What the hub says of a cluster. That it says nothing is a finding too. */
export async function* examineHub(admin: AdminClient, cluster: string): AsyncGenerator<Check> {
  try {
    yield* checksOfHub(await admin.call('GetCluster', { cluster }));
  } catch (error) {
    if (error instanceof RejectedError && error.reason === 'not-found') {
      const remedy = `cinderblock cluster add ${cluster}; "cluster list" shows what there is`;
      yield { name: 'registered', status: 'failed', detail: error.message, remedy };
    } else if (error instanceof RejectedError || error instanceof RetryableError) {
      const mayPass = error instanceof RetryableError;
      const remedy = mayPass
        ? '--url or CINDERBLOCK_URL must be the address at which the hub is asked'
        : '--token or CINDERBLOCK_TOKEN must be a token with the scope admin';
      yield { name: 'hub', status: 'failed', detail: error.message, remedy, mayPass };
    } else throw error;
  }
}

/**
 * Goes the way of an agent's heartbeat from here, with the settings of an agent in the environment.
 * @throws RejectedError naming the setting that is missing or wrong
 */
export async function* probeFromHere(
  cluster: string,
  { env, now }: Terminal,
  given: Readonly<Record<string, string>> = {},
): AsyncGenerator<Check> {
  const node = hostname().replace(/[^A-Za-z0-9._-]/g, '-');
  const settings = readSettings([], {
    CINDERBLOCK_NODE: node,
    ...env,
    ...given,
    CINDERBLOCK_CLUSTER: cluster,
  });
  yield* probeHub(settings, { env: { ...env }, wall: now });
}

/** Where agents send to, for a probe whose environment does not say. */
export async function ingestUrlOf(admin: AdminClient, cluster: string): Promise<string> {
  const { role } = await admin.call('GetCluster', { cluster, lossHours: 0 });
  return role?.ingestUrl ?? admin.hub.url;
}

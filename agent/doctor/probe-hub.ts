import type { AgentSettings } from '../agent-settings.ts';
import type { Check } from './check.ts';
import { checkCredentials } from './credential-checks.ts';
import { checkClock, checkHeartbeat } from './hub-checks.ts';
import { checkNetwork } from './network-checks.ts';

export type ProbeSettings = Pick<
  AgentSettings,
  'hubUrl' | 'cluster' | 'node' | 'region' | 'roleArn' | 'externalId' | 'keyPair'
>;

/**
 * Goes the way of an agent's heartbeat, step by step, and says of each how it went: name, port, certificate, clock,
 * credentials, role, and a signed heartbeat that the hub does not record. What depends on a failed step is left out.
 */
export async function* probeHub(
  settings: ProbeSettings,
  { env, wall }: { env: NodeJS.ProcessEnv; wall: () => number },
): AsyncGenerator<Check> {
  let isReached = true;
  for await (const check of checkNetwork(settings.hubUrl, wall())) {
    yield check;
    if (check.status === 'failed') isReached = false;
  }
  const clock = isReached ? await checkClock(settings.hubUrl, wall) : undefined;
  if (clock) yield clock.check;
  const { checks, credentials } = await checkCredentials({ ...settings, sessionName: settings.node }, env);
  yield* checks;
  if (credentials === undefined || clock === undefined || clock.check.status === 'failed') return;
  yield await checkHeartbeat(settings, credentials, wall() + clock.offsetMs);
}

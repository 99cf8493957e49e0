import { skewInWords } from '../hub-clock.ts';
import { regionOfHost } from '../upload/aws-credentials.ts';
import { type Credentials, fixedCredentials } from '../upload/credentials.ts';
import { type HttpAnswer, httpTransport } from '../upload/http-transport.ts';
import { answerDate } from '../upload/read-answer.ts';
import { RequestSigner } from '../upload/sign-request.ts';
import type { Check } from './check.ts';

const TIMEOUT_MS = 10_000;
/** Signatures may be 5 minutes off, on AWS as here; agents correct for what they learn, so this only warns earlier. */
const SKEW_WARNS_MS = 60_000;

export interface ProbedHub {
  readonly hubUrl: string;
  readonly cluster: string;
  readonly node: string;
  readonly region: string;
  readonly roleArn: string | undefined;
}

/** Compares the clock with the hub's. @returns also the hub's time less ours, ms, when it said one */
export async function checkClock(
  hubUrl: string,
  wall: () => number,
): Promise<{ check: Check; offsetMs: number }> {
  const url = new URL(below(hubUrl, 'healthz'));
  const request = { method: 'GET', url, headers: {}, body: new Uint8Array() };
  try {
    const answer = await httpTransport({ timeoutMs: TIMEOUT_MS })(request);
    const date = answerDate(answer);
    if (date === undefined) {
      const detail = `HTTP ${answer.status} without a Date header`;
      return { check: { name: 'clock', status: 'warning', detail, remedy: 'a proxy drops it' }, offsetMs: 0 };
    }
    // A Date header leaves out half a second on average.
    const offsetMs = date + 500 - wall();
    const detail = `this node's clock is ${skewInWords(Math.abs(offsetMs) < 2_000 ? 0 : -offsetMs)}`;
    if (Math.abs(offsetMs) <= SKEW_WARNS_MS)
      return { check: { name: 'clock', status: 'ok', detail }, offsetMs };
    const remedy = 'agents correct for it, but let NTP set the clock of this node';
    return { check: { name: 'clock', status: 'warning', detail, remedy }, offsetMs };
  } catch (error) {
    const detail = `no answer over HTTP: ${(error as Error).message}`;
    const remedy = 'something that is no hub listens there, or a proxy stands between';
    return { check: { name: 'clock', status: 'failed', detail, remedy, mayPass: true }, offsetMs: 0 };
  }
}

/** Sends a signed heartbeat that the hub checks in every respect and does not record. */
export async function checkHeartbeat(
  hub: ProbedHub,
  credentials: Credentials,
  nowMs: number,
): Promise<Check> {
  const url = new URL(below(hub.hubUrl, `v1/clusters/${encodeURIComponent(hub.cluster)}/heartbeat`));
  const body = new TextEncoder().encode(JSON.stringify({ probe: true, node: hub.node, bootId: 'doctor' }));
  const signer = new RequestSigner({ credentials: fixedCredentials(credentials), region: hub.region });
  const contentType = 'application/json';
  try {
    const request = await signer.sign({ method: 'POST', url, contentType, body }, nowMs);
    return judge(hub, await httpTransport({ timeoutMs: TIMEOUT_MS })(request));
  } catch (error) {
    const detail = `no answer: ${(error as Error).message}`;
    return { name: 'heartbeat', status: 'failed', detail, remedy: 'try again', mayPass: true };
  }
}

function judge(hub: ProbedHub, { status, body }: HttpAnswer): Check {
  if (status === 200) {
    return { name: 'heartbeat', status: 'ok', detail: `the hub lets agents of ${hub.cluster} in` };
  }
  const said = messageIn(body);
  const detail = `HTTP ${status}${said === '' ? '' : `: ${said}`}`;
  const failed = { name: 'heartbeat', status: 'failed', detail } as const;
  if (status === 401 || status === 403) return { ...failed, remedy: remedyFor(hub, said) };
  if (status === 404) {
    return {
      ...failed,
      remedy: 'no hub has this path: CINDERBLOCK_HUB_URL must be what "cluster add" printed, path included',
    };
  }
  if (status === 429 || status >= 500) return { ...failed, remedy: 'try again in a minute', mayPass: true };
  return { ...failed, remedy: 'agent and hub are of versions that do not fit: update the older one' };
}

/** Our hub says what is wrong; API Gateway says "Forbidden" to everything, and the causes are told apart here. */
function remedyFor(hub: ProbedHub, said: string): string {
  const known = REMEDIES.find(([pattern]) => pattern.test(said));
  if (known) return known[1];
  const hostRegion = regionOfHost(new URL(hub.hubUrl).hostname);
  if (hostRegion !== undefined && hostRegion !== hub.region) {
    return `it was signed for the region ${hub.region}, and the hub is in ${hostRegion}: unset CINDERBLOCK_REGION`;
  }
  if (hub.roleArn !== undefined && !hub.roleArn.endsWith(`-${hub.cluster}`)) {
    return `the role ${hub.roleArn} is not that of cluster ${hub.cluster}: a role opens its own cluster's path alone`;
  }
  return (
    `these credentials may not send for cluster ${hub.cluster}: they must be of the role that the ClusterAccess stack ` +
    'made for it (its policy names this path), and the cluster be registered, and neither disabled nor removed'
  );
}

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /is unknown or revoked/,
    'the key pair was replaced or its cluster removed: "cluster rotate" gives another',
  ],
  [
    /hub's clock|Signature expired|Signature not yet current/i,
    'the clock of this node is off: let NTP set it',
  ],
  [
    /security token .* (expired|invalid)/i,
    'the session has ended: whatever gives the credentials must renew them',
  ],
  [/is disabled/, '"cluster enable" lets its agents in again'],
  [/is removed/, '"cluster add" gives it fresh access'],
  [
    /the key is of cluster|the role is of cluster/,
    'CINDERBLOCK_CLUSTER must be the cluster that the access was given to',
  ],
  [
    /signature does not match|signature we calculated/i,
    'the secret is not that of the key, or a proxy changes host or path on the way',
  ],
];

function messageIn(body: string): string {
  try {
    const { message, Message } = JSON.parse(body) as { message?: unknown; Message?: unknown };
    return String(message ?? Message ?? '').slice(0, 300);
  } catch {
    return body.slice(0, 100).replace(/\s+/g, ' ').trim();
  }
}

function below(hubUrl: string, path: string): string {
  return `${hubUrl.replace(/\/+$/, '')}/${path}`;
}

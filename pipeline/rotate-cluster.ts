import { RejectedError, RetryableError } from '../core/errors.ts';
import { type Cluster, isRevoked } from '../storage/registry.ts';
import { issueKeyPair } from './add-cluster.ts';
import { presentCluster } from './get-cluster.ts';
import type { Hub } from './hub.ts';
import { type IssuedAccess, newExternalId, roleAccess } from './new-access.ts';

export const DEFAULT_GRACE_MS = 24 * 3_600_000;
const GRACE_MAX_MS = 30 * 24 * 3_600_000;

export interface RotateRequest {
  readonly cluster: string;
  /** How long what is replaced stays good, ms; 0 for not at all. */
  readonly graceMs?: number;
  /** Issues nothing: what was replaced before stops now. */
  readonly finish?: boolean;
}

export interface Rotation {
  /** Undefined after `finish` on hubs with key pairs. */
  readonly access: IssuedAccess | undefined;
  /** When the last replaced key pair stops, ms since epoch; undefined when none goes on. */
  readonly oldUntil: number | undefined;
}

/**
 * Gives a cluster fresh access. Replaced key pairs stop after the grace. A replaced external id has no end of its own,
 * as trust policies know no time: it stays in the list until the next rotation or `finish`, unless the grace is 0.
 * @throws RejectedError 'not-found', 'invalid'
 */
export async function rotateCluster(hub: Hub, request: RotateRequest): Promise<Rotation> {
  const { graceMs = DEFAULT_GRACE_MS, finish = false } = request;
  if (!(graceMs >= 0 && graceMs <= GRACE_MAX_MS)) {
    throw new RejectedError('invalid', `the grace is ${graceMs} ms, it may be 0 to 30 days`);
  }
  const cluster = await presentCluster(hub, request.cluster);
  const rotation =
    hub.access.kind === 'role'
      ? await rotateExternalId(hub, cluster, graceMs, finish)
      : await rotateKeyPair(hub, cluster.cluster, graceMs, finish);
  const what = finish ? 'the replaced access ended' : 'fresh access was issued';
  hub.telemetry.log('info', `cluster ${cluster.cluster}: ${what}`, { cluster: cluster.cluster });
  return rotation;
}

async function rotateKeyPair(hub: Hub, cluster: string, graceMs: number, finish: boolean): Promise<Rotation> {
  const now = hub.clock();
  const good = (await hub.registry.listCredentials(cluster)).filter((key) => !isRevoked(key, now));
  const newest = good.findLast(({ revokedAt }) => revokedAt === undefined);
  const replaced = finish ? good.filter((key) => key !== newest) : good;
  // First the new one: should this break off, the cluster still has a key that is good.
  const issued = finish ? undefined : await issueKeyPair(hub, cluster);
  const until = now + (finish ? 0 : graceMs);
  for (const { accessKeyId } of replaced) await hub.registry.revokeCredential(accessKeyId, until);
  const ends = replaced.map(({ revokedAt = until }) => Math.min(revokedAt, until));
  const oldUntil = until > now && ends.length > 0 ? Math.max(...ends) : undefined;
  return { access: issued && { ...issued, kind: 'key-pair' }, oldUntil };
}

async function rotateExternalId(
  hub: Hub,
  cluster: Cluster,
  graceMs: number,
  finish: boolean,
): Promise<Rotation> {
  const [current, ...older] = cluster.externalIds ?? [];
  const kept = finish || current === undefined ? (current ?? newExternalId()) : newExternalId();
  const externalIds = finish || graceMs === 0 || current === undefined ? [kept] : [kept, current];
  const changed = { ...cluster, externalIds };
  if (!(finish && older.length === 0) && !(await hub.registry.replaceCluster(changed, cluster.status))) {
    throw new RetryableError(`cluster ${cluster.cluster} changed meanwhile; try again`);
  }
  return { access: { kind: 'role', ...roleAccess(hub, changed)! }, oldUntil: undefined };
}

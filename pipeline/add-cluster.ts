import { isIdPart } from '../core/batch/batch-origin.ts';
import { RejectedError } from '../core/errors.ts';
import type { Cluster } from '../storage/registry.ts';
import type { Hub } from './hub.ts';
import { type IssuedAccess, newCredential, newExternalId, roleAccess } from './new-access.ts';

/** Longest name of a role (IAM). */
const ROLE_NAME_MAX = 64;
const DISPLAY_NAME_MAX = 200;

/**
 * Registers a cluster and gives it access. A cluster that was removed is taken up again with fresh access; whatever it
 * had before stays revoked.
 * @throws RejectedError 'invalid' when the name cannot be one or is taken
 */
export async function addCluster(
  hub: Hub,
  request: { cluster: string; displayName?: string },
): Promise<{ cluster: Cluster; access: IssuedAccess }> {
  const { cluster: name } = request;
  checkName(hub, name);
  const displayName = (request.displayName?.trim() || name).slice(0, DISPLAY_NAME_MAX);
  const cluster: Cluster = { cluster: name, displayName, status: 'active', createdAt: hub.clock() };
  if (hub.access.kind === 'role') cluster.externalIds = [newExternalId()];
  await revokeAll(hub, name);
  const isNew = (await hub.registry.createCluster(cluster)) === 'created';
  if (!isNew && !(await hub.registry.replaceCluster(cluster, 'removed'))) {
    throw new RejectedError(
      'invalid',
      `cluster ${name} exists already; "rotate" gives it fresh access, "remove" ends it`,
    );
  }
  hub.telemetry.log('info', `cluster ${name} was ${isNew ? 'added' : 'added again'}`, { cluster: name });
  return { cluster, access: await firstAccess(hub, cluster) };
}

async function firstAccess(hub: Hub, cluster: Cluster): Promise<IssuedAccess> {
  const role = roleAccess(hub, cluster);
  if (role) return { kind: 'role', ...role };
  const { accessKeyId, secret } = await issueKeyPair(hub, cluster.cluster);
  return { kind: 'key-pair', accessKeyId, secret };
}

/** A key pair that is good from now on. */
export async function issueKeyPair(
  hub: Hub,
  cluster: string,
): Promise<{ accessKeyId: string; secret: string }> {
  const credential = newCredential(cluster, hub.clock());
  await hub.registry.addCredential(credential);
  return credential;
}

/** A key that was issued while the cluster was being removed must not come to life with it. */
async function revokeAll(hub: Hub, name: string): Promise<void> {
  if ((await hub.registry.getCluster(name))?.status === 'removed') await revokeKeys(hub, name);
}

/** Revokes every key pair of a cluster now. Answers how many were good until then. */
export async function revokeKeys(hub: Hub, cluster: string): Promise<number> {
  const now = hub.clock();
  let revoked = 0;
  for (const { accessKeyId } of await hub.registry.listCredentials(cluster)) {
    if (await hub.registry.revokeCredential(accessKeyId, now)) revoked++;
  }
  return revoked;
}

function checkName({ access }: Hub, name: string): void {
  if (!isIdPart(name)) {
    throw new RejectedError(
      'invalid',
      `cluster ${JSON.stringify(name)} must be 1 to 128 characters of A-Z a-z 0-9 . _ -`,
    );
  }
  if (access.kind !== 'role') return;
  const max = ROLE_NAME_MAX - access.rolePrefix.length;
  if (name.length <= max) return;
  const seen = `cluster ${name} has ${name.length} characters`;
  throw new RejectedError(
    'invalid',
    `${seen}, at most ${max} fit after ${access.rolePrefix} in the name of a role`,
  );
}

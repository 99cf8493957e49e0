import { hostname } from 'node:os';
import { LOCAL_CLUSTER } from '../api/access/identity.ts';
import { newCredential } from '../pipeline/new-access.ts';
import type { Credential, Registry } from '../storage/registry.ts';

const KEY_SETTING = 'server.agentAccessKeyId';

/** Makes the cluster of this machine and of pushed profiles, where it is not there yet. */
export async function ensureLocalCluster(registry: Registry, now: number): Promise<void> {
  const displayName = `this machine (${hostname()})`;
  await registry.createCluster({ cluster: LOCAL_CLUSTER, displayName, status: 'active', createdAt: now });
}

/** The key pair that this machine's agent signs with: issued once, kept, and issued anew once it was replaced or revoked. */
export async function localAgentCredential(registry: Registry, now: number): Promise<Credential> {
  const knownId = await registry.setting(KEY_SETTING);
  const known = knownId === undefined ? undefined : await registry.findCredential(knownId);
  if (known && known.revokedAt === undefined) return known;
  const credential = newCredential(LOCAL_CLUSTER, now);
  await registry.addCredential(credential);
  await registry.putSetting(KEY_SETTING, credential.accessKeyId);
  return credential;
}

/** The machine's name as a node id: characters that ids may not hold become "-". */
export function localNode(): string {
  return (
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 100) || 'node'
  );
}

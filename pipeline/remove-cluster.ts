import { revokeKeys } from './add-cluster.ts';
import { knownCluster } from './get-cluster.ts';
import type { Hub } from './hub.ts';

/**
 * Ends all access of a cluster, from the next request on. Its profiles stay until retention deletes them, and so does
 * its name: adding the cluster again gives it fresh access. Removing it twice changes nothing.
 * @returns how many key pairs were good until now
 * @throws RejectedError 'not-found'
 */
export async function removeCluster(hub: Hub, name: string): Promise<number> {
  await knownCluster(hub, name);
  // The status first: it holds for keys too that somebody is issuing at this moment.
  await hub.registry.setClusterStatus(name, 'removed');
  const revoked = await revokeKeys(hub, name);
  hub.telemetry.log('info', `cluster ${name} was removed, with ${revoked} key pairs`, { cluster: name });
  return revoked;
}

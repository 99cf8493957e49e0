import { RejectedError } from '../../core/errors.ts';
import type { IdentityRegistry } from '../../storage/registry.ts';

/** Asked on every request, so that disabling and removing a cluster take effect at once. @throws RejectedError 'forbidden' */
export async function requireActiveCluster(registry: IdentityRegistry, cluster: string): Promise<void> {
  const status = (await registry.getCluster(cluster))?.status ?? 'unknown';
  if (status !== 'active') throw new RejectedError('forbidden', `cluster ${cluster} is ${status}`);
}

import { RetryableError } from '../core/errors.ts';
import { presentCluster } from './get-cluster.ts';
import type { Hub } from './hub.ts';

/**
 * Refuses what the cluster's agents send, from the next request on. They keep it on disk until the cluster is enabled
 * again, as long as their spools last.
 * @throws RejectedError 'not-found'
 */
export async function disableCluster(hub: Hub, name: string): Promise<void> {
  await setStatus(hub, name, 'disabled');
}

/** Undoes `disableCluster`, from the next request on. @throws RejectedError 'not-found' */
export async function enableCluster(hub: Hub, name: string): Promise<void> {
  await setStatus(hub, name, 'active');
}

async function setStatus(hub: Hub, name: string, status: 'active' | 'disabled'): Promise<void> {
  const cluster = await presentCluster(hub, name);
  if (cluster.status === status) return;
  // Only over the status that was read: a cluster that is removed meanwhile must stay so.
  if (!(await hub.registry.replaceCluster({ ...cluster, status }, cluster.status))) {
    await presentCluster(hub, name);
    throw new RetryableError(`cluster ${name} changed meanwhile; try again`);
  }
  hub.telemetry.log('info', `cluster ${name} is ${status}`, { cluster: name });
}

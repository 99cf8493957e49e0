import { RejectedError } from '../core/errors.ts';
import type { Cluster, Credential } from '../storage/registry.ts';
import { auditLoss, type LossHour } from './audit-loss.ts';
import type { Hub } from './hub.ts';
import { type AgentReport, agentReport } from './list-clusters.ts';
import { type RoleAccess, roleAccess } from './new-access.ts';

const HOUR_MS = 3_600_000;
const LOSS_HOURS = 24;

/** All that is known of one cluster, for whoever looks after it. */
export interface ClusterDetails {
  cluster: Cluster;
  nowMs: number;
  agents: AgentReport[];
  /** Empty on hubs whose clusters have roles. */
  credentials: Omit<Credential, 'secret'>[];
  role: RoleAccess | undefined;
  /** Of the last 24 hours. */
  loss: LossHour[];
  /** How often agents are asked to send a heartbeat, ms. */
  heartbeatMs: number;
}

/** @throws RejectedError 'not-found' */
export async function getCluster(hub: Hub, name: string): Promise<ClusterDetails> {
  const cluster = await knownCluster(hub, name);
  const nowMs = hub.clock();
  const start = Math.floor(nowMs / HOUR_MS) * HOUR_MS - (LOSS_HOURS - 1) * HOUR_MS;
  const [agents, credentials, loss] = await Promise.all([
    hub.registry.listAgents(name),
    hub.registry.listCredentials(name),
    auditLoss(hub, { start, end: nowMs + hub.settings.futureWindowMs, cluster: name }),
  ]);
  return {
    ...{ cluster, nowMs, credentials, loss },
    agents: agents.map((agent) => agentReport(agent, nowMs)),
    role: roleAccess(hub, cluster),
    heartbeatMs: hub.settings.heartbeatMs,
  };
}

/** @throws RejectedError 'not-found' */
export async function knownCluster(hub: Hub, name: string): Promise<Cluster> {
  const cluster = await hub.registry.getCluster(name);
  if (cluster) return cluster;
  throw new RejectedError('not-found', `there is no cluster ${JSON.stringify(name)}`);
}

/** One that was not removed. @throws RejectedError 'not-found' */
export async function presentCluster(hub: Hub, name: string): Promise<Cluster> {
  const cluster = await knownCluster(hub, name);
  if (cluster.status !== 'removed') return cluster;
  throw new RejectedError('not-found', `cluster ${name} was removed; "add" gives it fresh access`);
}

import { RejectedError } from '../core/errors.ts';
import type { AgentRow, Cluster, Credential } from '../storage/registry.ts';
import { auditLoss, type LossHour } from './audit-loss.ts';
import type { Hub } from './hub.ts';
import { type AgentReport, agentReport } from './list-clusters.ts';
import { type RoleAccess, roleAccess } from './new-access.ts';
import { spoolWordsOf } from './spool-words.ts';

const HOUR_MS = 3_600_000;
const LOSS_HOURS_DEFAULT = 24;
const LOSS_HOURS_MAX = 72;

/** All that is known of one cluster, for whoever looks after it. */
export interface ClusterDetails {
  cluster: Cluster;
  nowMs: number;
  agents: AgentReport[];
  /** Empty on hubs whose clusters have roles. */
  credentials: Omit<Credential, 'secret'>[];
  role: RoleAccess | undefined;
  /** Of the last hours, as many as were asked for. */
  loss: LossHour[];
  /** How often agents are asked to send a heartbeat, ms. */
  heartbeatMs: number;
}

/**
 * @param lossHours hours of which loss is told, up to now; 0 to 72
 * @throws RejectedError 'not-found', 'invalid'
 */
export async function getCluster(
  hub: Hub,
  name: string,
  lossHours: number = LOSS_HOURS_DEFAULT,
): Promise<ClusterDetails> {
  if (lossHours > LOSS_HOURS_MAX) {
    throw new RejectedError(
      'invalid',
      `loss of ${lossHours} hours was asked for, at most ${LOSS_HOURS_MAX} are told`,
    );
  }
  const cluster = await knownCluster(hub, name);
  const nowMs = hub.clock();
  const [agents, credentials] = await Promise.all([
    hub.registry.listAgents(name),
    hub.registry.listCredentials(name),
  ]);
  const loss = await recentLoss(hub, cluster, agents, { nowMs, hours: lossHours });
  return {
    ...{ cluster, nowMs, credentials, loss },
    agents: agents.map((agent) => agentReport(agent, nowMs)),
    role: roleAccess(hub, cluster),
    heartbeatMs: hub.settings.heartbeatMs,
  };
}

/** Of whole hours, the one that goes on included. */
async function recentLoss(
  hub: Hub,
  { cluster }: Cluster,
  agents: readonly AgentRow[],
  { nowMs, hours }: { nowMs: number; hours: number },
): Promise<LossHour[]> {
  if (hours === 0) return [];
  const start = Math.floor(nowMs / HOUR_MS) * HOUR_MS - (hours - 1) * HOUR_MS;
  const request = { start, end: nowMs + hub.settings.futureWindowMs, cluster };
  return auditLoss(hub, request, spoolWordsOf(hub, agents).words);
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

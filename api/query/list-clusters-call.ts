import type { HandlerContext } from '@connectrpc/connect';
import { listClusters } from '../../pipeline/list-clusters.ts';
import { callOf } from '../connect-call.ts';
import { whole } from '../whole-number.ts';
import { agentFields } from './agent-fields.ts';

/** All clusters with their agents: for readers by QueryService, for operators by AdminService. */
export async function listClustersCall(_request: unknown, context: HandlerContext) {
  const { clusters, nowMs } = await listClusters(callOf(context).hub);
  return {
    nowMs: whole(nowMs),
    clusters: clusters.map(({ agents, ...cluster }) => ({ ...cluster, agents: agents.map(agentFields) })),
  };
}

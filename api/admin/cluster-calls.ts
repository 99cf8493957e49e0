import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { addCluster } from '../../pipeline/add-cluster.ts';
import { disableCluster, enableCluster } from '../../pipeline/disable-cluster.ts';
import { getCluster } from '../../pipeline/get-cluster.ts';
import type { IssuedAccess, RoleAccess } from '../../pipeline/new-access.ts';
import { removeCluster } from '../../pipeline/remove-cluster.ts';
import { rotateCluster } from '../../pipeline/rotate-cluster.ts';
import { callOf } from '../connect-call.ts';
import type { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import { agentFields } from '../query/agent-fields.ts';
import { listClustersCall } from '../query/list-clusters-call.ts';
import { allWhole, whole } from '../whole-number.ts';

type ClusterCalls = Pick<
  ServiceImpl<typeof AdminService>,
  | 'listClusters'
  | 'addCluster'
  | 'getCluster'
  | 'rotateCluster'
  | 'disableCluster'
  | 'enableCluster'
  | 'removeCluster'
>;

export const clusterCalls: ClusterCalls = {
  listClusters: listClustersCall,

  async addCluster(request, context) {
    keepSecret(context);
    const { cluster, access } = await addCluster(callOf(context).hub, request);
    return {
      cluster: cluster.cluster,
      addedAtMs: whole(cluster.createdAt),
      access:
        access.kind === 'role'
          ? { case: 'role', value: roleFields(access) }
          : { case: 'keyPair', value: keyPairFields(access) },
    };
  },

  async getCluster(request, context) {
    const details = await getCluster(callOf(context).hub, request.cluster, request.lossHours);
    const { cluster, nowMs, agents, credentials, role, loss } = details;
    return {
      cluster: cluster.cluster,
      displayName: cluster.displayName,
      status: cluster.status,
      createdAtMs: whole(cluster.createdAt),
      nowMs: whole(nowMs),
      heartbeatMs: whole(details.heartbeatMs),
      agents: agents.map(agentFields),
      accessKeys: credentials.map(({ accessKeyId, createdAt, revokedAt }) => ({
        accessKeyId,
        createdAtMs: whole(createdAt),
        revokedAtMs: revokedAt === undefined ? undefined : whole(revokedAt),
      })),
      role: role && roleFields(role),
      loss: loss.map(({ cluster, ...counts }) => ({ cluster, ...allWhole(counts) })),
    };
  },

  async rotateCluster({ cluster, graceMs, finish }, context) {
    keepSecret(context);
    const request = { cluster, finish, graceMs: graceMs === undefined ? undefined : Number(graceMs) };
    const { access, oldUntil } = await rotateCluster(callOf(context).hub, request);
    return {
      cluster,
      keyPair: access?.kind === 'key-pair' ? keyPairFields(access) : undefined,
      role: access?.kind === 'role' ? roleFields(access) : undefined,
      oldUntilMs: oldUntil === undefined ? undefined : whole(oldUntil),
    };
  },

  async disableCluster({ cluster }, context) {
    await disableCluster(callOf(context).hub, cluster);
    return {};
  },

  async enableCluster({ cluster }, context) {
    await enableCluster(callOf(context).hub, cluster);
    return {};
  },

  async removeCluster({ cluster }, context) {
    return { revokedKeys: await removeCluster(callOf(context).hub, cluster) };
  },
};

/** An answer with a secret in it is for its reader alone. */
export function keepSecret({ responseHeader }: HandlerContext): void {
  responseHeader.set('cache-control', 'no-store');
}

function keyPairFields({ accessKeyId, secret }: IssuedAccess & { kind: 'key-pair' }) {
  return { accessKeyId, secretAccessKey: secret };
}

function roleFields({ externalIds, ...role }: RoleAccess) {
  return { ...role, externalIds: [...externalIds] };
}

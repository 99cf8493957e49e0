import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { ClusterAccess, clusterBoundary } from '../cluster-access.ts';
import { clusterRoleName, type HubConfig } from '../config.ts';
import { AGENT_PATHS, type IngestApi } from '../ingest-api.ts';

export interface ClusterAccessStackProps extends StackProps {
  readonly config: HubConfig;
  readonly api: IngestApi;
}

/** A role per cluster: who may send is a reviewed change of the configuration, and no other stack changes with it. */
export class ClusterAccessStack extends Stack {
  readonly clusters: ClusterAccess[];

  constructor(scope: Construct, id: string, props: ClusterAccessStackProps) {
    super(scope, id, props);
    const { config, api } = props;
    const boundary = clusterBoundary(this, api);
    this.clusters = config.clusters.map((cluster) => {
      const access = new ClusterAccess(this, cluster.cluster, {
        cluster,
        roleName: clusterRoleName(config, cluster.cluster),
        routeArns: AGENT_PATHS.map((path) => api.arnOf(cluster.cluster, path)),
        permissionsBoundaryArn: boundary.managedPolicyArn,
        organizationId: config.organizationId,
      });
      new CfnOutput(access, 'RoleArn', { value: access.role.attrArn });
      if (access.profileArn !== undefined) new CfnOutput(access, 'ProfileArn', { value: access.profileArn });
      return access;
    });
  }
}

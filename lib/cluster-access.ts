import { CfnRole, ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnProfile } from 'aws-cdk-lib/aws-rolesanywhere';
import { Construct } from 'constructs';
import { acknowledgeWildcard } from './acknowledge.ts';
import type { ClusterConfig } from './config.ts';
import { AGENT_PATHS, type IngestApi } from './ingest-api.ts';
import { allowing, CHAINING_ACTIONS, certificatesOf, policyOf, type Statement } from './policies.ts';

export interface ClusterAccessProps {
  readonly cluster: ClusterConfig;
  readonly roleName: string;
  /** ARNs of the API's routes for this cluster: all that the role may call. */
  readonly routeArns: readonly string[];
  /** The most that the role may ever do: see clusterBoundary. */
  readonly permissionsBoundaryArn: string;
  /**
   * Organization that the cluster's account must belong to.
   * @default any account, as long as the trusted role is in it
   */
  readonly organizationId?: string;
}

/**
 * The role in the hub's account that one cluster's agents assume. Its policy names the paths of this cluster, so that
 * AWS itself keeps clusters apart; its name tells the functions which cluster calls.
 */
export class ClusterAccess extends Construct {
  readonly role: CfnRole;
  /** Roles Anywhere only: what agents name beside the role. */
  readonly profileArn?: string;

  constructor(scope: Construct, id: string, props: ClusterAccessProps) {
    super(scope, id);
    const { cluster, trust } = props.cluster;
    this.role = new CfnRole(this, 'Default', {
      roleName: props.roleName,
      description: `Agents of cluster ${cluster}`,
      permissionsBoundary: props.permissionsBoundaryArn,
      assumeRolePolicyDocument: policyOf(
        trust.kind === 'role' ? roleTrust(trust.arn, props) : certificatesOf(trust),
      ),
      policies: [
        {
          policyName: 'SendProfiles',
          policyDocument: policyOf(allowing(['execute-api:Invoke'], props.routeArns)),
        },
      ],
    });
    if (trust.kind !== 'roles-anywhere') return;
    const roleArns = [this.role.attrArn];
    this.profileArn = new CfnProfile(this, 'Profile', {
      name: props.roleName,
      enabled: true,
      roleArns,
    }).attrProfileArn;
  }
}

/** Whatever anybody attaches to the role of a cluster, it may do no more than send profiles. */
export function clusterBoundary(scope: Construct, api: IngestApi): ManagedPolicy {
  const resources = AGENT_PATHS.map((path) => api.arnOf('*', path));
  const boundary = new ManagedPolicy(scope, 'Boundary', {
    description: 'The most that agents of any cluster may do',
    statements: [new PolicyStatement({ actions: ['execute-api:Invoke'], resources })],
  });
  for (const path of AGENT_PATHS) {
    acknowledgeWildcard(
      boundary,
      `/clusters/*/${path}`,
      'Of all clusters; which one a role is for its own policy says.',
    );
  }
  return boundary;
}

/**
 * The account with a condition on the role, rather than the role itself: IAM turns a role that is named as principal
 * into an id, which must exist already, and means nobody once that role was deleted and made again.
 */
function roleTrust(roleArn: string, { cluster, organizationId }: ClusterAccessProps): Statement {
  const [, partition, , , account] = roleArn.split(':');
  return {
    Effect: 'Allow',
    Principal: { AWS: `arn:${partition}:iam::${account}:root` },
    Action: CHAINING_ACTIONS,
    Condition: {
      ArnEquals: { 'aws:PrincipalArn': roleArn },
      StringEquals: {
        // Several while one is exchanged for another.
        'sts:ExternalId': cluster.externalIds,
        ...(organizationId === undefined ? {} : { 'aws:PrincipalOrgID': organizationId }),
      },
    },
  };
}

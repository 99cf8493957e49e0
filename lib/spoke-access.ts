import { Aws, CfnOutput, Fn } from 'aws-cdk-lib';
import { CfnPodIdentityAssociation } from 'aws-cdk-lib/aws-eks';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnProfile, CfnTrustAnchor } from 'aws-cdk-lib/aws-rolesanywhere';
import { Construct } from 'constructs';
import { allowing, CHAINING_ACTIONS, certificatesOf, policyOf } from './policies.ts';

/** How agents of a cluster get the credentials of their own account's role. */
export type SpokeAccess =
  | {
      /**
       * `pod-identity`: EKS gives agents the role of their own account, and they assume the hub's themselves, with the
       * external id that the hub made. `pod-identity-target-role`: EKS assumes the hub's role for them, with an external
       * id of its own making, which then has to be added to the hub's configuration.
       */
      readonly mode: 'pod-identity' | 'pod-identity-target-role';
      /** Name of the EKS cluster. */
      readonly clusterName: string;
      readonly namespace: string;
      readonly serviceAccount: string;
    }
  | {
      readonly mode: 'irsa';
      /** ARN of the cluster's OIDC provider in IAM. */
      readonly oidcProviderArn: string;
      readonly namespace: string;
      readonly serviceAccount: string;
    }
  | {
      readonly mode: 'roles-anywhere';
      /** Of the authority that signs agents' certificates, PEM. */
      readonly authorityCertificate: string;
      readonly certificateCommonName: string;
    };

type PodIdentityAccess = Extract<SpokeAccess, { clusterName: string }>;

export interface SpokeRoleProps {
  /** As the hub knows the cluster. */
  readonly cluster: string;
  /** Role in the hub's account that the agents of this cluster assume. */
  readonly hubRoleArn: string;
  readonly access: SpokeAccess;
}

/** Prefix of the names of agents' roles in their own accounts: the hub trusts them by name. */
export const SPOKE_ROLE_PREFIX = 'cinderblock-agent-';

/** The role of the agents in the cluster's own account. All that it may do is become the hub's role for this cluster. */
export class SpokeRole extends Construct {
  readonly role: CfnRole;

  constructor(scope: Construct, id: string, props: SpokeRoleProps) {
    super(scope, id);
    const { cluster, hubRoleArn, access } = props;
    const anchor =
      access.mode === 'roles-anywhere'
        ? this.#addTrustAnchor(access.authorityCertificate, cluster)
        : undefined;
    this.role = new CfnRole(this, 'Default', {
      roleName: `${SPOKE_ROLE_PREFIX}${cluster}`,
      description: 'Cinderblock agents',
      assumeRolePolicyDocument: trustOf(access, anchor?.attrTrustAnchorArn),
      policies: [
        {
          policyName: 'BecomeHubRole',
          policyDocument: policyOf(allowing(CHAINING_ACTIONS, [hubRoleArn])),
        },
      ],
    });
    this.#tell('RoleArn', this.role.attrArn, 'The hub trusts this role');
    if ('clusterName' in access) this.#associate(access, hubRoleArn);
    if (anchor) this.#addProfile(anchor, cluster);
  }

  #associate(access: PodIdentityAccess, hubRoleArn: string): void {
    const { mode, clusterName, namespace, serviceAccount } = access;
    const eksAssumesHubRole = mode === 'pod-identity-target-role';
    const association = new CfnPodIdentityAssociation(this, 'Association', {
      clusterName,
      namespace,
      serviceAccount,
      roleArn: this.role.attrArn,
      targetRoleArn: eksAssumesHubRole ? hubRoleArn : undefined,
    });
    if (!eksAssumesHubRole) return;
    this.#tell(
      'ExternalId',
      association.attrExternalId,
      'Add it to externalIds of the cluster in the configuration of the hub',
    );
  }

  #addTrustAnchor(authorityCertificate: string, cluster: string): CfnTrustAnchor {
    return new CfnTrustAnchor(this, 'TrustAnchor', {
      name: `${SPOKE_ROLE_PREFIX}${cluster}`,
      enabled: true,
      source: { sourceType: 'CERTIFICATE_BUNDLE', sourceData: { x509CertificateData: authorityCertificate } },
    });
  }

  /** What `aws_signing_helper` is started with, besides the role. */
  #addProfile(anchor: CfnTrustAnchor, cluster: string): void {
    const profile = new CfnProfile(this, 'Profile', {
      name: `${SPOKE_ROLE_PREFIX}${cluster}`,
      enabled: true,
      roleArns: [this.role.attrArn],
    });
    this.#tell('TrustAnchorArn', anchor.attrTrustAnchorArn, 'For aws_signing_helper');
    this.#tell('ProfileArn', profile.attrProfileArn, 'For aws_signing_helper');
  }

  /** Outputs have the names that the documentation calls them by. */
  #tell(name: string, value: string, description: string): void {
    new CfnOutput(this, name, { value, description }).overrideLogicalId(name);
  }
}

function trustOf(access: SpokeAccess, trustAnchorArn: string | undefined): unknown {
  switch (access.mode) {
    case 'pod-identity':
    case 'pod-identity-target-role':
      return podIdentityTrust(access);
    case 'irsa':
      return irsaTrust(access);
    case 'roles-anywhere':
      return policyOf(
        certificatesOf({
          trustAnchorArn: trustAnchorArn!,
          certificateCommonName: access.certificateCommonName,
        }),
      );
  }
}

/** Only this service account of this cluster: EKS says which one asks in the tags of the request. */
function podIdentityTrust({ clusterName, namespace, serviceAccount }: PodIdentityAccess) {
  const clusterArn = `arn:${Aws.PARTITION}:eks:${Aws.REGION}:${Aws.ACCOUNT_ID}:cluster/${clusterName}`;
  return policyOf({
    Effect: 'Allow',
    Principal: { Service: 'pods.eks.amazonaws.com' },
    Action: ['sts:AssumeRole', 'sts:TagSession'],
    Condition: {
      StringEquals: {
        'aws:RequestTag/eks-cluster-arn': clusterArn,
        'aws:RequestTag/kubernetes-namespace': namespace,
        'aws:RequestTag/kubernetes-service-account': serviceAccount,
      },
    },
  });
}

/** Text, because the issuer's name is part of a key, where CloudFormation puts in no parameters. */
function irsaTrust(access: Extract<SpokeAccess, { mode: 'irsa' }>): unknown {
  const { oidcProviderArn, namespace, serviceAccount } = access;
  const document = policyOf({
    Effect: 'Allow',
    Principal: { Federated: variable('Provider') },
    Action: ['sts:AssumeRoleWithWebIdentity'],
    Condition: {
      StringEquals: {
        [`${variable('Issuer')}:sub`]: `system:serviceaccount:${variable('Namespace')}:${variable('ServiceAccount')}`,
        [`${variable('Issuer')}:aud`]: 'sts.amazonaws.com',
      },
    },
  });
  return Fn.sub(JSON.stringify(document), {
    Provider: oidcProviderArn,
    Issuer: Fn.select(1, Fn.split(':oidc-provider/', oidcProviderArn)),
    Namespace: namespace,
    ServiceAccount: serviceAccount,
  });
}

/** As Fn::Sub takes it. */
function variable(name: string): string {
  return `\${${name}}`;
}

// Clusters in accounts of their own: the spoke's stack, deployed as its docs say, and what its agents sign with.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAwsCredentials } from '../../agent/upload/aws-credentials.ts';
import type { Credentials } from '../../agent/upload/credentials.ts';
import { runCdk, runNode } from './run-cdk.ts';
import { createStack } from './stacks.ts';
import { REGION, rootOf, type StandInCloud } from './stand-in-cloud.ts';

export interface SpokeCluster {
  cluster: string;
  account: string;
  /** Of the hub, for this cluster. */
  hubRoleArn: string;
  externalId: string;
  /** What Kubernetes mounts into the pods of agents. */
  tokenFile: string;
}

const ISSUER = `oidc.eks.${REGION}.amazonaws.com/id/0123456789ABCDEF`;
const AUDIENCE = 'sts.amazonaws.com';

/** Role of the agents in the cluster's account. */
function spokeRoleArn({ account, cluster }: Pick<SpokeCluster, 'account' | 'cluster'>): string {
  return `arn:aws:iam::${account}:role/cinderblock-agent-${cluster}`;
}

/** The provider of the cluster's tokens. */
export function oidcProviderArn({ account }: Pick<SpokeCluster, 'account'>): string {
  return `arn:aws:iam::${account}:oidc-provider/${ISSUER}`;
}

/** With the CDK's app for spokes. */
export async function deploySpoke(cloud: StandInCloud, spoke: SpokeCluster): Promise<void> {
  const context = {
    mode: 'irsa',
    cluster: spoke.cluster,
    hubRoleArn: spoke.hubRoleArn,
    oidcProviderArn: oidcProviderArn(spoke),
  };
  const app = `${process.execPath} bin/spoke.ts`;
  const output = join(cloud.folder, `spoke-${spoke.cluster}`);
  await runCdk(
    [
      ...['deploy', '--all', '--app', app, '--output', output, '--require-approval', 'never'],
      ...Object.entries(context).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    cloud.environment(spoke.account),
  );
}

/** Without the CDK: the template that is written for those who have none. */
export async function deploySpokeTemplate(cloud: StandInCloud, spoke: SpokeCluster): Promise<void> {
  const folder = join(cloud.folder, 'spoke-templates');
  await runNode(['bin/spoke.ts', '--template', folder], cloud.environment(spoke.account));
  const template = JSON.parse(await readFile(join(folder, 'irsa.template.json'), 'utf8'));
  const parameters = {
    Cluster: spoke.cluster,
    HubRoleArn: spoke.hubRoleArn,
    OidcProviderArn: oidcProviderArn(spoke),
  };
  await createStack(`cinderblock-agent-${spoke.cluster}`, template, parameters, rootOf(cloud, spoke.account));
}

/**
 * As Kubernetes signs it for a service account. The stand-in does not look at the signature, and takes one audience where
 * Kubernetes writes a list.
 */
export async function writeServiceAccountToken(
  cloud: StandInCloud,
  cluster: string,
  serviceAccount = 'cinderblock-agent',
): Promise<string> {
  const claims = {
    iss: `https://${ISSUER}`,
    aud: AUDIENCE,
    sub: `system:serviceaccount:cinderblock:${serviceAccount}`,
  };
  const parts = [
    { alg: 'RS256', typ: 'JWT' },
    { ...claims, exp: Math.floor(Date.now() / 1000) + 3600 },
  ];
  const token = `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.c2lnbmVk`;
  const folder = join(cloud.folder, 'tokens');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${cluster}-${serviceAccount}`);
  await writeFile(file, token);
  return file;
}

/** What an agent's pod has in its environment. */
export function agentEnvironment(spoke: SpokeCluster, hubUrl: string): Record<string, string> {
  return {
    AWS_ROLE_ARN: spokeRoleArn(spoke),
    AWS_WEB_IDENTITY_TOKEN_FILE: spoke.tokenFile,
    CINDERBLOCK_HUB_URL: hubUrl,
    CINDERBLOCK_CLUSTER: spoke.cluster,
    CINDERBLOCK_ROLE_ARN: spoke.hubRoleArn,
    CINDERBLOCK_EXTERNAL_ID: spoke.externalId,
  };
}

/**
 * What an agent of this cluster signs with, found as agents find it: from the token of the service account to the role of
 * its account, and from there to the hub's role.
 * @throws what AWS says when it refuses either
 */
export async function agentCredentials(spoke: SpokeCluster): Promise<Credentials> {
  const { AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE } = agentEnvironment(spoke, '');
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  // Keys in the environment would come first.
  delete process.env.AWS_ACCESS_KEY_ID;
  delete process.env.AWS_SECRET_ACCESS_KEY;
  Object.assign(process.env, { AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE });
  try {
    return await loadAwsCredentials({
      roleArn: spoke.hubRoleArn,
      externalId: spoke.externalId,
      keyPair: undefined,
      region: REGION,
      sessionName: 'lane',
    });
  } finally {
    delete process.env.AWS_ROLE_ARN;
    delete process.env.AWS_WEB_IDENTITY_TOKEN_FILE;
    Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
  }
}

import type { Credentials } from './credentials.ts';

/** How an agent becomes the role that the hub keeps for its cluster. */
export interface AwsCredentialOptions {
  /** Role to assume with what was found; undefined when what was found is signed with as it is. */
  readonly roleArn: string | undefined;
  readonly externalId: string | undefined;
  /** A key pair to start from, instead of what the environment offers. */
  readonly keyPair: Credentials | undefined;
  /** Of the hub. */
  readonly region: string;
  /** Shows in CloudTrail and in the hub's log. */
  readonly sessionName: string;
}

/**
 * Finds credentials as every SDK of AWS does: environment, shared files, a process, the token of a Kubernetes service
 * account (IRSA), the container endpoint (EKS Pod Identity), the machine's metadata. With a role, that role is assumed.
 * The SDK is loaded when this is called: an agent with a key pair has no use for its memory.
 * @throws what the SDK says, when there are none or the role is refused
 */
export async function loadAwsCredentials(options: AwsCredentialOptions): Promise<Credentials> {
  const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  const { roleArn, region, sessionName, externalId } = options;
  if (roleArn === undefined) return findAwsCredentials(options);
  const assume = fromTemporaryCredentials({
    masterCredentials: () => findAwsCredentials(options),
    params: { RoleArn: roleArn, ExternalId: externalId, RoleSessionName: sessionNameOf(sessionName) },
    // The nearest endpoint does; in the cluster's own region there may be a private one.
    clientConfig: { region: process.env.AWS_REGION || region },
  });
  return assume();
}

/** Without assuming the role. */
export async function findAwsCredentials({ keyPair, region }: AwsCredentialOptions): Promise<Credentials> {
  if (keyPair !== undefined) return keyPair;
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  return fromNodeProviderChain({ clientConfig: { region: process.env.AWS_REGION || region } })();
}

/** The alphabet of session names: 2 to 64 characters. */
function sessionNameOf(node: string): string {
  return `node-${node}`.replace(/[^\w+=,.@-]/g, '-').slice(0, 64);
}

/** Where the SDK will find credentials, in words, in the order in which it looks. */
export function sourceInWords(env: NodeJS.ProcessEnv): string {
  if (env.AWS_PROFILE) return `profile ${env.AWS_PROFILE} of the shared AWS files`;
  if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) return 'AWS_ACCESS_KEY_ID in the environment';
  if (env.AWS_WEB_IDENTITY_TOKEN_FILE) {
    return `token of the service account (IRSA) for ${env.AWS_ROLE_ARN ?? 'a role that AWS_ROLE_ARN does not name'}`;
  }
  if (env.AWS_CONTAINER_CREDENTIALS_FULL_URI) return 'EKS Pod Identity';
  if (env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI) return 'the role of the ECS task';
  return 'the shared AWS files, or the metadata service of this machine';
}

/** The region in the name of a host of API Gateway, or undefined. */
export function regionOfHost(hostname: string): string | undefined {
  return /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/.exec(hostname)?.[1];
}

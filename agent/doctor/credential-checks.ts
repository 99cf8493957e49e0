import {
  type AwsCredentialOptions,
  findAwsCredentials,
  loadAwsCredentials,
  sourceInWords,
} from '../upload/aws-credentials.ts';
import type { Credentials } from '../upload/credentials.ts';
import type { Check } from './check.ts';

export type CheckedCredentials = { checks: Check[]; credentials?: Credentials };

/** Finds what would be signed with, and assumes the role where one is set. */
export async function checkCredentials(
  options: AwsCredentialOptions,
  env: NodeJS.ProcessEnv,
): Promise<CheckedCredentials> {
  const found = await findCredentials(options, env);
  const { roleArn } = options;
  if (found.credentials === undefined || roleArn === undefined) return found;
  // What was found is used, so that a refusal is of the role and nothing else.
  const assumed = await assumeRole({ ...options, roleArn, keyPair: found.credentials });
  return { ...assumed, checks: [...found.checks, ...assumed.checks] };
}

async function findCredentials(
  options: AwsCredentialOptions,
  env: NodeJS.ProcessEnv,
): Promise<CheckedCredentials> {
  const { keyPair } = options;
  const source = keyPair === undefined ? sourceInWords(env) : `CINDERBLOCK_ACCESS_KEY_ID`;
  try {
    const credentials = await findAwsCredentials(options);
    const detail = `key ${credentials.accessKeyId} from ${source}${endOf(credentials)}`;
    return { checks: [{ name: 'credentials', status: 'ok', detail }], credentials };
  } catch (error) {
    const detail = `none from ${source}: ${messageOf(error)}`;
    return { checks: [{ name: 'credentials', status: 'failed', detail, remedy: remedyFor(env, error) }] };
  }
}

function remedyFor(env: NodeJS.ProcessEnv, error: unknown): string {
  if (env.AWS_WEB_IDENTITY_TOKEN_FILE) {
    return (error as Error).name === 'AccessDenied'
      ? `the trust policy of ${env.AWS_ROLE_ARN} must name this cluster's OIDC provider and service account`
      : 'the annotation eks.amazonaws.com/role-arn of the service account must name a role that is there, and STS be reachable';
  }
  if (env.AWS_CONTAINER_CREDENTIALS_FULL_URI) {
    return (
      'the EKS Pod Identity agent must run on this node, and the association must name this namespace and service ' +
      "account; the roles must trust it (sts:AssumeRole and sts:TagSession, the association's external id)"
    );
  }
  return (
    'set CINDERBLOCK_ACCESS_KEY_ID and CINDERBLOCK_SECRET_ACCESS_KEY, or deploy the Spoke stack and start the agent ' +
    'with its service account: "cluster add" printed both'
  );
}

async function assumeRole(options: AwsCredentialOptions & { roleArn: string }): Promise<CheckedCredentials> {
  const { roleArn } = options;
  try {
    const credentials = await loadAwsCredentials(options);
    const detail = `${roleArn}${endOf(credentials)}`;
    return { checks: [{ name: 'AssumeRole', status: 'ok', detail }], credentials };
  } catch (error) {
    const detail = `${roleArn}: ${messageOf(error)}`;
    const remedy =
      ASSUME_REMEDIES[(error as Error).name] ?? 'STS cannot be reached: let sts.<region>.amazonaws.com pass';
    const mayPass = ASSUME_REMEDIES[(error as Error).name] === undefined;
    return { checks: [{ name: 'AssumeRole', status: 'failed', detail, remedy, mayPass }] };
  }
}

const ASSUME_REMEDIES: Readonly<Record<string, string>> = {
  AccessDenied:
    'all of these look the same to STS: the role is not deployed yet (the ClusterAccess stack); its trust policy names ' +
    'another role than the one above or lacks sts:TagSession; the external id is another than CINDERBLOCK_EXTERNAL_ID; ' +
    'the organisation is another; or the role above may not call sts:AssumeRole on it',
  SignatureDoesNotMatch: 'the clock of this node is off by more than 5 minutes, or the secret is wrong',
  InvalidClientTokenId: 'the key is unknown to AWS, or of another partition',
  ExpiredToken: 'what was found has ended: whatever writes it must renew it',
  ExpiredTokenException: 'what was found has ended: whatever writes it must renew it',
  RegionDisabledException: 'STS is switched off in this region: set AWS_REGION to another',
  ValidationError:
    'CINDERBLOCK_ROLE_ARN or CINDERBLOCK_EXTERNAL_ID is no such thing: compare with "cluster add"',
};

function endOf({ expiration }: Credentials): string {
  return expiration === undefined ? '' : `, good until ${expiration.toISOString().slice(0, 19)}Z`;
}

function messageOf(error: unknown): string {
  const { name, message, code } = error as NodeJS.ErrnoException;
  const text = message || code || String(error);
  return name === 'Error' || text.startsWith(name) ? text : `${name}: ${text}`;
}

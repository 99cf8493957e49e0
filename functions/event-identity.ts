import { requireActiveCluster } from '../api/access/active-cluster.ts';
import type { Identity } from '../api/access/identity.ts';
import { RejectedError } from '../core/errors.ts';
import type { HttpEvent } from './http-event.ts';
import type { FunctionHub } from './open-hub.ts';

/** An assumed role, as the IAM authorizer names its caller: account, role, session. */
const ASSUMED_ROLE = /^arn:aws[a-z-]*:sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/;

/**
 * Who a request comes from, by what API Gateway verified and by nothing that the caller wrote: an agent by its
 * cluster's role, a person or tool by the answer of our authorizer.
 * @throws RejectedError 'unauthenticated' or 'forbidden'
 */
export async function identityOf(event: HttpEvent, { hub, rolePrefix }: FunctionHub): Promise<Identity> {
  const { iam, lambda } = event.requestContext.authorizer ?? {};
  if (iam) {
    const cluster = clusterOfRole(iam.userArn ?? '', event.requestContext.accountId, rolePrefix);
    await requireActiveCluster(hub.registry, cluster);
    return { kind: 'agent', cluster, contentSha256: signedHash(event) };
  }
  if (lambda) return tokenIdentity(lambda);
  return { kind: 'anonymous' };
}

/** Only roles that the hub made for clusters, in its own account: any other caller with a policy is none of ours. */
function clusterOfRole(userArn: string, account: string, rolePrefix: string): string {
  const [, roleAccount, role = ''] = ASSUMED_ROLE.exec(userArn) ?? [];
  const cluster = role.startsWith(rolePrefix) ? role.slice(rolePrefix.length) : '';
  if (cluster !== '' && roleAccount === account) return cluster;
  throw new RejectedError(
    'forbidden',
    `${userArn === '' ? 'the caller' : userArn} is not a session of a role ${rolePrefix}<cluster> of account ${account}`,
  );
}

/**
 * The hash of the body that the signature covers: the API checks the signature, and who reads the body compares it.
 * Absent where the signer sent none: then the API has hashed the body itself.
 */
function signedHash({ headers }: HttpEvent): string | undefined {
  const hash = headers['x-amz-content-sha256'];
  if (hash === undefined || /^[0-9a-f]{64}$/.test(hash)) return hash;
  throw new RejectedError('unauthenticated', 'x-amz-content-sha256 is not the SHA-256 of the body');
}

/** As functions/authorizer.ts answers: name, and scopes with spaces between them. */
function tokenIdentity({ name, scopes }: Record<string, unknown>): Identity {
  if (typeof name !== 'string' || typeof scopes !== 'string') {
    throw new RejectedError('unauthenticated', 'the authorizer did not say who calls');
  }
  return { kind: 'token', name, scopes: scopes.split(' ').filter((scope) => scope !== '') };
}

import { RejectedError } from '../../core/errors.ts';
import { type ApiToken, type IdentityRegistry, isRevoked } from '../../storage/registry.ts';
import { sha256Hex } from '../read-body.ts';
import { requireActiveCluster } from './active-cluster.ts';
import type { Identity } from './identity.ts';
import { parseAuthorization, SIGNING_ALGORITHM, verifySignature } from './sigv4.ts';

export interface Access {
  registry: IdentityRegistry;
  clock: () => number;
  /** Everybody may push and read; agents sign all the same. */
  open: boolean;
  /** On an open hub, everybody may administer it too: only where nobody but this machine's users reach it. */
  openAdmin?: boolean;
  /** A token that the host knows besides those of the registry. */
  hostToken?: ApiToken;
}

/** How a token is kept: the hash of what its owner sends. Tokens are long and random, so a plain hash is enough. */
export function hashToken(token: string): string {
  return sha256Hex(token);
}

/**
 * Who a request comes from, by its Authorization header: a signature, `Bearer <token>`, or `Basic` with the token as
 * password. An open hub takes senders of unknown tokens for anybody, since SDKs send what they were told.
 * @throws RejectedError('unauthenticated' or 'forbidden')
 */
export async function identify(request: Request, access: Access): Promise<Identity> {
  const header = request.headers.get('authorization') ?? '';
  if (header.startsWith(SIGNING_ALGORITHM)) return identifyAgent(request, header, access);
  const token = tokenOf(header);
  const known = token === undefined ? undefined : await findToken(token, access);
  if (known) return { kind: 'token', name: known.name, scopes: known.scopes };
  if (access.open) return { kind: 'open', mayAdminister: access.openAdmin === true };
  if (token !== undefined) throw new RejectedError('unauthenticated', 'the token is unknown or revoked');
  return { kind: 'anonymous' };
}

async function identifyAgent(
  request: Request,
  header: string,
  { registry, clock }: Access,
): Promise<Identity> {
  const claim = parseAuthorization(header);
  const credential = await registry.findCredential(claim.accessKeyId);
  // Unknown, revoked and wrong keys read alike: a guesser learns nothing.
  if (!credential || isRevoked(credential, clock())) {
    throw new RejectedError('unauthenticated', `access key ${claim.accessKeyId} is unknown or revoked`);
  }
  const contentSha256 = verifySignature(request, claim, credential.secret, clock());
  await requireActiveCluster(registry, credential.cluster);
  return { kind: 'agent', cluster: credential.cluster, contentSha256 };
}

async function findToken(
  token: string,
  { registry, clock, hostToken }: Access,
): Promise<ApiToken | undefined> {
  const hash = hashToken(token);
  if (hostToken?.tokenHash === hash) return hostToken;
  const known = await registry.findApiToken(hash);
  return known && !isRevoked(known, clock()) ? known : undefined;
}

/** Basic carries `user:token`; tools that know only a user name put the token there. */
function tokenOf(header: string): string | undefined {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+)$/i.exec(header) ?? [];
  if (scheme === undefined) return undefined;
  if (scheme.toLowerCase() === 'bearer') return value;
  const [user, ...password] = Buffer.from(value!, 'base64').toString('utf8').split(':');
  return password.join(':') || user || undefined;
}

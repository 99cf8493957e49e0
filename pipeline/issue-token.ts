import { RejectedError } from '../core/errors.ts';
import type { ApiToken } from '../storage/registry.ts';
import { presentCluster } from './get-cluster.ts';
import type { Hub } from './hub.ts';
import { randomText } from './new-access.ts';

/** What the tokens of this product begin with, so that scanners for leaked secrets know them. */
const TOKEN_MARK = 'cbt_';
const TOKEN_BYTES = 32;
const NAME_MAX = 100;
const SCOPES = ['query', 'ingest', 'admin', '*'];
const CLUSTER_SCOPE = 'cluster:';

export interface TokenRequest {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Undefined: until somebody revokes it. */
  readonly lifetimeMs?: number;
}

/**
 * Issues an API token. It is answered here and never again: the hub keeps its hash.
 * @param hash as those who let callers in compute it
 * @throws RejectedError 'invalid' for scopes that make no sense; 'not-found' for a cluster that is not there
 */
export async function issueToken(
  hub: Hub,
  { name, scopes, lifetimeMs }: TokenRequest,
  hash: (token: string) => string,
): Promise<{ token: string; info: ApiToken }> {
  if (name.trim() === '' || name.length > NAME_MAX) {
    refuse(`a token needs a name of 1 to ${NAME_MAX} characters, which says who uses it`);
  }
  await checkScopes(hub, scopes);
  if (lifetimeMs !== undefined && !(lifetimeMs > 0))
    refuse(`the lifetime is ${lifetimeMs} ms, it must be more`);
  const createdAt = hub.clock();
  const token = `${TOKEN_MARK}${randomText(TOKEN_BYTES)}`;
  const info: ApiToken = {
    tokenHash: hash(token),
    name: name.trim(),
    scopes: [...new Set(scopes)],
    createdAt,
  };
  if (lifetimeMs !== undefined) info.revokedAt = createdAt + lifetimeMs;
  await hub.registry.addApiToken(info);
  hub.telemetry.log('info', `API token ${info.name} was issued for ${info.scopes.join(', ')}`);
  return { token, info };
}

async function checkScopes(hub: Hub, scopes: readonly string[]): Promise<void> {
  const clusters = scopes.filter((scope) => scope.startsWith(CLUSTER_SCOPE));
  const unknown = scopes.find((scope) => !SCOPES.includes(scope) && !clusters.includes(scope));
  if (unknown !== undefined) {
    refuse(`there is no scope "${unknown}"; there are ${SCOPES.join(', ')} and cluster:<id>`);
  }
  if (scopes.length === clusters.length) refuse(`a token needs at least one scope of ${SCOPES.join(', ')}`);
  if (clusters.length === 0) return;
  if (clusters.length > 1) refuse('what is pushed with a token is of one cluster: give one cluster:<id>');
  if (!scopes.some((scope) => scope === 'ingest' || scope === '*')) {
    refuse(`${clusters[0]} says where pushes are filed: it needs the scope ingest beside it`);
  }
  await presentCluster(hub, clusters[0]!.slice(CLUSTER_SCOPE.length));
}

function refuse(message: string): never {
  throw new RejectedError('invalid', message);
}

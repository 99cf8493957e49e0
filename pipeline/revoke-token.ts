import { RejectedError } from '../core/errors.ts';
import { type ApiToken, isRevoked } from '../storage/registry.ts';
import type { Hub } from './hub.ts';

const ID_LENGTH = 12;

/** By what a token is named once nobody knows it any more: how its hash begins. */
export function tokenId({ tokenHash }: ApiToken): string {
  return tokenHash.slice(0, ID_LENGTH);
}

/**
 * Revokes a token, from the next request on.
 * @param idOrName a name only where one token in force has it
 * @throws RejectedError 'not-found'; 'invalid' when several are meant
 */
export async function revokeToken(hub: Hub, idOrName: string): Promise<ApiToken> {
  const now = hub.clock();
  const tokens = await hub.registry.listApiTokens();
  const byId = tokens.filter((token) => tokenId(token) === idOrName);
  const found = byId.length > 0 ? byId : tokens.filter(({ name }) => name === idOrName);
  const inForce = found.filter((token) => !isRevoked(token, now));
  const [token = found[0], ...others] = inForce;
  if (token === undefined)
    throw new RejectedError('not-found', `there is no token ${JSON.stringify(idOrName)}`);
  if (others.length > 0) {
    const ids = inForce.map(tokenId).join(', ');
    throw new RejectedError(
      'invalid',
      `several tokens are named ${JSON.stringify(idOrName)}: ${ids}; name one by its id`,
    );
  }
  if (await hub.registry.revokeApiToken(token.tokenHash, now)) {
    hub.telemetry.log('info', `API token ${token.name} was revoked`);
  }
  return { ...token, revokedAt: Math.min(token.revokedAt ?? now, now) };
}

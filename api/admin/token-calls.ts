import type { ServiceImpl } from '@connectrpc/connect';
import { issueToken } from '../../pipeline/issue-token.ts';
import { revokeToken, tokenId } from '../../pipeline/revoke-token.ts';
import type { ApiToken } from '../../storage/registry.ts';
import { hashToken } from '../access/identify.ts';
import { callOf } from '../connect-call.ts';
import type { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import { whole } from '../whole-number.ts';
import { keepSecret } from './cluster-calls.ts';

type TokenCalls = Pick<ServiceImpl<typeof AdminService>, 'issueToken' | 'listTokens' | 'revokeToken'>;

export const tokenCalls: TokenCalls = {
  async issueToken({ name, scopes, lifetimeMs }, context) {
    keepSecret(context);
    const request = { name, scopes, lifetimeMs: lifetimeMs === undefined ? undefined : Number(lifetimeMs) };
    const { token, info } = await issueToken(callOf(context).hub, request, hashToken);
    return { token, info: tokenFields(info) };
  },

  async listTokens(_request, context) {
    const { hub } = callOf(context);
    const tokens = await hub.registry.listApiTokens();
    return { tokens: tokens.map(tokenFields), nowMs: whole(hub.clock()) };
  },

  async revokeToken({ token }, context) {
    return { info: tokenFields(await revokeToken(callOf(context).hub, token)) };
  },
};

function tokenFields(token: ApiToken) {
  const { name, scopes, createdAt, revokedAt } = token;
  return {
    id: tokenId(token),
    name,
    scopes,
    createdAtMs: whole(createdAt),
    revokedAtMs: revokedAt === undefined ? undefined : whole(revokedAt),
  };
}

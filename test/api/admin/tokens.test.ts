import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashToken } from '../../../api/access/identify.ts';
import { type ApiUnderTest, type Json, NOW, openApi } from '../api-under-test.ts';

const ADMIN = 'admin-token-0123456789';

/** A guarded hub that knows one token, for administration alone. */
async function guarded(t: Parameters<typeof openApi>[0]): Promise<ApiUnderTest> {
  const api = await openApi(t, { open: false });
  const token = { tokenHash: hashToken(ADMIN), name: 'operator', scopes: ['admin'], createdAt: NOW };
  await api.hub.registry.addApiToken(token);
  return api;
}

async function call(api: ApiUnderTest, path: string, request: object, token?: string): Promise<Json> {
  const authorization = token && `Bearer ${token}`;
  const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
  const response = await api.send(path, { method: 'POST', headers, body: JSON.stringify(request) });
  return { status: response.status, ...((await response.json()) as object) };
}

const admin = (api: ApiUnderTest, method: string, request: object, token: string | undefined = ADMIN) =>
  call(api, `/cinderblock.v1.AdminService/${method}`, request, token);

const list = (api: ApiUnderTest, token: string) =>
  call(api, '/cinderblock.v1.QueryService/ListClusters', {}, token);

test('administration needs the scope admin', async (t) => {
  const api = await guarded(t);
  const anonymous = await call(api, '/cinderblock.v1.AdminService/ListTokens', {});
  assert.equal(anonymous.status, 401);
  const issue = async (name: string, scopes: string[]) =>
    (await admin(api, 'IssueToken', { name, scopes })).token;
  assert.equal((await admin(api, 'ListTokens', {}, await issue('reader', ['query', 'ingest']))).status, 403);
  assert.equal((await admin(api, 'ListTokens', {}, await issue('master', ['*']))).status, 200);
  assert.equal((await list(api, ADMIN)).status, 403, 'and the scope admin alone reads no profiles');
  const { clusters } = await admin(api, 'ListClusters', {});
  assert.deepEqual(
    clusters.map(({ id }: Json) => id),
    ['c', 'local'],
  );
});

test('an open hub is administered only where nobody else reaches it', async (t) => {
  const request = { name: 'x', scopes: ['query'] };
  const path = '/cinderblock.v1.AdminService/IssueToken';
  const reached = await (await openApi(t)).call(path, request);
  assert.equal(reached.status, 401);
  assert.match(reached.body.message, /needs an API token with the scope "admin".*has no token/);
  assert.equal((await (await openApi(t, { openAdmin: true })).call(path, request)).status, 200);
});

test('a token works from when it is issued until it is revoked, and is shown once', async (t) => {
  const api = await guarded(t);
  const { token, info } = await admin(api, 'IssueToken', { name: 'grafana', scopes: ['query', 'query'] });
  assert.match(token, /^cbt_[A-Za-z0-9_-]{43}$/);
  assert.partialDeepStrictEqual(info, { name: 'grafana', scopes: ['query'], createdAtMs: String(NOW) });
  assert.equal((await list(api, token)).status, 200);
  const listed = await admin(api, 'ListTokens', {});
  assert.deepEqual(listed.tokens.map(({ name }: Json) => name).sort(), ['grafana', 'operator']);
  assert.ok(!JSON.stringify(listed).includes(token));
  api.control.now = NOW + 5;
  const revoked = await admin(api, 'RevokeToken', { token: info.id });
  assert.equal(revoked.info.revokedAtMs, String(NOW + 5));
  assert.equal((await list(api, token)).status, 401);
});

test('a token with a lifetime ends by itself, and earlier when it is revoked', async (t) => {
  const api = await guarded(t);
  const request = { name: 'ci', scopes: ['query'], lifetimeMs: 1000 };
  const first = await admin(api, 'IssueToken', request);
  api.control.now = NOW + 999;
  assert.equal((await list(api, first.token)).status, 200);
  api.control.now = NOW + 1000;
  assert.equal((await list(api, first.token)).status, 401);
  const second = await admin(api, 'IssueToken', request);
  await admin(api, 'RevokeToken', { token: 'ci' });
  assert.equal((await list(api, second.token)).status, 401);
});

test('a token is revoked by name only where one is meant', async (t) => {
  const api = await guarded(t);
  const request = { name: 'ci', scopes: ['query'] };
  const { info } = await admin(api, 'IssueToken', request);
  await admin(api, 'IssueToken', request);
  const both = await admin(api, 'RevokeToken', { token: 'ci' });
  assert.equal(both.status, 400);
  assert.match(both.message, new RegExp(`several tokens are named "ci": .*${info.id}`));
  await admin(api, 'RevokeToken', { token: info.id });
  assert.equal((await admin(api, 'RevokeToken', { token: 'ci' })).status, 200);
  assert.equal((await admin(api, 'RevokeToken', { token: 'nope' })).status, 404);
});

test('scopes that make no sense are refused', async (t) => {
  const api = await guarded(t);
  for (const [scopes, status, message] of [
    [[], 400, /at least one scope/],
    [['read'], 400, /no scope "read"/],
    [['cluster:c'], 400, /at least one scope/],
    [['query', 'cluster:c'], 400, /needs the scope ingest/],
    [['ingest', 'cluster:c', 'cluster:local'], 400, /give one cluster/],
    [['ingest', 'cluster:nope'], 404, /no cluster "nope"/],
  ] as const) {
    const answer = await admin(api, 'IssueToken', { name: 'x', scopes });
    assert.equal(answer.status, status, scopes.join());
    assert.match(answer.message, message);
  }
  assert.equal((await admin(api, 'IssueToken', { name: ' ', scopes: ['query'] })).status, 400);
  assert.equal((await admin(api, 'IssueToken', { name: 'x', scopes: ['ingest', 'cluster:c'] })).status, 200);
});

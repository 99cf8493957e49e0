import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { hashToken } from '../../../api/access/identify.ts';
import { type ApiUnderTest, type Json, NOW, openApi } from '../api-under-test.ts';
import { pprofOf } from '../pprof-fixture.ts';

const TOKENS = {
  'reader-token-0123456789': ['query'],
  'writer-token-0123456789': ['ingest', 'cluster:edge'],
  'master-token-0123456789': ['*'],
};

async function guarded(t: TestContext): Promise<ApiUnderTest> {
  const api = await openApi(t, { open: false });
  await api.hub.registry.createCluster({
    cluster: 'edge',
    displayName: '',
    status: 'active',
    createdAt: NOW,
  });
  for (const [token, scopes] of Object.entries(TOKENS)) {
    await api.hub.registry.addApiToken({
      tokenHash: hashToken(token),
      name: scopes[0]!,
      scopes,
      createdAt: NOW,
    });
  }
  return api;
}

const READ = '/cinderblock.v1.QueryService/ListClusters';
const WRITE = '/ingest?name=shop&format=pprof';

function read(api: ApiUnderTest, authorization?: string): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
  return api.send(READ, { method: 'POST', headers, body: '{}' });
}

function write(api: ApiUnderTest, authorization?: string): Promise<Response> {
  const body = pprofOf({ stacks: { a: [1] }, timeMs: NOW - 60_000 });
  return api.send(WRITE, { method: 'POST', headers: authorization ? { authorization } : {}, body });
}

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

test('without a token everything but health is 401, with a challenge for browsers', async (t) => {
  const api = await guarded(t);
  for (const response of [await read(api), await write(api), await api.send('/v1/tree')]) {
    assert.equal(response.status, 401);
    assert.match(response.headers.get('www-authenticate')!, /^Basic realm=/);
    assert.equal(((await response.json()) as Json).code, 'unauthenticated');
  }
  assert.equal((await api.send('/healthz')).status, 200);
});

test('a token comes as Bearer, or as the password or user name of Basic', async (t) => {
  const api = await guarded(t);
  const token = 'reader-token-0123456789';
  const forms = [
    `Bearer ${token}`,
    `bearer  ${token}`,
    basic('grafana', token),
    basic('', token),
    basic(token, ''),
  ];
  for (const form of forms) assert.equal((await read(api, form)).status, 200, form);
});

test('scopes decide', async (t) => {
  const api = await guarded(t);
  const statuses = async (token: string) => [
    (await read(api, `Bearer ${token}`)).status,
    (await write(api, `Bearer ${token}`)).status,
  ];
  assert.deepEqual(await statuses('reader-token-0123456789'), [200, 403]);
  assert.deepEqual(await statuses('writer-token-0123456789'), [403, 200]);
  assert.deepEqual(await statuses('master-token-0123456789'), [200, 200]);
});

test('unknown, revoked and broken tokens are 401', async (t) => {
  const api = await guarded(t);
  await api.hub.registry.revokeApiToken(hashToken('reader-token-0123456789'), NOW);
  for (const form of [
    'Bearer reader-token-0123456789',
    'Bearer nonsense',
    basic('a', 'b'),
    'Basic !!!',
    'Basic Og==',
    'Digest x',
  ]) {
    assert.equal((await read(api, form)).status, 401, form);
  }
});

test('a pushing token files profiles under its cluster', async (t) => {
  const api = await guarded(t);
  await write(api, 'Bearer writer-token-0123456789');
  await api.process();
  const headers = { 'content-type': 'application/json', authorization: 'Bearer master-token-0123456789' };
  const body = JSON.stringify({ name: 'cluster', start: NOW - 3_600_000, end: NOW });
  const path = '/querier.v1.QuerierService/LabelValues';
  const response = await api.send(path, { method: 'POST', headers, body });
  assert.deepEqual(await response.json(), { names: ['edge'] });
});

test('an open hub takes whatever SDKs were told to send', async (t) => {
  const api = await openApi(t);
  for (const form of [undefined, 'Bearer anything', basic('user', 'password')]) {
    assert.equal((await write(api, form)).status, 200);
    assert.equal((await read(api, form)).status, 200);
  }
});

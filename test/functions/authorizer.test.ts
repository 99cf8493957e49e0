import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { hashToken } from '../../api/access/identify.ts';
import { authorizerHandler } from '../../functions/authorizer.ts';
import { personTokens } from '../../functions/person-tokens.ts';
import { NOW } from '../pipeline/fixtures.ts';
import { contextOf, openFunctionHub } from './function-events.ts';

const CLIENT = 'page-client';

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An issuer of OpenID Connect on loopback: its configuration, its keys, and tokens signed with them. */
async function openIssuer(t: TestContext) {
  const keys = new Map<string, KeyObject>();
  const published: object[] = [];
  const requests: string[] = [];
  const state = { down: false };
  const addKey = (kid: string, publish = true) => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    keys.set(kid, privateKey);
    if (publish) published.push({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' });
  };
  addKey('k1');
  const server = createServer((request, response) => {
    requests.push(request.url!);
    if (state.down) return response.writeHead(500).end();
    const isKeys = request.url === '/realm/keys';
    const configuration = { issuer, jwks_uri: `${issuer}/keys` };
    response.end(JSON.stringify(isKeys ? { keys: published } : configuration));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realm`;
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: CLIENT, sub: 'u-1', email: 'ada@example.org', iat: now, exp: now + 600 };
  const token = (changes: object = {}, kid = 'k1', header: object = {}) => {
    const signed = `${base64url({ alg: 'RS256', typ: 'JWT', kid, ...header })}.${base64url({ ...claims, ...changes })}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), keys.get(kid)!).toString('base64url')}`;
  };
  return { issuer, token, addKey, requests, state };
}

async function openAuthorizer(t: TestContext) {
  const { hub, control, counts, flushes, open } = await openFunctionHub(t);
  const issuer = await openIssuer(t);
  const verifyPerson = personTokens({
    ...{ issuer: issuer.issuer, clientId: CLIENT, groupsClaim: 'cognito:groups', adminGroup: 'admins' },
  });
  const gate = { registry: hub.registry, clock: hub.clock, telemetry: open().telemetry, verifyPerson };
  const handler = authorizerHandler(() => gate);
  const ask = (authorization?: string) => handler(authorizerEvent(authorization), contextOf());
  return { ...issuer, ask, hub, control, counts, flushes };
}

/** As an HTTP API asks with payload format 2.0. */
function authorizerEvent(authorization: string | undefined) {
  return {
    version: '2.0',
    type: 'REQUEST',
    routeArn: 'arn:aws:execute-api:eu-central-1:111111111111:abc123/$default/GET/v1/tree',
    identitySource: authorization === undefined ? [] : [authorization],
    routeKey: 'GET /{path+}',
    rawPath: '/v1/tree',
    headers: { host: 'abc123.execute-api.eu-central-1.amazonaws.com', authorization },
  };
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const DENIED = { isAuthorized: false };

test('an API token lets in, as Bearer or as password, with its scopes', async (t) => {
  const { ask, hub, counts, flushes } = await openAuthorizer(t);
  const token = {
    tokenHash: hashToken('secret-1'),
    name: 'grafana',
    scopes: ['query', 'cluster:c'],
    createdAt: NOW,
  };
  await hub.registry.addApiToken(token);
  const allowed = { isAuthorized: true, context: { name: 'grafana', scopes: 'query cluster:c' } };
  assert.deepEqual(await ask('Bearer secret-1'), allowed);
  assert.deepEqual(await ask(basic('anyone:secret-1')), allowed);
  assert.deepEqual([counts.get('authorizer_requests_total'), flushes.count], [2, 2]);
});

test('an unknown token, a revoked one, and anything else is refused', async (t) => {
  const { ask, hub, counts } = await openAuthorizer(t);
  const tokenHash = hashToken('secret-1');
  await hub.registry.addApiToken({ tokenHash, name: 'old', scopes: ['*'], createdAt: NOW });
  await hub.registry.revokeApiToken(tokenHash, NOW);
  const headers = [
    undefined,
    '',
    'Bearer',
    'Bearer secret-1',
    'Bearer other',
    basic('x:'),
    'Digest username="x"',
    'AWS4-HMAC-SHA256 Credential=AK/20231114/local/execute-api/aws4_request, SignedHeaders=host, Signature=00',
    'Bearer bad\u0000token',
  ];
  for (const header of headers) assert.deepEqual(await ask(header), DENIED, String(header));
  assert.equal(counts.get('authorizer_refusals_total'), headers.length);
});

test('a person who signed in may query; one of the group may administer', async (t) => {
  const { ask, token } = await openAuthorizer(t);
  const person = { isAuthorized: true, context: { name: 'ada@example.org', scopes: 'query' } };
  assert.deepEqual(await ask(`Bearer ${token()}`), person);
  assert.deepEqual(await ask(`Bearer ${token({ 'cognito:groups': ['others'] })}`), person);
  const admin = await ask(`Bearer ${token({ 'cognito:groups': ['others', 'admins'] })}`);
  assert.equal(admin.context?.scopes, 'query admin');
});

test('access tokens of Cognito name the client instead of an audience', async (t) => {
  const { ask, token } = await openAuthorizer(t);
  const access = { aud: undefined, token_use: 'access', email: undefined, username: 'ada' };
  const allowed = await ask(`Bearer ${token({ ...access, client_id: CLIENT })}`);
  assert.deepEqual(allowed.context, { name: 'ada', scopes: 'query' });
  assert.deepEqual(await ask(`Bearer ${token({ ...access, client_id: 'other' })}`), DENIED);
  assert.deepEqual(await ask(`Bearer ${token(access)}`), DENIED);
});

test('a token that is expired, early, of another issuer or audience, or not signed as it says is refused', async (t) => {
  const { ask, token, addKey } = await openAuthorizer(t);
  addKey('private', false);
  const now = Math.floor(Date.now() / 1000);
  const whole = token();
  const [header, , signature] = whole.split('.');
  const forged = base64url({
    iss: 'x',
    aud: CLIENT,
    sub: 'root',
    'cognito:groups': ['admins'],
    exp: now + 600,
  });
  const refused = {
    expired: token({ exp: now - 10 }),
    early: token({ nbf: now + 600 }),
    'other issuer': token({ iss: 'https://evil.example' }),
    'other audience': token({ aud: 'other' }),
    'audiences without ours': token({ aud: ['other', 'more'] }),
    'no audience at all': token({ aud: undefined }),
    'other claims': `${header}.${forged}.${signature}`,
    'no signature': `${base64url({ alg: 'none' })}.${forged}.x`,
    'unknown key': token({}, 'private'),
    'other algorithm': token({}, 'k1', { alg: 'HS256' }),
    'not JSON': 'eyJ.eyJ.xx',
  };
  for (const [what, jwt] of Object.entries(refused))
    assert.deepEqual(await ask(`Bearer ${jwt}`), DENIED, what);
  assert.equal((await ask(`Bearer ${whole}`)).isAuthorized, true);
  assert.equal((await ask(`Bearer ${token({ aud: ['other', CLIENT] })}`)).isAuthorized, true);
});

test('keys are fetched once, and again when the issuer has a new one', async (t) => {
  const { ask, token, addKey, requests } = await openAuthorizer(t);
  for (let i = 0; i < 5; i++) assert.equal((await ask(`Bearer ${token()}`)).isAuthorized, true);
  assert.deepEqual(requests, ['/realm/.well-known/openid-configuration', '/realm/keys']);
  addKey('k2');
  assert.equal((await ask(`Bearer ${token({}, 'k2')}`)).isAuthorized, true);
  assert.equal(requests.length, 3);
});

test('an issuer that does not answer is trouble, not a refusal, and tools do not need it', async (t) => {
  const { ask, token, hub, state } = await openAuthorizer(t);
  state.down = true;
  await assert.rejects(ask(`Bearer ${token()}`), /openid-configuration: HTTP status 500/);
  const tokenHash = hashToken('secret-1');
  await hub.registry.addApiToken({ tokenHash, name: 'tool', scopes: ['query'], createdAt: NOW });
  assert.equal((await ask('Bearer secret-1')).isAuthorized, true);
  state.down = false;
  assert.equal((await ask(`Bearer ${token()}`)).isAuthorized, true);
});

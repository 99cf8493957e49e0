import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localAgentCredential } from '../../server/local-cluster.ts';
import { openServer } from './server-under-test.ts';

const LIST = '/cinderblock.v1.AdminService/ListTokens';

function post(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url + LIST, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{}',
  });
}

test('a server on loopback is administered from this machine, but not by pages of other sites', async (t) => {
  const { url } = await openServer(t);
  assert.equal((await post(url)).status, 200);
  assert.equal((await post(url, { origin: url })).status, 200);
  const foreign = { origin: 'https://evil.example' };
  assert.equal((await post(url, foreign)).status, 403);
  assert.equal((await post(url, { 'sec-fetch-site': 'cross-site' })).status, 403);
});

test('a server that others can reach is administered by token only', async (t) => {
  const token = 'a-token-of-24-characters';
  const open = await openServer(t, { host: '0.0.0.0', anyHostName: true });
  assert.equal((await post(open.url)).status, 401);
  const guarded = await openServer(t, { host: '0.0.0.0', token });
  assert.equal((await post(guarded.url)).status, 401);
  assert.equal((await post(guarded.url, { authorization: `Bearer ${token}` })).status, 200);
  const foreign = { authorization: `Bearer ${token}`, origin: 'https://evil.example' };
  assert.equal((await post(guarded.url, foreign)).status, 403);
});

test("this machine's agent gets a new key when its own is replaced", async (t) => {
  const { hub } = await openServer(t);
  const { registry } = hub;
  const first = await localAgentCredential(registry, hub.clock());
  assert.deepEqual(await localAgentCredential(registry, hub.clock()), first);
  await registry.revokeCredential(first.accessKeyId, hub.clock() + 3_600_000);
  const second = await localAgentCredential(registry, hub.clock());
  assert.notEqual(second.accessKeyId, first.accessKeyId);
  assert.equal((await registry.findCredential(second.accessKeyId))?.revokedAt, undefined);
});

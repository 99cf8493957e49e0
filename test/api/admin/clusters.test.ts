import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ClusterAccess } from '../../../pipeline/hub.ts';
import { batchOf } from '../../pipeline/fixtures.ts';
import { type ApiUnderTest, type Json, NOW, openApi } from '../api-under-test.ts';
import { signedRequest } from '../signed-request.ts';

const HOUR = 3_600_000;
const ROLES: ClusterAccess = {
  kind: 'role',
  account: '111111111111',
  region: 'eu-central-1',
  rolePrefix: 'cinderblock-prod-cluster-',
  ingestUrl: 'https://abc.execute-api.eu-central-1.amazonaws.com',
};

interface Admin extends ApiUnderTest {
  /** A call that must go through. */
  admin(method: string, request: object): Promise<Json>;
  refuses(method: string, request: object, status: number, message: RegExp): Promise<void>;
}

async function openAdmin(t: TestContext, access?: ClusterAccess): Promise<Admin> {
  const api = await openApi(t, { openAdmin: true, access });
  const call = (method: string, request: object) =>
    api.call(`/cinderblock.v1.AdminService/${method}`, request);
  return {
    ...api,
    async admin(method, request) {
      const { status, body } = await call(method, request);
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    },
    async refuses(method, request, status, message) {
      const answer = await call(method, request);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.match(answer.body.message, message);
    },
  };
}

let sequence = 0;

/** The status with which the hub answers a batch that is signed with a key pair. */
async function sent(api: Admin, cluster: string, pair: Json): Promise<number> {
  const path = `/v1/clusters/${cluster}/batches`;
  const bytes = new Uint8Array(batchOf(++sequence, [{ service: 'shop', stacks: { 'a;b': 3 } }], { cluster }));
  const key = { accessKeyId: pair.accessKeyId, secret: pair.secretAccessKey, at: api.hub.clock() };
  return (await api.send(path, await signedRequest(`http://127.0.0.1:4040${path}`, bytes, key))).status;
}

test('a cluster that is added gets in with the key pair that is shown once', async (t) => {
  const api = await openAdmin(t);
  const { status, body, headers } = await api.call('/cinderblock.v1.AdminService/AddCluster', {
    cluster: 'edge',
    displayName: ' The edge ',
  });
  assert.equal(status, 200);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(body.addedAtMs, String(NOW));
  assert.equal(await sent(api, 'edge', body.keyPair), 202);
  const details = await api.admin('GetCluster', { cluster: 'edge' });
  assert.partialDeepStrictEqual(details, { displayName: 'The edge', status: 'active', agents: [] });
  assert.deepEqual(
    details.accessKeys.map(({ accessKeyId }: Json) => accessKeyId),
    [body.keyPair.accessKeyId],
  );
  assert.ok(!JSON.stringify(details).includes(body.keyPair.secretAccessKey));
  assert.ok(!JSON.stringify(api.control.logs).includes(body.keyPair.secretAccessKey));
});

test('a name that is taken or cannot be one is refused', async (t) => {
  const api = await openAdmin(t);
  await api.admin('AddCluster', { cluster: 'edge' });
  await api.refuses('AddCluster', { cluster: 'edge' }, 400, /exists already; "rotate"/);
  for (const cluster of ['', 'a/b', '..', 'a b', 'x'.repeat(129)]) {
    await api.refuses('AddCluster', { cluster }, 400, /characters of A-Z/);
  }
  for (const method of ['GetCluster', 'RotateCluster', 'DisableCluster', 'EnableCluster', 'RemoveCluster']) {
    await api.refuses(method, { cluster: 'nope' }, 404, /no cluster "nope"/);
  }
});

test('a rotated key pair stops after the grace, the new one goes on', async (t) => {
  const api = await openAdmin(t);
  const { keyPair: old } = await api.admin('AddCluster', { cluster: 'edge' });
  const { keyPair: fresh, oldUntilMs } = await api.admin('RotateCluster', { cluster: 'edge' });
  assert.equal(oldUntilMs, String(NOW + 24 * HOUR));
  assert.deepEqual([await sent(api, 'edge', old), await sent(api, 'edge', fresh)], [202, 202]);
  api.control.now = NOW + 24 * HOUR - 1;
  assert.equal(await sent(api, 'edge', old), 202);
  api.control.now = NOW + 24 * HOUR;
  assert.deepEqual([await sent(api, 'edge', old), await sent(api, 'edge', fresh)], [401, 202]);
});

test('a grace of none, and the end of a rotation, stop what was replaced at once', async (t) => {
  const api = await openAdmin(t);
  const { keyPair: first } = await api.admin('AddCluster', { cluster: 'edge' });
  const { keyPair: second, oldUntilMs } = await api.admin('RotateCluster', { cluster: 'edge', graceMs: 0 });
  assert.equal(oldUntilMs, undefined);
  assert.deepEqual([await sent(api, 'edge', first), await sent(api, 'edge', second)], [401, 202]);
  const { keyPair: third } = await api.admin('RotateCluster', { cluster: 'edge', graceMs: HOUR });
  assert.deepEqual([await sent(api, 'edge', second), await sent(api, 'edge', third)], [202, 202]);
  const finished = await api.admin('RotateCluster', { cluster: 'edge', finish: true });
  assert.equal(finished.keyPair, undefined);
  assert.deepEqual([await sent(api, 'edge', second), await sent(api, 'edge', third)], [401, 202]);
  await api.refuses('RotateCluster', { cluster: 'edge', graceMs: -1 }, 400, /0 to 30 days/);
});

test('a disabled cluster is refused at the next request, and an enabled one is not', async (t) => {
  const api = await openAdmin(t);
  const { keyPair } = await api.admin('AddCluster', { cluster: 'edge' });
  await api.admin('DisableCluster', { cluster: 'edge' });
  assert.equal(await sent(api, 'edge', keyPair), 403);
  await api.admin('EnableCluster', { cluster: 'edge' });
  assert.equal(await sent(api, 'edge', keyPair), 202);
});

test('a removed cluster has no access, its profiles stay, and it may be added with fresh access', async (t) => {
  const api = await openAdmin(t);
  const { keyPair: first } = await api.admin('AddCluster', { cluster: 'edge' });
  const { keyPair: second } = await api.admin('RotateCluster', { cluster: 'edge' });
  assert.equal(await sent(api, 'edge', first), 202);
  await api.process();
  assert.deepEqual(await api.admin('RemoveCluster', { cluster: 'edge' }), { revokedKeys: 2 });
  assert.deepEqual([await sent(api, 'edge', first), await sent(api, 'edge', second)], [401, 401]);
  assert.deepEqual(await api.admin('RemoveCluster', { cluster: 'edge' }), { revokedKeys: 0 });
  for (const method of ['EnableCluster', 'DisableCluster', 'RotateCluster']) {
    await api.refuses(method, { cluster: 'edge' }, 404, /was removed; "add" gives it fresh access/);
  }
  const range = { start: NOW - HOUR, end: NOW + HOUR };
  const { body } = await api.call('/cinderblock.v1.QueryService/ListServices', range);
  assert.deepEqual(body.services[0].clusters, ['edge']);
  const { keyPair: fresh } = await api.admin('AddCluster', { cluster: 'edge', displayName: 'Again' });
  const keys = [first, second, fresh];
  assert.deepEqual(await Promise.all(keys.map((key) => sent(api, 'edge', key))), [401, 401, 202]);
  assert.equal((await api.admin('GetCluster', { cluster: 'edge' })).displayName, 'Again');
});

test('a key that is issued while its cluster is removed stays without access when the cluster comes back', async (t) => {
  const api = await openAdmin(t);
  await api.admin('AddCluster', { cluster: 'edge' });
  await api.admin('RemoveCluster', { cluster: 'edge' });
  const late = { accessKeyId: 'LATE', secret: 's', cluster: 'edge', createdAt: NOW };
  await api.hub.registry.addCredential(late);
  const pair = { accessKeyId: 'LATE', secretAccessKey: 's' };
  assert.equal(await sent(api, 'edge', pair), 403);
  await api.admin('AddCluster', { cluster: 'edge' });
  assert.equal(await sent(api, 'edge', pair), 401);
});

test('where clusters have roles, an external id is given instead of a key', async (t) => {
  const api = await openAdmin(t, ROLES);
  const { role, keyPair } = await api.admin('AddCluster', { cluster: 'prod-eu-1' });
  assert.equal(keyPair, undefined);
  assert.partialDeepStrictEqual(role, {
    roleArn: 'arn:aws:iam::111111111111:role/cinderblock-prod-cluster-prod-eu-1',
    ingestUrl: 'https://abc.execute-api.eu-central-1.amazonaws.com',
    region: 'eu-central-1',
    account: '111111111111',
  });
  assert.match(role.externalIds[0], /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const long = 'x'.repeat(40);
  await api.refuses('AddCluster', { cluster: long }, 400, /has 40 characters, at most 39 fit/);
  assert.deepEqual((await api.admin('GetCluster', { cluster: 'prod-eu-1' })).role, role);
});

test('a rotated external id comes first, and the one before it stays until the rotation ends', async (t) => {
  const api = await openAdmin(t, ROLES);
  const idsAfter = async (method: string, request: object = {}) =>
    (await api.admin(method, { cluster: 'c2', ...request })).role.externalIds;
  const [first] = await idsAfter('AddCluster');
  const [second, ...kept] = await idsAfter('RotateCluster');
  assert.deepEqual(kept, [first]);
  assert.notEqual(second, first);
  const [third, ...keptAgain] = await idsAfter('RotateCluster');
  assert.deepEqual(keptAgain, [second]);
  assert.deepEqual(await idsAfter('RotateCluster', { finish: true }), [third]);
  assert.deepEqual(await idsAfter('RotateCluster', { finish: true }), [third]);
  const [fourth, ...none] = await idsAfter('RotateCluster', { graceMs: 0 });
  assert.deepEqual(none, []);
  await api.admin('RemoveCluster', { cluster: 'c2' });
  const [fresh, ...more] = await idsAfter('AddCluster');
  assert.ok(![first, second, third, fourth].includes(fresh));
  assert.deepEqual(more, []);
});

test('what a cluster lost is told for as many hours as are asked for', async (t) => {
  const api = await openAdmin(t);
  const { keyPair } = await api.admin('AddCluster', { cluster: 'edge' });
  await sent(api, 'edge', keyPair);
  const { loss } = await api.admin('GetCluster', { cluster: 'edge' });
  assert.deepEqual(
    loss.map(({ taken }: Json) => taken),
    ['1'],
  );
  assert.deepEqual((await api.admin('GetCluster', { cluster: 'edge', lossHours: 0 })).loss, []);
  await api.refuses('GetCluster', { cluster: 'edge', lossHours: 73 }, 400, /at most 72 are told/);
});

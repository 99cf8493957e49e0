import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { signedRequest } from '../api/signed-request.ts';
import { batchOf } from '../pipeline/fixtures.ts';
import { openServer } from './server-under-test.ts';

// What the threat model says of agents, shown on a running server over HTTP. The same cases run against the deployed
// functions in the deploy lane.

interface KeyPair {
  accessKeyId: string;
  secretAccessKey: string;
}

/** A server with the clusters a and b, each with a key pair. */
async function twoClusters(t: TestContext) {
  const server = await openServer(t);
  const { url, hub } = server;
  async function call(service: string, request: object) {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/${service}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(request),
    });
    return (await response.json()) as { keyPair: KeyPair; flamegraph?: { total: string } };
  }
  const admin = (method: string, request: object) => call(`cinderblock.v1.AdminService/${method}`, request);
  const [a, b] = await Promise.all(
    ['a', 'b'].map(async (cluster) => (await admin('AddCluster', { cluster })).keyPair),
  );
  /** A batch of three samples, signed by a pair for the path of a cluster. */
  async function signedBatch(pair: KeyPair, cluster: string, { sequence = 1, at = Date.now() } = {}) {
    const startMs = Math.floor(Date.now() / 10_000) * 10_000 - 60_000;
    const rows = [{ service: 'shop', stacks: { 'main;work': 3 }, start: startMs }];
    const window = { firstWindow: startMs, lastWindow: startMs + 10_000 };
    const bytes = new Uint8Array(batchOf(sequence, rows, { cluster, ...window }));
    const path = `${url}/v1/clusters/${cluster}/batches`;
    const key = { accessKeyId: pair.accessKeyId, secret: pair.secretAccessKey, at };
    return { path, init: await signedRequest(path, bytes, key) };
  }
  async function send({ path, init }: Awaited<ReturnType<typeof signedBatch>>) {
    const response = await fetch(path, init);
    return { status: response.status, said: ((await response.json()) as { message?: string }).message ?? '' };
  }
  /** Samples that a query finds once all that was taken is stored. */
  async function stored(): Promise<string> {
    await server.process();
    const answer = await call('querier.v1.QuerierService/SelectMergeStacktraces', {
      profileTypeID: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      labelSelector: '{}',
      start: Date.now() - 3_600_000,
      end: Date.now(),
    });
    return answer.flamegraph?.total ?? '0';
  }
  return { hub, admin, a: a!, b: b!, signedBatch, send, stored };
}

test('a batch that cluster a signs for the path of cluster b is refused', async (t) => {
  const { a, signedBatch, send, stored } = await twoClusters(t);
  const { status, said } = await send(await signedBatch(a, 'b'));
  assert.deepEqual([status, said], [403, 'the key is of cluster a, the path of b']);
  assert.equal(await stored(), '0');
});

test('a body that was changed on the way is refused', async (t) => {
  const { a, signedBatch, send, stored } = await twoClusters(t);
  const { path, init } = await signedBatch(a, 'a');
  const body = new Uint8Array(init.body as Uint8Array<ArrayBuffer>);
  body[body.length - 1]! ^= 1;
  const { status, said } = await send({ path, init: { ...init, body } });
  assert.deepEqual([status, said], [401, 'the body is not the one that was signed']);
  assert.equal(await stored(), '0');
});

test('a signature that is older than 5 minutes is refused, and one from the future', async (t) => {
  const { a, signedBatch, send, stored } = await twoClusters(t);
  for (const skewMs of [-6 * 60_000, 6 * 60_000]) {
    const { status, said } = await send(await signedBatch(a, 'a', { at: Date.now() + skewMs }));
    assert.equal(status, 401);
    assert.match(said, /(before|after) the hub's clock .*; at most 300 s are allowed/);
  }
  assert.equal(await stored(), '0');
});

test('a replay is answered as a duplicate, and counted once', async (t) => {
  const { a, signedBatch, send, stored } = await twoClusters(t);
  const batch = await signedBatch(a, 'a');
  for (let i = 0; i < 3; i++) assert.equal((await send(batch)).status, 202);
  assert.equal(await stored(), '3');
  assert.equal((await send(batch)).status, 202);
  assert.equal(await stored(), '3');
});

test('a cluster that is disabled, rotated or removed is refused from the next request on; others go on', async (t) => {
  const { admin, a, b, signedBatch, send, stored } = await twoClusters(t);
  const status = async (pair: KeyPair, cluster: string, sequence: number) =>
    (await send(await signedBatch(pair, cluster, { sequence }))).status;
  assert.equal(await status(a, 'a', 1), 202);
  await admin('DisableCluster', { cluster: 'a' });
  assert.equal(await status(a, 'a', 2), 403);
  await admin('EnableCluster', { cluster: 'a' });
  const { keyPair: fresh } = await admin('RotateCluster', { cluster: 'a', graceMs: 0 });
  assert.deepEqual([await status(a, 'a', 2), await status(fresh, 'a', 2)], [401, 202]);
  await admin('RemoveCluster', { cluster: 'a' });
  assert.deepEqual([await status(fresh, 'a', 3), await status(b, 'b', 1)], [401, 202]);
  assert.equal(await stored(), '9');
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { RetryableError } from '../../core/errors.ts';
import { ingestHandler } from '../../functions/ingest.ts';
import { pprofOf } from '../api/pprof-fixture.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import {
  ACCOUNT,
  agentOf,
  callerWith,
  contextOf,
  type EventOptions,
  httpEvent,
  iamCaller,
  json,
  openFunctionHub,
  ROLE_PREFIX,
} from './function-events.ts';

const batch = batchOf(1, [{ stacks: { main: 7 }, samples: 7 }]);
const BATCHES = '/v1/clusters/c/batches';

async function openIngest(t: Parameters<typeof openFunctionHub>[0]) {
  const under = await openFunctionHub(t);
  const handler = ingestHandler(under.open);
  const send = (url: string, options: EventOptions) => handler(httpEvent(url, options), contextOf());
  return { ...under, send };
}

test('a signed batch is queued and acknowledged; a second time it is a duplicate', async (t) => {
  const { send, hub, counts, flushes } = await openIngest(t);
  const headers = { 'content-type': 'application/vnd.cinderblock.batch' };
  const first = await send(BATCHES, { body: batch, headers, authorizer: agentOf('c') });
  assert.equal(first.statusCode, 202);
  assert.deepEqual(json(first), { batchId: 'c/n/b/1', duplicate: false });
  assert.equal(first.headers.date, new Date(NOW).toUTCString());
  const again = await send(BATCHES, { body: batch, headers, authorizer: agentOf('c') });
  assert.equal(json(again).duplicate, true);
  const received = await hub.queue.receive({ max: 10, visibilityMs: 1000 });
  assert.deepEqual(
    received.map(({ message }) => [message.cluster, message.payload?.length]),
    [
      ['c', batch.length],
      ['c', batch.length],
    ],
  );
  assert.equal(counts.get('ingest_batches_total'), 2);
  assert.equal(flushes.count, 2, 'one flush per invocation');
});

test('a heartbeat is noted', async (t) => {
  const { send, hub } = await openIngest(t);
  const body = JSON.stringify({
    node: 'n',
    bootId: 'b',
    version: '1',
    engine: 'perf',
    counters: { taken: 1 },
  });
  const result = await send('/v1/clusters/c/heartbeat', { body, authorizer: agentOf('c') });
  assert.deepEqual([result.statusCode, json(result).nowMs], [200, NOW]);
  assert.equal((await hub.registry.listAgents('c')).length, 1);
});

test('the role says which cluster it is: others are refused, whatever path and payload say', async (t) => {
  const { send, hub } = await openIngest(t);
  await hub.registry.createCluster({ cluster: 'd', displayName: 'd', status: 'active', createdAt: NOW });
  const foreignPath = await send(BATCHES, { body: batch, authorizer: agentOf('d') });
  assert.equal(foreignPath.statusCode, 403);
  assert.match(json(foreignPath).message, /of cluster d, the path of c/);
  const foreignPayload = await send('/v1/clusters/d/batches', { body: batch, authorizer: agentOf('d') });
  assert.equal(foreignPayload.statusCode, 403);
  assert.match(json(foreignPayload).message, /the batch is of cluster c, its sender of d/);
  assert.equal((await hub.queue.depth()).visible, 0);
});

test('a caller that is no session of a cluster role of this account is refused', async (t) => {
  const { send, hub } = await openIngest(t);
  const arns = [
    null,
    '',
    `arn:aws:iam::${ACCOUNT}:user/c`,
    `arn:aws:iam::${ACCOUNT}:root`,
    `arn:aws:iam::${ACCOUNT}:role/${ROLE_PREFIX}c`,
    `arn:aws:sts::${ACCOUNT}:assumed-role/admin/c`,
    `arn:aws:sts::${ACCOUNT}:assumed-role/other-${ROLE_PREFIX}c/s`,
    `arn:aws:sts::${ACCOUNT}:assumed-role/${ROLE_PREFIX}/s`,
    `arn:aws:sts::${ACCOUNT}:assumed-role/${ROLE_PREFIX}c`,
    `arn:aws:sts::${ACCOUNT}:assumed-role/x/${ROLE_PREFIX}c/s`,
    `arn:aws:sts::${ACCOUNT}:federated-user/${ROLE_PREFIX}c/s`,
    `arn:aws:sts::222222222222:assumed-role/${ROLE_PREFIX}c/s`,
    `arn:aws:sts::${ACCOUNT}:assumed-role/${ROLE_PREFIX}c/s\narn:aws:sts::${ACCOUNT}:assumed-role/${ROLE_PREFIX}c/s`,
  ];
  for (const arn of arns) {
    const result = await send(BATCHES, { body: batch, authorizer: iamCaller(arn) });
    assert.equal(result.statusCode, 403, String(arn));
    assert.match(json(result).message, /is not a session of a role|is unknown/, String(arn));
  }
  assert.equal((await hub.queue.depth()).visible, 0);
});

test('disabling a cluster takes effect with the next request, and an unknown one never gets in', async (t) => {
  const { send, hub } = await openIngest(t);
  await hub.registry.setClusterStatus('c', 'disabled');
  const heartbeat = { body: '{}', authorizer: agentOf('c') };
  for (const result of [
    await send(BATCHES, { body: batch, authorizer: agentOf('c') }),
    await send('/v1/clusters/c/heartbeat', heartbeat),
  ]) {
    assert.equal(result.statusCode, 403);
    assert.match(json(result).message, /cluster c is disabled/);
  }
  await hub.registry.setClusterStatus('c', 'active');
  assert.equal((await send(BATCHES, { body: batch, authorizer: agentOf('c') })).statusCode, 202);
  const unknown = await send('/v1/clusters/x/batches', { body: batch, authorizer: agentOf('x') });
  assert.match(json(unknown).message, /cluster x is unknown/);
});

test('another body than the signed one is refused', async (t) => {
  const { send, hub } = await openIngest(t);
  const hash = createHash('sha256').update(batch).digest('hex');
  const signed = { headers: { 'x-amz-content-sha256': hash }, authorizer: agentOf('c') };
  const tampered = batchOf(2, [{ stacks: { main: 9 } }]);
  assert.equal((await send(BATCHES, { ...signed, body: tampered })).statusCode, 401);
  const unsigned = { headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }, authorizer: agentOf('c') };
  assert.equal((await send(BATCHES, { ...unsigned, body: batch })).statusCode, 401);
  assert.equal((await hub.queue.depth()).visible, 0);
  assert.equal((await send(BATCHES, { ...signed, body: batch })).statusCode, 202);
});

test('nobody gets in without an authorizer, by a token, or by what the headers claim', async (t) => {
  const { send } = await openIngest(t);
  const headers = {
    authorization: 'AWS4-HMAC-SHA256 Credential=x/20261122/eu-central-1/execute-api/aws4_request',
  };
  assert.equal((await send(BATCHES, { body: batch, headers })).statusCode, 401);
  assert.equal((await send(BATCHES, { body: batch, authorizer: callerWith('*') })).statusCode, 401);
  assert.equal((await send(BATCHES, { body: batch, authorizer: { lambda: { name: 'x' } } })).statusCode, 401);
  assert.equal((await send('/ingest?name=shop', { body: batch, headers })).statusCode, 401);
});

test('pushes come with a token that may push, and are filed under its cluster', async (t) => {
  const { send, hub } = await openIngest(t);
  const url = '/ingest?name=shop&format=pprof';
  const body = pprofOf({ stacks: { 'main;work': [5] } });
  const refused = await send(url, { body, authorizer: callerWith('query') });
  assert.equal(refused.statusCode, 403);
  const taken = await send(url, { body, authorizer: callerWith('ingest cluster:edge') });
  assert.equal(taken.statusCode, 200, taken.body);
  const [received] = await hub.queue.receive({ max: 10, visibilityMs: 1000 });
  assert.equal(received?.message.cluster, 'edge');
});

test('it serves its own routes and no others', async (t) => {
  const { send } = await openIngest(t);
  const authorizer = callerWith('*');
  for (const [method, path] of [
    ['GET', '/v1/tree'],
    ['GET', '/healthz'],
    ['POST', '/querier.v1.QuerierService/ProfileTypes'],
    ['POST', '/cinderblock.v1.AdminService/ListTokens'],
  ] as const) {
    assert.equal((await send(path, { method, authorizer })).statusCode, 404, path);
  }
  assert.equal((await send(BATCHES, { method: 'GET', authorizer: agentOf('c') })).statusCode, 405);
});

test('a broken batch is the sender’s fault, trouble with storage is not', async (t) => {
  const { send, hub } = await openIngest(t);
  const broken = await send(BATCHES, { body: batch.slice(0, 50), authorizer: agentOf('c') });
  assert.equal(broken.statusCode, 400);
  hub.queue.send = () => Promise.reject(new RetryableError('throttled', { retryAfterSeconds: 3 }));
  const later = await send(BATCHES, { body: batch, authorizer: agentOf('c') });
  assert.deepEqual([later.statusCode, later.headers['retry-after']], [503, '3']);
});

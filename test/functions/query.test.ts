import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { TREE_CONTENT_TYPE } from '../../api/query/tree-route.ts';
import { RetryableError } from '../../core/errors.ts';
import { queryHandler } from '../../functions/query.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import {
  agentOf,
  bodyBytes,
  callerWith,
  contextOf,
  type EventOptions,
  httpEvent,
  json,
  openFunctionHub,
} from './function-events.ts';

async function openQuery(t: Parameters<typeof openFunctionHub>[0]) {
  const under = await openFunctionHub(t);
  const handler = queryHandler(under.open);
  await ingestBatch(under.hub, {
    cluster: 'c',
    bytes: batchOf(1, [{ stacks: { 'main;work': 7 }, samples: 7 }]),
  });
  await processBatches(under.hub);
  const send = (url: string, options: EventOptions = {}) => handler(httpEvent(url, options), contextOf());
  return { ...under, send };
}

const SELECTION = new URLSearchParams({
  profile_type: CPU,
  selector: '{service_name="shop"}',
  start: String(NOW - 3_600_000),
  end: String(NOW),
});

test('health is public, all else is not', async (t) => {
  const { send } = await openQuery(t);
  const health = await send('/healthz', { method: 'GET' });
  assert.deepEqual([health.statusCode, json(health).status, json(health).version], [200, 'ok', 'unbundled']);
  assert.equal((await send(`/v1/tree?${SELECTION}`, { method: 'GET' })).statusCode, 401);
  assert.equal((await send('/querier.v1.QuerierService/ProfileTypes', { body: '{}' })).statusCode, 401);
});

test('a token with the scope reads; one without, and agents, do not', async (t) => {
  const { send } = await openQuery(t);
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ start: NOW - 3_600_000, end: NOW });
  const url = '/querier.v1.QuerierService/ProfileTypes';
  const read = await send(url, { body, headers, authorizer: callerWith('query') });
  assert.equal(read.statusCode, 200, read.body);
  assert.deepEqual(
    json(read).profileTypes.map(({ ID }: { ID: string }) => ID),
    [CPU],
  );
  assert.equal((await send(url, { body, headers, authorizer: callerWith('ingest') })).statusCode, 403);
  assert.equal((await send(url, { body, headers, authorizer: callerWith('') })).statusCode, 403);
  assert.equal((await send(url, { body, headers, authorizer: agentOf('c') })).statusCode, 403);
});

test('a tree is bytes, gzipped for who takes it', async (t) => {
  const { send } = await openQuery(t);
  const authorizer = callerWith('query');
  const plain = await send(`/v1/tree?${SELECTION}`, { method: 'GET', authorizer });
  assert.deepEqual(
    [plain.statusCode, plain.isBase64Encoded, plain.headers['content-type']],
    [200, true, TREE_CONTENT_TYPE],
  );
  const headers = { 'accept-encoding': 'gzip, br' };
  const zipped = await send(`/v1/tree?${SELECTION}`, { method: 'GET', authorizer, headers });
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  assert.deepEqual(gunzipSync(bodyBytes(zipped)), bodyBytes(plain));
});

test('a request that cannot be one is refused, not an error of the function', async (t) => {
  const { send } = await openQuery(t);
  const odd = await send('/healthz', { method: 'GET', headers: { 'x-odd': 'a\u0000b' } });
  assert.deepEqual([odd.statusCode, json(odd).code], [400, 'invalid_argument']);
});

test('when time is up the caller learns what to ask instead', async (t) => {
  const { hub, open, flushes } = await openQuery(t);
  const never = Promise.withResolvers<never>();
  hub.queue.depth = () => never.promise;
  const result = await queryHandler(open)(httpEvent('/healthz', { method: 'GET' }), contextOf(530));
  assert.deepEqual([result.statusCode, json(result).code, flushes.count], [504, 'deadline_exceeded', 1]);
  never.reject(new RetryableError('the test ends'));
});

test('it takes nothing in and administers nothing', async (t) => {
  const { send } = await openQuery(t);
  for (const path of ['/ingest', '/v1/clusters/c/batches', '/cinderblock.v1.AdminService/ListTokens']) {
    assert.equal((await send(path, { body: '{}', authorizer: callerWith('*') })).statusCode, 404, path);
  }
});

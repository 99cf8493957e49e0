import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allRoutes } from '../../api/all-routes.ts';
import { createApi } from '../../api/router.ts';
import { CorruptBlockError, RejectedError, RetryableError } from '../../core/errors.ts';
import { type Json, openApi } from './api-under-test.ts';

test('health says what it is, and asks the storage', async (t) => {
  const api = await openApi(t);
  const health = (await (await api.send('/healthz')).json()) as Json;
  assert.partialDeepStrictEqual(health, { status: 'ok', version: '1.2.3', queue: { waiting: 0, dead: 0 } });
  api.hub.queue.depth = () => Promise.reject(new RetryableError('the disk is gone'));
  assert.equal((await api.send('/healthz')).status, 503);
});

test('every error has one shape, on every route', async (t) => {
  const api = await openApi(t);
  const causes: [Error, number, string, string | null][] = [
    [
      new RejectedError('rate-limited', 'slow down', { retryAfterSeconds: 7 }),
      429,
      'resource_exhausted',
      '7',
    ],
    [new RejectedError('too-large', 'too much'), 413, 'resource_exhausted', null],
    [new RejectedError('not-found', 'gone'), 404, 'not_found', null],
    [new RetryableError('later', { retryAfterSeconds: 0.2 }), 503, 'unavailable', '1'],
    [new CorruptBlockError('b1', 'samples', 'checksum'), 500, 'data_loss', null],
    [new TypeError('secret detail'), 500, 'internal', null],
  ];
  for (const [cause, status, code, retryAfter] of causes) {
    api.hub.registry.listClusters = () => Promise.reject(cause);
    const rpc = await api.call('/cinderblock.v1.QueryService/ListClusters', {});
    // Connect has its own status for resource_exhausted.
    assert.deepEqual([rpc.status, rpc.body.code], [code === 'resource_exhausted' ? 429 : status, code]);
    assert.equal(rpc.headers.get('retry-after'), retryAfter, code);
    api.hub.queue.depth = () => Promise.reject(cause);
    const plain = await api.send('/healthz');
    const body = (await plain.json()) as Json;
    assert.deepEqual([plain.status, body.code, plain.headers.get('retry-after')], [status, code, retryAfter]);
    assert.ok(!body.message.includes('secret') && !rpc.body.message.includes('secret'));
  }
  assert.equal(api.control.logs.filter((line) => line.includes('secret detail')).length, 2);
});

test('everything answers below a prefix, and without it', async (t) => {
  const { hub } = await openApi(t);
  const api = createApi(hub, allRoutes(hub, '1'), { pathPrefix: '/profiles/' });
  const context = { identify: async () => ({ kind: 'open' }) as const };
  const status = async (path: string) => (await api.handle(new Request(`http://x${path}`), context)).status;
  assert.equal(await status('/profiles/healthz'), 200);
  assert.equal(await status('/healthz'), 200);
  assert.equal(await status('/profileshealthz'), 404);
  assert.equal(await status('/profiles/v1/tree'), 400);
  assert.ok(api.has('/profiles/ingest') && api.has('/v1/clusters/a%2Fb/batches'));
  assert.ok(
    !api.has('/profiles/') && !api.has('/v1/clusters//batches') && !api.has('/v1/clusters/%/batches'),
  );
});

test('HEAD is GET, other methods are named', async (t) => {
  const api = await openApi(t);
  assert.equal((await api.send('/healthz', { method: 'HEAD' })).status, 200);
  const response = await api.send('/healthz', { method: 'DELETE' });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get('allow'), 'GET');
});

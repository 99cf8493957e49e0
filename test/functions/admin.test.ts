import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminHandler } from '../../functions/admin.ts';
import { ingestHandler } from '../../functions/ingest.ts';
import { processorHandler } from '../../functions/processor.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import {
  ACCOUNT,
  agentOf,
  callerWith,
  contextOf,
  httpEvent,
  json,
  openFunctionHub,
  ROLE_PREFIX,
  sqsEvent,
} from './function-events.ts';

async function openAdmin(t: Parameters<typeof openFunctionHub>[0]) {
  const under = await openFunctionHub(t);
  const handler = adminHandler(under.open);
  const headers = { 'content-type': 'application/json' };
  const call = (method: string, body: object, scopes = 'query admin') => {
    const options = { body: JSON.stringify(body), headers, authorizer: callerWith(scopes) };
    return handler(httpEvent(`/cinderblock.v1.AdminService/${method}`, options), contextOf());
  };
  return { ...under, handler, call };
}

test('only administrators administer', async (t) => {
  const { call, handler } = await openAdmin(t);
  assert.equal((await call('ListTokens', {}, 'query ingest')).statusCode, 403);
  const agent = { body: '{}', authorizer: agentOf('c') };
  assert.equal(
    (await handler(httpEvent('/cinderblock.v1.AdminService/ListTokens', agent), contextOf())).statusCode,
    403,
  );
  assert.equal(
    (await handler(httpEvent('/cinderblock.v1.AdminService/ListTokens', { body: '{}' }), contextOf()))
      .statusCode,
    401,
  );
  assert.equal((await call('ListTokens', {})).statusCode, 200);
  const query = httpEvent('/querier.v1.QuerierService/ProfileTypes', {
    body: '{}',
    authorizer: callerWith('*'),
  });
  assert.equal((await handler(query, contextOf())).statusCode, 404);
});

test('blocks are not merged, dropped or swept from here: what schedules do is refused, and nothing changes', async (t) => {
  const { call, hub, control } = await openAdmin(t);
  for (let i = 1; i <= 4; i++) {
    const start = NOW - 3 * 3_600_000;
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(i, [{ stacks: { main: i }, start }]) });
    await processBatches(hub);
  }
  const planned = json(await call('PlanCompaction', {}));
  assert.equal(planned.jobs.length, 1);
  const before = await hub.objects.list('', { limit: 1000 });
  const refused = async (method: string) => {
    const { statusCode, body } = await call(method, {});
    assert.equal(statusCode, 400, `${method}: ${body}`);
    assert.match(body, /on AWS, schedules merge, drop and sweep blocks by themselves/);
  };
  await refused('RunCompaction');
  control.now = NOW + 500 * 24 * 3_600_000;
  assert.equal(json(await call('ApplyRetention', { dryRun: true })).expiredBlocks, '4');
  await refused('ApplyRetention');
  await hub.objects.put('blocks/default/0/orphan.block', Uint8Array.of(1));
  control.now = Date.now() + 500 * 24 * 3_600_000;
  assert.equal(json(await call('SweepOrphans', { dryRun: true })).orphanCount, '1');
  await refused('SweepOrphans');
  assert.equal((await hub.objects.list('', { limit: 1000 })).length, before.length + 1);
  const { counts, quarantined } = json(await call('GetCompactionStatus', {}));
  assert.deepEqual([counts[0].blocks, quarantined], ['4', []]);
});

test('a cluster that is added names the role that its agents take, and gets in; disabled, it does not', async (t) => {
  const { call, open } = await openAdmin(t);
  const added = await call('AddCluster', { cluster: 'edge' });
  assert.equal(added.statusCode, 200, added.body);
  const { roleArn, ingestUrl } = json(added).role;
  assert.equal(roleArn, `arn:aws:iam::${ACCOUNT}:role/${ROLE_PREFIX}edge`);
  assert.equal(ingestUrl, 'https://abc123.execute-api.eu-central-1.amazonaws.com');
  const heartbeat = () =>
    ingestHandler(open)(
      httpEvent('/v1/clusters/edge/heartbeat', {
        body: JSON.stringify({ node: 'n', bootId: 'b', version: '1', engine: 'perf' }),
        authorizer: agentOf('edge'),
      }),
      contextOf(),
    );
  assert.equal((await heartbeat()).statusCode, 200);
  assert.equal((await call('DisableCluster', { cluster: 'edge' })).statusCode, 200);
  assert.equal((await heartbeat()).statusCode, 403);
});

test('what the processor set aside is listed with its reason, and goes back to the queue', async (t) => {
  const { call, open, hub } = await openAdmin(t);
  const payload = batchOf(1, [{ stacks: { main: 1 } }]).slice(0, 40);
  const message = { batchId: 'c/n/b/1', tenant: 'default', cluster: 'c', receivedAt: NOW, payload };
  await processorHandler(open)(sqsEvent([message]), contextOf());
  const { batches } = json(await call('ListQuarantine', {}));
  assert.equal(batches.length, 1);
  assert.match(batches[0].reason, /^CorruptBlockError/);
  assert.equal((await call('RequeueQuarantined', { id: batches[0].id })).statusCode, 200);
  assert.equal((await hub.queue.depth()).visible, 1);
  assert.deepEqual(json(await call('ListQuarantine', {})).batches, []);
});

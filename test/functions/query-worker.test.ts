import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { functionWorkers } from '../../functions/function-workers.ts';
import { openQueryHub } from '../../functions/query-hub.ts';
import { openWorker, queryWorkerHandler } from '../../functions/query-worker.ts';
import type { Hub } from '../../pipeline/hub.ts';
import type { QueryShare, ShareSum } from '../../pipeline/query-workers.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { encodeShare } from '../../pipeline/share-codec.ts';
import { queryWorkersContract } from '../contracts/query-workers.contract.ts';
import { CPU, codec } from '../core/block/fixtures.ts';
import { NOW } from '../pipeline/fixtures.ts';
import { publishRows } from '../pipeline/fleet-history.ts';
import { contextOf, openFunctionHub } from './function-events.ts';
import { invokedWorkers } from './invoked-workers.ts';

queryWorkersContract('invocations of a function', async (t) => {
  const { hub, open } = await openFunctionHub(t);
  return { hub, workers: invokedWorkers(open) };
});

const START = NOW - 3_600_000;

/** Four blocks that a hub shares with one worker, and what it counts. */
async function openSharing(t: TestContext, invoke: (event: string) => Promise<string>) {
  const under = await openFunctionHub(t);
  for (let i = 0; i < 4; i++) {
    const row = { service: 'shop', pod: 'p', start: START + i * 10_000, duration: 10_000, samples: 1 };
    await publishRows(under.hub, [{ ...row, batch: `c/n/b/${i}`, stacks: { main: 10_000_000 } }]);
  }
  const settings = { ...under.hub.settings, queryFanOutBytes: 1 };
  const hub: Hub = { ...under.hub, settings, queryWorkers: functionWorkers(1, invoke, codec) };
  return { ...under, sharing: hub };
}

const totalOf = async (hub: Hub) =>
  (await selectTree(hub, { profileType: CPU, selector: '{}', start: START, end: NOW })).total;

const EMPTY_SHARE: QueryShare = {
  ...{ detail: 'names', matchers: [], profileType: CPU, blocks: [], tombstones: [], scale: 1 },
  shared: new Set(),
};
const eventOf = (share: QueryShare) => ({ share: Buffer.from(encodeShare(share, codec)).toString('base64') });

for (const [what, invoke, message] of [
  ['cannot be invoked', () => Promise.reject(new Error('AccessDeniedException')), /AccessDeniedException/],
  ['answers no JSON', async () => 'upstream error', /is not an object of JSON/],
  ['answers null', async () => 'null', /is not an object of JSON/],
  ['answers an error', async () => '{"errorMessage":"x"}', /has no sum/],
  ['answers what is no sum', async () => '{"sum":"AAAA"}', /needs 4 more bytes/],
] as [string, () => Promise<string>, RegExp][]) {
  test(`when a worker ${what}, who asked reads its share`, async (t) => {
    const { sharing, counts, control } = await openSharing(t, invoke);
    assert.equal(await totalOf(sharing), 40_000_000n);
    assert.equal(counts.get('query_shares_total'), 1);
    assert.equal(counts.get('query_failed_shares_total'), 1);
    assert.equal(counts.get('query_oversized_shares_total'), undefined);
    assert.match(control.logs.join(' '), message);
  });
}

test('a sum that does not fit is read by who asked, is counted, and is no failure of the function', async (t) => {
  const under = await openFunctionHub(t);
  const answer = { tooLarge: 'share sum.bytesMax is 4500000 bytes, this has 5000000' };
  const { sharing, counts } = await openSharing(t, async () => JSON.stringify(answer));
  assert.equal(await totalOf(sharing), 40_000_000n);
  assert.equal(counts.get('query_oversized_shares_total'), 1);
  const bigCodec = { ...codec, compress: () => new Uint8Array(5_000_000) };
  const open = () => ({ ...under.open(), hub: { ...under.hub, codec: bigCodec } });
  const result = await queryWorkerHandler(open)(eventOf(EMPTY_SHARE), contextOf());
  assert.match(result.tooLarge!, /^share sum\.bytesMax is 4500000 bytes, this has 5000016;/);
  assert.equal(under.counts.get('worker_oversized_sums_total'), 1);
});

test('a share with as many names as fit no event is not sent', async () => {
  let seed = 1;
  const name = () =>
    Array.from({ length: 200 }, () => ((seed = (seed * 48271) % 2147483647) % 36).toString(36)).join('');
  const invoke = () => assert.fail('was invoked');
  const workers = functionWorkers(1, invoke, codec);
  const shared = new Set(Array.from({ length: 40_000 }, name));
  await assert.rejects(workers.sum({ ...EMPTY_SHARE, shared }), /query share\.bytesMax is 4500000 bytes/);
});

test('a worker reads blocks of its own tenant, whatever the share says', async (t) => {
  const { hub, open } = await openFunctionHub(t);
  const shares: QueryShare[] = [];
  const workers = {
    count: 1,
    sum: async (share: QueryShare): Promise<ShareSum> => {
      shares.push(share);
      throw new Error('noted');
    },
  };
  const { sharing } = await openSharing(t, async () => '');
  await totalOf({ ...sharing, queryWorkers: workers });
  const read: string[] = [];
  const objects = new Proxy(hub.objects, {
    get:
      (target, property) =>
      (key: string, ...rest: unknown[]) => {
        read.push(key);
        return Reflect.get(target, property).call(target, key, ...rest);
      },
  });
  const own = () => ({ ...open(), hub: { ...hub, objects, tenant: 'mine' } });
  const { reading } = await invokedWorkers(own).sum(shares[0]!);
  assert.ok(read.length > 0);
  for (const key of read) assert.match(key, /^blocks\/mine\/0\/[\w-]+\.block$/);
  assert.equal(reading.missingBlocks, read.length);
});

test('a worker gives up before its time is up, and says so', async (t) => {
  const { hub, open } = await openFunctionHub(t);
  for (const left of [900, 5000]) {
    const event = eventOf({ ...EMPTY_SHARE, blocks: await plannedBlocks(hub) });
    const answer = queryWorkerHandler(open)(event, contextOf(left));
    if (left < 1000) await assert.rejects(answer, /not done within/);
    else assert.equal(typeof (await answer).sum, 'string');
  }
});

async function plannedBlocks(hub: Hub): Promise<QueryShare['blocks']> {
  const row = { service: 'shop', pod: 'p', start: START, duration: 10_000, samples: 1, batch: 'c/n/b/1' };
  await publishRows(hub, [{ ...row, stacks: { main: 1 } }]);
  const rows = await hub.catalog.find({ tenant: hub.tenant, from: START, until: NOW });
  const spans = [{ start: START, end: NOW }];
  return rows.map((one) => ({ row: one, services: new Set(['shop']), spans, except: new Set<string>() }));
}

test('what is no event ends the invocation as malformed', async (t) => {
  const { open, flushes } = await openFunctionHub(t);
  const handler = queryWorkerHandler(open);
  for (const event of [{}, { share: 1 }, { share: 'AAAA' }, { share: '' }])
    await assert.rejects(handler(event as { share: string }, contextOf()), { name: 'MalformedInputError' });
  assert.equal(flushes.count, 4);
});

test('the query function has workers where it is told of them, and none where not', () => {
  const variables = {
    AWS_REGION: 'eu-central-1',
    ...{ CINDERBLOCK_BUCKET: 'b', CINDERBLOCK_TABLE: 't', CINDERBLOCK_QUEUE_URL: 'https://sqs/q' },
    ...{ CINDERBLOCK_DEAD_LETTER_URL: 'https://sqs/d', CINDERBLOCK_MAX_RECEIVES: '5' },
    ...{ CINDERBLOCK_TENANT: 'default', CINDERBLOCK_STAGE: 'prod', CINDERBLOCK_CLUSTER_ROLE_PREFIX: 'p-' },
  };
  assert.equal(openQueryHub(variables).hub.queryWorkers, undefined);
  const workers = { CINDERBLOCK_QUERY_WORKERS: '4', CINDERBLOCK_QUERY_WORKER_FUNCTION: 'arn:aws:lambda:w' };
  const { hub } = openQueryHub({ ...variables, ...workers });
  assert.equal(hub.queryWorkers?.count, 4);
  assert.equal(hub.settings.queryFanOutBytes, openQueryHub(variables).hub.settings.queryFanOutBytes);
  const bytes = { CINDERBLOCK_QUERY_FAN_OUT_BYTES: '1000' };
  assert.equal(openQueryHub({ ...variables, ...workers, ...bytes }).hub.settings.queryFanOutBytes, 1000);
  const { CINDERBLOCK_BUCKET, CINDERBLOCK_TENANT, CINDERBLOCK_STAGE } = variables;
  const few = { AWS_REGION: 'eu-central-1', CINDERBLOCK_BUCKET, CINDERBLOCK_TENANT, CINDERBLOCK_STAGE };
  assert.equal(openWorker(few).hub.tenant, 'default');
  assert.throws(
    () => openWorker({ AWS_REGION: 'eu-central-1' }),
    /lacks CINDERBLOCK_BUCKET, CINDERBLOCK_TENANT/,
  );
});

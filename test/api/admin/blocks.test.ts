import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ingestBatch } from '../../../pipeline/ingest-batch.ts';
import { openBlockOf } from '../../../pipeline/open-block.ts';
import type { BlockRow } from '../../../storage/block-catalog.ts';
import { blockKey } from '../../../storage/names.ts';
import { batchOf } from '../../pipeline/fixtures.ts';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';

const HOUR = 3_600_000;
const METHODS = [
  ...['QuarantineBlock', 'ListQuarantinedBlocks', 'RestoreBlock', 'DiscardBlock', 'RewriteBlock'],
  'ListBlockRewrites',
];

const path = (method: string) => `/cinderblock.v1.AdminService/${method}`;

async function openWithBlock(t: Parameters<typeof openApi>[0]) {
  const api = await openApi(t, { openAdmin: true });
  const rows = ['cart', 'shop'].map((service) => ({ service, stacks: { main: 5 }, samples: 5 }));
  await ingestBatch(api.hub, { cluster: 'c', bytes: batchOf(1, rows) });
  await api.process();
  const [row] = await api.hub.catalog.find({ tenant: api.hub.tenant, from: 0, until: NOW + HOUR });
  const admin = async (method: string, request: object): Promise<Json> => {
    const { status, body } = await api.call(path(method), request);
    assert.equal(status, 200, `${method}: ${JSON.stringify(body)}`);
    return body;
  };
  return { api, admin, row: row! };
}

async function completenessOf(api: ApiUnderTest): Promise<Json> {
  const request = { start: NOW - HOUR, end: NOW + HOUR, maxPoints: 10, profileType: CPU, selector: '{}' };
  return (await api.call('/cinderblock.v1.QueryService/SelectTimeline', request)).body.completeness;
}

/** Flips a bit of the series of a service. */
async function damage(api: ApiUnderTest, row: BlockRow, service: string): Promise<void> {
  const key = blockKey(row.tenant, row.level, row.blockId);
  const bytes = (await api.hub.objects.get(key))!;
  const { directory } = await openBlockOf(api.hub, row);
  bytes[directory.datasets.find((one) => one.service === service)!.seriesSection.offset]! ^= 1;
  await api.hub.objects.delete(key);
  await api.hub.objects.put(key, bytes);
}

test('single blocks are changed by administrators alone', async (t) => {
  const api = await openApi(t);
  for (const method of METHODS) assert.equal((await api.call(path(method), {})).status, 401, method);
});

test('a block goes to quarantine with its reason, is listed, put back, and given up', async (t) => {
  const { api, admin, row } = await openWithBlock(t);
  const { blockId } = row;
  const sound = await api.call(path('QuarantineBlock'), { blockId });
  assert.deepEqual([sound.status, sound.body.code], [400, 'invalid_argument']);
  const dry = await admin('QuarantineBlock', { blockId, reason: 'test', dryRun: true });
  assert.deepEqual([dry.block.reason, (await completenessOf(api)).complete], ['test', true]);
  const { block } = await admin('QuarantineBlock', { blockId, reason: 'test' });
  assert.deepEqual(block, {
    ...{ blockId, level: 0, resolutionSeconds: 0, services: ['cart', 'shop'], reason: 'test' },
    ...{ minTime: String(row.minTime), maxTime: String(row.maxTime), bytes: String(row.size) },
    quarantinedAtMs: String(NOW),
  });
  const lacking = await completenessOf(api);
  assert.deepEqual([lacking.complete, lacking.asideBlocks], [false, 1]);
  assert.deepEqual((await admin('ListQuarantinedBlocks', {})).blocks, [block]);
  assert.deepEqual(await admin('RestoreBlock', { blockId }), { problem: '', replaced: [] });
  assert.equal((await completenessOf(api)).complete, true);
  const back = await api.call(path('RestoreBlock'), { blockId });
  assert.deepEqual([back.status, back.body.code], [404, 'not_found']);
  await damage(api, row, 'cart');
  assert.match((await admin('QuarantineBlock', { blockId })).block.reason, /series of cart.*checksum/);
  assert.equal((await admin('DiscardBlock', { blockId, dryRun: true })).block.blockId, blockId);
  assert.match((await admin('RestoreBlock', { blockId })).problem, /checksum/);
  await admin('QuarantineBlock', { blockId });
  await admin('DiscardBlock', { blockId });
  assert.deepEqual((await admin('ListQuarantinedBlocks', {})).blocks, []);
  assert.equal((await api.call(path('QuarantineBlock'), { blockId })).status, 404);
  const long = await api.call(path('QuarantineBlock'), { blockId, reason: 'x'.repeat(501) });
  assert.match(long.body.message, /has 501 characters, the limit is 500/);
});

test('a rewrite is a wish that the next plan does, and says what it lost', async (t) => {
  const { api, admin, row } = await openWithBlock(t);
  const { blockId } = row;
  await damage(api, row, 'cart');
  const dry = await admin('RewriteBlock', { blockId, salvage: true, dryRun: true });
  assert.equal(dry.rewrite.lost[0].service, 'cart');
  const asked = (await admin('RewriteBlock', { blockId, salvage: true })).rewrite;
  assert.deepEqual([asked.doneAtMs, asked.newBlockId], [undefined, '']);
  const [job] = (await admin('PlanCompaction', {})).jobs;
  assert.deepEqual([job.step, job.blockIds], ['copy', [blockId]]);
  assert.equal((await admin('RunCompaction', {})).jobs, '1');
  const [done] = (await admin('ListBlockRewrites', {})).rewrites;
  const { problem, ...lost } = done.lost[0];
  assert.match(problem, /checksum/);
  assert.deepEqual(lost, {
    ...{ service: 'cart', profileType: CPU, rows: '1', samples: '5' },
    ...{ total: dry.rewrite.lost[0].total, minTime: dry.rewrite.lost[0].minTime },
    maxTime: dry.rewrite.lost[0].maxTime,
  });
  assert.deepEqual([done.requestedAtMs, done.doneAtMs, done.problem], [asked.requestedAtMs, String(NOW), '']);
  const [left] = (await admin('ListBlocks', {})).blocks;
  assert.deepEqual([left.blockId, left.services, left.samples], [done.newBlockId, ['shop'], '5']);
  assert.deepEqual((await admin('RestoreBlock', { blockId })).replaced, [done.newBlockId]);
  await admin('RewriteBlock', { blockId });
  await admin('RunCompaction', {});
  const [failed] = (await admin('ListBlockRewrites', {})).rewrites;
  assert.deepEqual([failed.damaged, /checksum/.test(failed.problem), failed.newBlockId], [true, true, '']);
});

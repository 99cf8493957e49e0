import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import * as query from '../../../api/gen/cinderblock/v1/query_pb.js';
import { decodeTree } from '../../../core/flamegraph/tree-codec.ts';
import { CPU, type Json, NOW, openApi } from '../api-under-test.ts';
import { pprofOf } from '../pprof-fixture.ts';

const SERVICE = '/cinderblock.v1.QueryService';
const RANGE = { start: NOW - 3_600_000, end: NOW };

test('ListServices names services with their types, times and clusters', async (t) => {
  const api = await openApi(t);
  await api.push('shop', pprofOf({ stacks: { a: [1] }, timeMs: NOW - 60_000, durationMs: 10_000 }));
  const { body } = await api.call(`${SERVICE}/ListServices`, RANGE);
  assert.deepEqual(body.services, [
    {
      name: 'shop',
      profileTypes: [CPU],
      firstSeenMs: String(NOW - 60_000),
      lastSeenMs: String(NOW - 50_000),
      clusters: ['local'],
    },
  ]);
  assert.deepEqual((await api.call(`${SERVICE}/ListServices`, { start: '1', end: '2' })).body, {
    services: [],
  });
});

test('SelectTimeline: buckets at multiples of the step, the unit, and every field of the completeness', async (t) => {
  const api = await openApi(t);
  await api.push('shop', pprofOf({ stacks: { a: [6] }, timeMs: NOW - 60_000, durationMs: 10_000 }));
  const request = { profileType: CPU, selector: '{service_name="shop"}', ...RANGE, maxPoints: 60 };
  const { body } = await api.call(`${SERVICE}/SelectTimeline`, request);
  assert.equal(body.stepMs, '60000');
  assert.equal(body.unit, 'nanoseconds');
  assert.deepEqual(body.points, [
    {
      ...{ timeMs: String(NOW - 60_000), value: 6, samples: body.points[0].samples },
      ...{ windows: '1', least: 6, most: 6 },
    },
  ]);
  assert.deepEqual(Object.keys(body.completeness).sort(), [
    ...[
      'asideBlocks',
      'blocksRead',
      'bytesRead',
      'complete',
      'corruptBlocks',
      'coveredMs',
      'lagMs',
      'missingBlocks',
      'notes',
    ],
    ...['resolutionSeconds', 'samples', 'samplesLost'],
  ]);
  assert.equal(typeof body.completeness.lagMs, 'number');
  assert.equal(body.completeness.coveredMs, 10_000);
  const none = await api.call(`${SERVICE}/SelectTimeline`, { ...request, selector: '{service_name="x"}' });
  assert.deepEqual(none.body.points, []);
  for (const maxPoints of [0, 1_000_000]) {
    assert.equal((await api.call(`${SERVICE}/SelectTimeline`, { ...request, maxPoints })).status, 400);
  }
});

test('an answer cut at queryBytesMax says where to go on, in every form', async (t) => {
  const api = await openApi(t, { settings: { queryBytesMax: 1 } });
  for (const timeMs of [NOW - 1_800_000, NOW - 60_000])
    await api.push('shop', pprofOf({ stacks: { a: [6] }, timeMs, durationMs: 10_000 }));
  const request = { profileType: CPU, selector: '{service_name="shop"}', ...RANGE, maxPoints: 60 };
  const ask = async (end: number) =>
    (await api.call(`${SERVICE}/SelectTimeline`, { ...request, end })).body as Json;
  const newest = await ask(RANGE.end);
  const { complete, continueBefore } = newest.completeness;
  assert.equal(complete, false);
  assert.ok(continueBefore > NOW - 1_800_000 && continueBefore <= NOW - 60_000, String(continueBefore));
  assert.equal(newest.points.length, 1);
  const older = await ask(continueBefore);
  assert.deepEqual(
    [...newest.points, ...older.points].map((point: Json) => point.value),
    [6, 6],
  );
  assert.equal(older.completeness.continueBefore, undefined);
  const query = new URLSearchParams({
    ...{ profile_type: CPU, selector: request.selector },
    ...{ start: String(RANGE.start), end: String(RANGE.end) },
  });
  const exported = await api.send(`/v1/export?${query}`, {});
  assert.equal(JSON.parse(exported.headers.get('cinderblock-completeness')!).continueBefore, continueBefore);
  const tree = decodeTree(new Uint8Array(await (await api.send(`/v1/tree?${query}`, {})).arrayBuffer()));
  assert.equal(tree.header.completeness.continueBefore, continueBefore);
  assert.equal(tree.header.completeness.coveredMs, 10_000);
});

test('every method answers protobuf too', async (t) => {
  const api = await openApi(t);
  await api.push('shop', pprofOf({ stacks: { a: [6] }, timeMs: NOW - 60_000, durationMs: 10_000 }));
  const range = { start: BigInt(RANGE.start), end: BigInt(RANGE.end) };
  const send = async (method: string, body: Uint8Array) => {
    const headers = { 'content-type': 'application/proto' };
    const response = await api.send(`${SERVICE}/${method}`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    });
    assert.equal(response.status, 200, method);
    return new Uint8Array(await response.arrayBuffer());
  };
  const services = toBinary(query.ListServicesRequestSchema, create(query.ListServicesRequestSchema, range));
  const listed = fromBinary(query.ListServicesResponseSchema, await send('ListServices', services));
  assert.equal(listed.services[0]!.name, 'shop');
  const timeline = create(query.SelectTimelineRequestSchema, { profileType: CPU, selector: '{}', ...range });
  const drawn = await send('SelectTimeline', toBinary(query.SelectTimelineRequestSchema, timeline));
  assert.equal(fromBinary(query.SelectTimelineResponseSchema, drawn).points[0]!.value, 6);
  const clusters = fromBinary(
    query.ListClustersResponseSchema,
    await send('ListClusters', new Uint8Array(0)),
  );
  assert.equal(clusters.nowMs, BigInt(NOW));
  const audit = toBinary(query.AuditLossRequestSchema, create(query.AuditLossRequestSchema, range));
  fromBinary(query.AuditLossResponseSchema, await send('AuditLoss', audit));
});

test('AuditLoss counts what was pushed, of the cluster asked for', async (t) => {
  const api = await openApi(t);
  await api.push('shop', pprofOf({ stacks: { a: [6] }, timeMs: NOW - 60_000, durationMs: 10_000 }));
  const { body } = await api.call(`${SERVICE}/AuditLoss`, { ...RANGE, start: NOW - 7_200_000 });
  assert.equal(body.hours.length, 1);
  const [hour] = body.hours as Json[];
  assert.equal(hour.cluster, 'local');
  assert.equal(hour.taken, hour.acknowledged);
  assert.equal(hour.unaccounted, '0');
  assert.equal(hour.missingBatches, '0');
  const other = await api.call(`${SERVICE}/AuditLoss`, { ...RANGE, cluster: 'other' });
  assert.deepEqual(other.body, { hours: [], spools: [] });
});

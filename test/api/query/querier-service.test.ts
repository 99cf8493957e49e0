import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Profile } from 'pprof-format';
import * as querier from '../../../api/gen/querier/v1/querier_pb.js';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';
import { pprofOf } from '../pprof-fixture.ts';

const QUERIER = '/querier.v1.QuerierService';
const RANGE = { start: NOW - 3_600_000, end: NOW };
const RANGE_BIG = { start: BigInt(RANGE.start), end: BigInt(RANGE.end) };

/** The worked example: `a` has 10 of which 2 are its own, `b` 5, `c` 3. */
const EXAMPLE = { a: [2], 'a;b': [5], 'a;c': [3] };

async function withExample(t: TestContext): Promise<ApiUnderTest> {
  const api = await openApi(t);
  await api.push('shop{env=prod}', pprofOf({ stacks: EXAMPLE, timeMs: NOW - 60_000, durationMs: 10_000 }));
  return api;
}

async function proto<I extends DescMessage, O extends DescMessage>(
  api: ApiUnderTest,
  method: string,
  [input, output]: [I, O],
  message: MessageInitShape<I>,
  headers: Record<string, string> = {},
) {
  const bytes = toBinary(input, create(input, message));
  const body = headers['content-encoding'] === 'gzip' ? new Uint8Array(gzipSync(bytes)) : bytes;
  const response = await api.send(`${QUERIER}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto', 'connect-protocol-version': '1', ...headers },
    body: body as Uint8Array<ArrayBuffer>,
  });
  let answer = new Uint8Array(await response.arrayBuffer());
  if (response.headers.get('content-encoding') === 'gzip') answer = new Uint8Array(gunzipSync(answer));
  assert.equal(response.status, 200, new TextDecoder().decode(answer));
  assert.equal(response.headers.get('content-type'), 'application/proto');
  return fromBinary(output, answer);
}

/** Bars as `level name@x total self`, whatever the order of names. */
function bars(flamegraph: { names: string[]; levels: { values: unknown[] }[] }): string[] {
  return flamegraph.levels.flatMap(({ values }, level) => {
    const found: string[] = [];
    for (let i = 0, end = 0; i < values.length; i += 4) {
      const [delta, total, self, name] = values.slice(i, i + 4).map(Number);
      found.push(`${level} ${flamegraph.names[name!]}@${end + delta!} ${total} ${self}`);
      end += delta! + total!;
    }
    return found;
  });
}

const EXAMPLE_BARS = ['0 total@0 10 0', '1 a@0 10 2', '2 b@2 5 5', '2 c@7 3 3'];

test('ProfileTypes answers the pushed type in JSON and protobuf', async (t) => {
  const api = await withExample(t);
  const expected = {
    ID: CPU,
    name: 'process_cpu',
    sampleType: 'cpu',
    sampleUnit: 'nanoseconds',
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
  };
  const { status, body, headers } = await api.call(`${QUERIER}/ProfileTypes`, RANGE);
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'application/json');
  assert.deepEqual(body, { profileTypes: [expected] });
  const schemas = [querier.ProfileTypesRequestSchema, querier.ProfileTypesResponseSchema] as const;
  const message = await proto(api, 'ProfileTypes', [...schemas], RANGE_BIG);
  assert.partialDeepStrictEqual(message.profileTypes, [expected]);
});

test('the health check of the data source, 1 to 4 s after the epoch, is empty and fine', async (t) => {
  const api = await withExample(t);
  const { status, body } = await api.call(`${QUERIER}/ProfileTypes`, { start: '1000', end: '4000' });
  assert.deepEqual({ status, body }, { status: 200, body: {} });
});

test('start and end of 0 mean the last hour', async (t) => {
  const api = await withExample(t);
  for (const method of ['ProfileTypes', 'LabelNames']) {
    const { status, body } = await api.call(`${QUERIER}/${method}`, { start: 0, end: 0 });
    assert.equal(status, 200);
    assert.ok((body.profileTypes ?? body.names).length > 0, method);
  }
});

test('a range with one end, or that ends before it starts, is refused', async (t) => {
  const api = await withExample(t);
  const oneEnd = await api.call(`${QUERIER}/LabelNames`, { start: 5 });
  assert.equal(oneEnd.status, 400);
  assert.deepEqual(oneEnd.body, { code: 'invalid_argument', message: 'missing time range in the query' });
  const backwards = await api.call(`${QUERIER}/LabelNames`, { start: 5, end: 4 });
  assert.equal(backwards.status, 400);
});

test('label names and values, with and without matchers', async (t) => {
  const api = await withExample(t);
  await api.push('cart{env=test}', pprofOf({ stacks: EXAMPLE, timeMs: NOW - 60_000 }));
  const names = await api.call(`${QUERIER}/LabelNames`, { matchers: ['{}'], ...RANGE });
  for (const name of ['service_name', 'env', '__profile_type__', 'pyroscope_spy']) {
    assert.ok(names.body.names.includes(name), name);
  }
  const values = await api.call(`${QUERIER}/LabelValues`, { name: 'service_name', ...RANGE });
  assert.deepEqual(values.body.names, ['cart', 'shop']);
  const matched = await api.call(`${QUERIER}/LabelValues`, {
    name: 'env',
    matchers: ['{service_name=~"sh.*"}'],
    ...RANGE,
  });
  assert.deepEqual(matched.body.names, ['prod']);
  const missing = await api.call(`${QUERIER}/LabelValues`, RANGE);
  assert.equal(missing.status, 400);
});

test('Series lists every pair of service and profile type, as Drilldown asks', async (t) => {
  const api = await withExample(t);
  const request = { matchers: [], label_names: ['service_name', '__profile_type__'], ...RANGE };
  const { body } = await api.call(`${QUERIER}/Series`, request);
  const labels = [
    { name: '__profile_type__', value: CPU },
    { name: 'service_name', value: 'shop' },
  ];
  assert.deepEqual(body, { labelsSet: [{ labels }] });
});

test('SelectMergeStacktraces: the worked example, in JSON', async (t) => {
  const api = await withExample(t);
  const request = { profile_typeID: CPU, label_selector: '{service_name="shop"}', ...RANGE };
  const { body, headers } = await api.call(`${QUERIER}/SelectMergeStacktraces`, request);
  assert.equal(body.flamegraph.total, '10');
  assert.equal(body.flamegraph.maxSelf, '5');
  assert.equal(body.flamegraph.names[0], 'total');
  assert.deepEqual(body.flamegraph.levels[0].values, ['0', '10', '0', '0']);
  assert.deepEqual(bars(body.flamegraph), EXAMPLE_BARS);
  const completeness = JSON.parse(headers.get('cinderblock-completeness')!);
  assert.equal(completeness.complete, true);
  const camel = await api.call(`${QUERIER}/SelectMergeStacktraces`, {
    profileTypeID: CPU,
    labelSelector: '{service_name="shop"}',
    start: String(RANGE.start),
    end: String(RANGE.end),
    aFieldOfTheFuture: { x: 1 },
  });
  assert.deepEqual(camel.body, body);
});

const MERGE = [
  querier.SelectMergeStacktracesRequestSchema,
  querier.SelectMergeStacktracesResponseSchema,
] as const;

test('SelectMergeStacktraces: the worked example, in protobuf, gzip both ways', async (t) => {
  const api = await withExample(t);
  const request = { profileTypeID: CPU, labelSelector: '{}', ...RANGE_BIG };
  const gzip = { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' };
  const { flamegraph } = await proto(api, 'SelectMergeStacktraces', [...MERGE], request, gzip);
  assert.deepEqual(bars(flamegraph!), EXAMPLE_BARS);
});

test('format PPROF answers a profile that other tools read', async (t) => {
  const api = await withExample(t);
  const request = {
    profileTypeID: CPU,
    labelSelector: '{}',
    ...RANGE_BIG,
    format: querier.ProfileFormat.PPROF,
  };
  const { pprof, flamegraph } = await proto(api, 'SelectMergeStacktraces', [...MERGE], request);
  assert.equal(flamegraph, undefined);
  const sum = pprof!.profile!.sample.reduce((total, { value }) => total + value[0]!, 0n);
  assert.equal(sum, 10n);
  assert.equal(pprof!.profile!.stringTable[Number(pprof!.profile!.sampleType[0]!.type)], 'cpu');
});

test('SelectMergeProfile answers a bare pprof profile', async (t) => {
  const api = await withExample(t);
  const input = querier.SelectMergeProfileRequestSchema;
  const body = toBinary(input, create(input, { profileTypeID: CPU, labelSelector: '{}', ...RANGE_BIG }));
  const response = await api.send(`${QUERIER}/SelectMergeProfile`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto' },
    body: body as Uint8Array<ArrayBuffer>,
  });
  const profile = Profile.decode(new Uint8Array(await response.arrayBuffer()));
  const names = profile.function.map(({ name }) => profile.stringTable.strings[Number(name)]);
  assert.deepEqual(names.sort(), ['a', 'b', 'c']);
});

test('format TREE is depth first, last child first', async (t) => {
  const api = await withExample(t);
  const request = {
    profileTypeID: CPU,
    labelSelector: '{}',
    ...RANGE_BIG,
    format: querier.ProfileFormat.TREE,
  };
  const { tree } = await proto(api, 'SelectMergeStacktraces', [...MERGE], request);
  const reader = new BinaryReader(tree);
  const nodes: unknown[] = [];
  while (reader.pos < reader.len) nodes.push([reader.string(), Number(reader.uint64()), reader.uint32()]);
  assert.deepEqual(nodes, [
    ['', 0, 1],
    ['a', 2, 2],
    ['c', 3, 0],
    ['b', 5, 0],
  ]);
  const empty = await proto(api, 'SelectMergeStacktraces', [...MERGE], { ...request, start: 1n, end: 2n });
  assert.equal(empty.tree.length, 0);
});

test('max_nodes trims into "other" and keeps the total; out of range it is refused', async (t) => {
  const api = await withExample(t);
  const request = { profileTypeID: CPU, labelSelector: '{}', ...RANGE };
  const { body } = await api.call(`${QUERIER}/SelectMergeStacktraces`, { ...request, maxNodes: 3 });
  assert.deepEqual(bars(body.flamegraph), ['0 total@0 10 0', '1 a@0 10 2', '2 other@2 8 8']);
  for (const maxNodes of [-1, 1_048_577]) {
    const refused = await api.call(`${QUERIER}/SelectMergeStacktraces`, { ...request, maxNodes });
    assert.equal(refused.body.code, 'invalid_argument', String(maxNodes));
  }
});

test('selectors may name what every series has besides its labels', async (t) => {
  const api = await withExample(t);
  const total = async (labelSelector: string) => {
    const request = { profileTypeID: CPU, labelSelector, ...RANGE };
    const { flamegraph } = (await api.call(`${QUERIER}/SelectMergeStacktraces`, request)).body;
    return flamegraph.total ?? '0';
  };
  assert.equal(await total(`{__profile_type__="${CPU}",service_name="shop"}`), '10');
  assert.equal(await total('{__profile_type__="memory:inuse_space:bytes:space:bytes"}'), '0');
});

test('a call site keeps only the stacks that begin with it', async (t) => {
  const api = await withExample(t);
  const request = { profileTypeID: CPU, labelSelector: '{}', ...RANGE };
  const at = async (...names: string[]) => {
    const stackTraceSelector = { call_site: names.map((name) => ({ name })) };
    return bars(
      (await api.call(`${QUERIER}/SelectMergeStacktraces`, { ...request, stackTraceSelector })).body
        .flamegraph,
    );
  };
  assert.deepEqual(await at('a', 'b'), ['0 total@0 5 0', '1 a@0 5 0', '2 b@0 5 5']);
  assert.deepEqual(await at('a'), EXAMPLE_BARS);
  assert.deepEqual(await at('b'), ['0 total@0 0 0']);
});

test('what cannot be answered truthfully is unimplemented', async (t) => {
  const api = await withExample(t);
  const request = { profileTypeID: CPU, labelSelector: '{}', ...RANGE };
  const refused: [string, object][] = [
    ['SelectMergeStacktraces', { ...request, format: 'PROFILE_FORMAT_DOT' }],
    ['SelectMergeStacktraces', { ...request, spanSelector: ['0123456789abcdef'] }],
    ['SelectMergeStacktraces', { ...request, profileIdSelector: ['x'] }],
    ['SelectMergeSpanProfile', request],
    ['SelectHeatmap', request],
  ];
  for (const [method, body] of refused) {
    const answer = await api.call(`${QUERIER}/${method}`, body);
    assert.equal(answer.status, 501, method);
    assert.equal(answer.body.code, 'unimplemented');
  }
});

test('SelectSeries: the worked example, points at right edges from start', async (t) => {
  const api = await openApi(t);
  const base = NOW - 120_000;
  for (const [offset, value] of [
    [70_000, 4],
    [75_000, 6],
  ] as const) {
    await api.push(
      'shop',
      pprofOf({ stacks: { a: [value] }, timeMs: base - 60_000 + offset, durationMs: 1000 }),
    );
  }
  const request = { profileTypeID: CPU, labelSelector: '{}', start: base, end: base + 60_000, step: 15 };
  const { body } = await api.call(`${QUERIER}/SelectSeries`, request);
  assert.deepEqual(body, { series: [{ points: [{ value: 10, timestamp: String(base + 15_000) }] }] });
  const average = await api.call(`${QUERIER}/SelectSeries`, { ...request, aggregation: 1 });
  assert.equal(average.body.series[0].points[0].value, 5);
  const tooFine = await api.call(`${QUERIER}/SelectSeries`, { ...request, step: 0.0001 });
  assert.deepEqual(tooFine.body, { code: 'invalid_argument', message: 'step must be >= 1ms' });
});

test('a profile right at the start belongs to the first point', async (t) => {
  const api = await openApi(t);
  await api.push('shop', pprofOf({ stacks: { a: [7] }, timeMs: NOW - 60_000, durationMs: 1000 }));
  const request = { profileTypeID: CPU, labelSelector: '{}', start: NOW - 60_000, end: NOW, step: 15 };
  const { body } = await api.call(`${QUERIER}/SelectSeries`, request);
  assert.deepEqual(body.series[0].points, [{ value: 7, timestamp: String(NOW - 60_000) }]);
});

test('SelectSeries groups by labels and keeps the largest', async (t) => {
  const api = await openApi(t);
  const profile = (value: number) =>
    pprofOf({ stacks: { a: [value] }, timeMs: NOW - 60_000, durationMs: 1000 });
  await api.push('small', profile(1));
  await api.push('large', profile(9));
  const request = { profileTypeID: CPU, labelSelector: '{}', ...RANGE, step: 15, groupBy: ['service_name'] };
  const all = await api.call(`${QUERIER}/SelectSeries`, request);
  const services = all.body.series.map(({ labels }: Json) => labels[0].value);
  assert.deepEqual(services, ['large', 'small']);
  const top = await api.call(`${QUERIER}/SelectSeries`, { ...request, limit: 1 });
  assert.deepEqual(top.body.series[0].labels, [{ name: 'service_name', value: 'large' }]);
  assert.equal(top.body.series.length, 1);
});

test('Diff carries both sides over one shape', async (t) => {
  const api = await withExample(t);
  await api.push('cart', pprofOf({ stacks: { 'a;b': [4], 'a;d': [1] }, timeMs: NOW - 60_000 }));
  const side = (service: string) => ({
    profileTypeID: CPU,
    labelSelector: `{service_name="${service}"}`,
    ...RANGE,
  });
  const { body } = await api.call(`${QUERIER}/Diff`, { left: side('shop'), right: side('cart') });
  const { names, levels, total, leftTicks, rightTicks } = body.flamegraph;
  assert.deepEqual({ total, leftTicks, rightTicks }, { total: '15', leftTicks: '10', rightTicks: '5' });
  const found = new Map<string, number[]>();
  for (const { values } of levels) {
    for (let i = 0; i < values.length; i += 7) {
      const [, totalL, selfL, , totalR, selfR, name] = values.slice(i, i + 7).map(Number);
      found.set(names[name], [totalL, selfL, totalR, selfR]);
    }
  }
  assert.deepEqual(found.get('a'), [10, 2, 5, 0]);
  assert.deepEqual(found.get('b'), [5, 5, 4, 4]);
  assert.deepEqual(found.get('d'), [0, 0, 1, 1]);
  const mixed = await api.call(`${QUERIER}/Diff`, {
    left: side('shop'),
    right: { ...side('cart'), profileTypeID: 'memory:inuse_space:bytes:space:bytes' },
  });
  assert.equal(mixed.body.code, 'invalid_argument');
});

test('GetProfileStats says whether there is data', async (t) => {
  const empty = await openApi(t);
  assert.equal((await empty.call(`${QUERIER}/GetProfileStats`, {})).body.dataIngested, undefined);
  const api = await withExample(t);
  const { body } = await api.call(`${QUERIER}/GetProfileStats`, {});
  assert.deepEqual(body, {
    dataIngested: true,
    oldestProfileTime: String(NOW - 60_000),
    newestProfileTime: String(NOW - 50_000),
  });
});

test('values past int64 saturate instead of turning negative', async (t) => {
  const api = await openApi(t);
  const stacks = Object.fromEntries(Array.from({ length: 4096 }, (_, i) => [`f${i}`, [2 ** 52]]));
  await api.push('shop', pprofOf({ stacks, timeMs: NOW - 60_000 }));
  const { status, body } = await api.call(`${QUERIER}/SelectMergeStacktraces`, {
    profileTypeID: CPU,
    labelSelector: '{}',
    ...RANGE,
  });
  assert.equal(status, 200);
  assert.equal(body.flamegraph.total, '9223372036854775807');
  assert.ok(
    body.flamegraph.levels.every(({ values }: Json) =>
      values.every((value: string) => !value.startsWith('-')),
    ),
  );
});

test('a broken selector, type or regular expression is invalid_argument', async (t) => {
  const api = await withExample(t);
  const request = { profileTypeID: CPU, labelSelector: '{}', ...RANGE };
  for (const broken of [
    { ...request, labelSelector: '{service_name=' },
    { ...request, labelSelector: '{service_name=~"("}' },
    { ...request, profileTypeID: 'process_cpu' },
  ]) {
    const { status, body } = await api.call(`${QUERIER}/SelectMergeStacktraces`, broken);
    assert.equal(status, 400, JSON.stringify(broken));
    assert.equal(body.code, 'invalid_argument');
  }
});

test('the wrong content type, method and path say so', async (t) => {
  const api = await openApi(t);
  const text = await api.send(`${QUERIER}/Series`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: 'x',
  });
  assert.equal(text.status, 415);
  assert.equal(((await text.json()) as Json).code, 'invalid_argument');
  const get = await api.send(`${QUERIER}/Series`);
  assert.equal(get.status, 405);
  assert.equal(get.headers.get('allow'), 'POST');
  const unknown = await api.call('/querier.v1.QuerierService/Nothing', {});
  assert.deepEqual({ status: unknown.status, code: unknown.body.code }, { status: 404, code: 'not_found' });
});

test('broken JSON and broken protobuf are invalid_argument', async (t) => {
  const api = await openApi(t);
  for (const [type, body] of [
    ['application/json', '{"start":'],
    ['application/json', '[]'],
    ['application/proto', '\x0a\xff\xff\xff\xff\x0f'],
  ]) {
    const response = await api.send(`${QUERIER}/Series`, {
      method: 'POST',
      headers: { 'content-type': type! },
      body,
    });
    assert.equal(response.status, 400, `${type} ${body}`);
    assert.equal(((await response.json()) as Json).code, 'invalid_argument');
  }
});

test('gRPC-web answers on the same path', async (t) => {
  const api = await withExample(t);
  const input = querier.ProfileTypesRequestSchema;
  const message = toBinary(input, create(input, RANGE_BIG));
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  const headers = { 'content-type': 'application/grpc-web+proto' };
  const response = await api.send(`${QUERIER}/ProfileTypes`, { method: 'POST', headers, body: frame });
  assert.equal(response.status, 200);
  const answer = new Uint8Array(await response.arrayBuffer());
  const length = new DataView(answer.buffer).getUint32(1);
  const { profileTypes } = fromBinary(querier.ProfileTypesResponseSchema, answer.subarray(5, 5 + length));
  assert.equal(profileTypes[0]!.ID, CPU);
  assert.match(new TextDecoder().decode(answer.subarray(5 + length)), /grpc-status: 0/);
});

test('side services keep Grafana content', async (t) => {
  const api = await openApi(t);
  const flags = await api.call('/capabilities.v1.FeatureFlagsService/GetFeatureFlags', {});
  assert.deepEqual(flags.body.featureFlags, [
    { name: 'v2StorageLayer', enabled: true },
    { name: 'utf8LabelNames', enabled: true },
  ]);
  assert.deepEqual((await api.call('/settings.v1.SettingsService/Get', {})).body, {});
  assert.deepEqual((await api.call('/version.v1.Version/Version', {})).body, { QuerierAPI: '1' });
  assert.deepEqual((await api.call(`${QUERIER}/AnalyzeQuery`, { query: 'x' })).body, {});
  assert.equal((await api.call('/vcs.v1.VCSService/GithubApp', {})).status, 501);
  assert.equal((await api.call('/settings.v1.RecordingRulesService/ListRecordingRules', {})).status, 404);
});

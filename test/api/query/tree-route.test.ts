import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { decodeTree } from '../../../core/flamegraph/tree-codec.ts';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';
import { pprofOf } from '../pprof-fixture.ts';

const RANGE = { start: String(NOW - 3_600_000), end: String(NOW) };
const SHOP = { profile_type: CPU, selector: '{service_name="shop"}', ...RANGE };

async function withTwo(t: TestContext): Promise<ApiUnderTest> {
  const api = await openApi(t);
  const window = { timeMs: NOW - 60_000, durationMs: 10_000 };
  await api.push('shop', pprofOf({ stacks: { a: [2], 'a;b': [5], 'a;c': [3] }, ...window }));
  await api.push('cart', pprofOf({ stacks: { 'a;b': [4], 'a;d': [1] }, ...window }));
  return api;
}

function get(
  api: ApiUnderTest,
  path: string,
  params: Record<string, string>,
  headers: Record<string, string> = {},
) {
  return api.send(`${path}?${new URLSearchParams(params)}`, { headers });
}

test('/v1/tree answers a tree that the decoder of the page reads', async (t) => {
  const api = await withTwo(t);
  const response = await get(api, '/v1/tree', SHOP);
  assert.equal(response.status, 200, await response.clone().text());
  assert.equal(response.headers.get('content-type'), 'application/vnd.cinderblock.tree');
  assert.equal(response.headers.get('content-encoding'), null);
  const { header, tree } = decodeTree(new Uint8Array(await response.arrayBuffer()));
  assert.deepEqual([...tree.names], ['total', 'a', 'b', 'c']);
  assert.deepEqual(
    [...tree.self].map((value) => value * tree.scale),
    [0, 2, 5, 3],
  );
  assert.partialDeepStrictEqual(header, {
    ...{ unit: 'nanoseconds', profileType: CPU, total: '10', diff: false, rounded: false, nodes: 4 },
    ...{ start: NOW - 3_600_000, end: NOW, trimmed: { nodes: 0, value: 0 } },
  });
  assert.equal(header.completeness.complete, true);
  assert.ok(header.completeness.blocksRead > 0);
});

test('gzip is used when it is accepted, and only then', async (t) => {
  const api = await withTwo(t);
  const plain = new Uint8Array(await (await get(api, '/v1/tree', SHOP)).arrayBuffer());
  for (const accept of ['gzip', 'br, gzip;q=0.5', '*']) {
    const response = await get(api, '/v1/tree', SHOP, { 'accept-encoding': accept });
    assert.equal(response.headers.get('content-encoding'), 'gzip', accept);
    assert.deepEqual(new Uint8Array(gunzipSync(await response.arrayBuffer())), plain);
  }
  for (const accept of ['gzip;q=0', 'identity', 'br']) {
    const response = await get(api, '/v1/tree', SHOP, { 'accept-encoding': accept });
    assert.equal(response.headers.get('content-encoding'), null, accept);
  }
});

test('max_nodes trims and says what it cut; 0 is no limit', async (t) => {
  const api = await withTwo(t);
  const trimmed = decodeTree(
    new Uint8Array(await (await get(api, '/v1/tree', { ...SHOP, max_nodes: '3' })).arrayBuffer()),
  );
  assert.equal(trimmed.header.nodes, 3);
  assert.equal(trimmed.header.total, '10');
  assert.equal(trimmed.header.trimmed.value * trimmed.header.scale, 8);
  const whole = decodeTree(
    new Uint8Array(await (await get(api, '/v1/tree', { ...SHOP, max_nodes: '0' })).arrayBuffer()),
  );
  assert.equal(whole.header.nodes, 4);
});

test('no data is a tree of one node', async (t) => {
  const api = await withTwo(t);
  const response = await get(api, '/v1/tree', { ...SHOP, selector: '{service_name="nobody"}' });
  const { header } = decodeTree(new Uint8Array(await response.arrayBuffer()));
  assert.deepEqual({ nodes: header.nodes, total: header.total }, { nodes: 1, total: '0' });
});

test('a diff carries both sides', async (t) => {
  const api = await withTwo(t);
  const params = {
    ...SHOP,
    diff_selector: '{service_name="cart"}',
    diff_start: RANGE.start,
    diff_end: RANGE.end,
  };
  const response = await get(api, '/v1/tree', params);
  const { header, tree, right } = decodeTree(new Uint8Array(await response.arrayBuffer()));
  assert.equal(header.diff, true);
  assert.equal(header.left!.total, '10');
  assert.partialDeepStrictEqual(header.right, {
    total: '5',
    selector: '{service_name="cart"}',
    start: NOW - 3_600_000,
  });
  const at = (name: string) => tree.nameOf.findIndex((id) => tree.names[id] === name);
  assert.deepEqual(
    [tree.total[at('b')], right!.total[at('b')]].map((value) => value! * tree.scale),
    [5, 4],
  );
  assert.deepEqual(
    [tree.total[at('d')], right!.total[at('d')]].map((value) => value! * tree.scale),
    [0, 1],
  );
});

test('missing and broken parameters are named', async (t) => {
  const api = await withTwo(t);
  const broken: [Record<string, string>, RegExp][] = [
    [{ ...SHOP, profile_type: '' }, /profile_type/],
    [{ ...SHOP, start: 'now' }, /start/],
    [{ ...SHOP, end: '1' }, /after end/],
    [{ ...SHOP, max_nodes: '-1' }, /max_nodes/],
    [{ ...SHOP, selector: '{' }, /./],
    [{ ...SHOP, diff_selector: '{}' }, /diff_start/],
  ];
  for (const [params, message] of broken) {
    const response = await get(api, '/v1/tree', params);
    const body = (await response.json()) as Json;
    assert.deepEqual({ status: response.status, code: body.code }, { status: 400, code: 'invalid_argument' });
    assert.match(body.message, message);
  }
});

test('/v1/export: pprof in gzip, folded text, speedscope', async (t) => {
  const api = await withTwo(t);
  const pprof = await get(api, '/v1/export', { ...SHOP, format: 'pprof' });
  assert.match(
    pprof.headers.get('content-disposition')!,
    /^attachment; filename="cpu-\d{8}T\d{6}Z\.pb\.gz"$/,
  );
  const profile = Profile.decode(new Uint8Array(gunzipSync(await pprof.arrayBuffer())));
  assert.equal(
    profile.sample.reduce((sum, { value }) => sum + Number(value[0]), 0),
    10,
  );
  const folded = await get(api, '/v1/export', { ...SHOP, format: 'folded' });
  assert.deepEqual((await folded.text()).trim().split('\n').sort(), ['a 2', 'a;b 5', 'a;c 3']);
  const speedscope = (await (await get(api, '/v1/export', { ...SHOP, format: 'speedscope' })).json()) as Json;
  assert.deepEqual(
    speedscope.shared.frames.map(({ name }: Json) => name),
    ['a', 'b', 'c'],
  );
  assert.equal(JSON.parse(folded.headers.get('cinderblock-completeness')!).complete, true);
  assert.equal((await get(api, '/v1/export', { ...SHOP, format: 'svg' })).status, 400);
});

test('/pyroscope/render: the worked example as numbers, with its timeline', async (t) => {
  const api = await withTwo(t);
  const query = `${CPU}{service_name="shop"}`;
  const [from, until] = [NOW - 120_000, NOW];
  const response = await get(api, '/pyroscope/render', {
    query,
    from: String(from),
    until: String(until),
    format: 'json',
  });
  const body = (await response.json()) as Json;
  assert.equal(body.version, 1);
  assert.equal(body.flamebearer.numTicks, 10);
  assert.equal(body.flamebearer.maxSelf, 5);
  assert.deepEqual(body.flamebearer.levels.slice(0, 2), [
    [0, 10, 0, 0],
    [0, 10, 2, body.flamebearer.names.indexOf('a')],
  ]);
  assert.partialDeepStrictEqual(body.metadata, {
    format: 'single',
    units: 'samples',
    sampleRate: 1_000_000_000,
    name: 'cpu',
  });
  assert.equal(body.timeline.startTime, from / 1000);
  assert.equal(body.timeline.durationDelta, 10);
  assert.equal(body.timeline.samples.length, 13);
  assert.equal(body.timeline.samples[6], 10);
  assert.equal(body.groups, null);
  const grouped = await get(api, '/pyroscope/render', {
    query: CPU,
    groupBy: 'service_name',
    from: 'now-2m',
    until: 'now',
  });
  assert.deepEqual(Object.keys(((await grouped.json()) as Json).groups).sort(), [
    '{service_name=cart}',
    '{service_name=shop}',
  ]);
});

test('/pyroscope/render-diff and label-values', async (t) => {
  const api = await withTwo(t);
  const side = (prefix: string, service: string) => ({
    [`${prefix}Query`]: `${CPU}{service_name="${service}"}`,
    [`${prefix}From`]: 'now-2m',
    [`${prefix}Until`]: 'now',
  });
  const diff = await get(api, '/pyroscope/render-diff', {
    ...side('left', 'shop'),
    ...side('right', 'cart'),
  });
  const body = (await diff.json()) as Json;
  assert.partialDeepStrictEqual(body, { leftTicks: 10, rightTicks: 5, metadata: { format: 'double' } });
  assert.equal(body.flamebearer.levels[1].length % 7, 0);
  const values = await get(api, '/pyroscope/label-values', { label: 'service_name' });
  assert.deepEqual(await values.json(), ['cart', 'shop']);
  assert.equal((await get(api, '/pyroscope/render', {})).status, 400);
  assert.equal((await get(api, '/pyroscope/render', { query: CPU, format: 'dot' })).status, 501);
});

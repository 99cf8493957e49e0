import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';
import { pprofOf } from '../pprof-fixture.ts';

const RANGE = { start: NOW - 3_600_000, end: NOW + 1 };

const profile = () => pprofOf({ stacks: { 'main;work': [30] }, timeMs: NOW - 30_000, durationMs: 10_000 });

async function seriesOf(api: ApiUnderTest, range: object = RANGE): Promise<Record<string, string>[]> {
  await api.process();
  const { body } = await api.call('/querier.v1.QuerierService/Series', range);
  return (body.labelsSet ?? []).map(({ labels }: Json) =>
    Object.fromEntries(labels.map(({ name, value }: Json) => [name, value])),
  );
}

async function totalOf(api: ApiUnderTest, profileTypeID = CPU, selector = '{}'): Promise<string> {
  const request = { profileTypeID, labelSelector: selector, ...RANGE };
  const { body } = await api.call('/querier.v1.QuerierService/SelectMergeStacktraces', request);
  return body.flamegraph.total ?? '0';
}

async function post(api: ApiUnderTest, query: string, body: BodyInit, headers: Record<string, string> = {}) {
  const response = await api.send(`/ingest?${query}`, { method: 'POST', body, headers });
  return { status: response.status, text: await response.text() };
}

/** A form as Go's mime/multipart writes it. */
function goForm(parts: Record<string, Uint8Array | string>): {
  body: Uint8Array<ArrayBuffer>;
  contentType: string;
} {
  const boundary = '7d0c4b1de2a54b0e9f0b6f5a8c3d2e1f';
  const pieces = Object.entries(parts).flatMap(([name, content]) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}.bin"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
    content,
    '\r\n',
  ]);
  const body = Buffer.concat([...pieces, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece as string)));
  return { body: new Uint8Array(body), contentType: `multipart/form-data; boundary=${boundary}` };
}

test('a raw pprof body, as the Node.js SDK sends it: seconds, labels in the name', async (t) => {
  const api = await openApi(t);
  const [from, until] = [NOW / 1000 - 20, NOW / 1000 - 10];
  const query = `format=pprof&from=${from}&name=shop%7Benv%3Dprod%2C__x%3Dy%7D&spyName=nodespy&until=${until}`;
  const answer = await post(api, query, profile(), { 'content-type': 'application/octet-stream' });
  assert.deepEqual(answer, { status: 200, text: '' });
  const [series] = await seriesOf(api);
  assert.partialDeepStrictEqual(series, {
    ...{
      service_name: 'shop',
      env: 'prod',
      pyroscope_spy: 'nodespy',
      cluster: 'local',
      __profile_type__: CPU,
    },
  });
  assert.ok(!('__x' in series!));
  const timeline = await api.call('/cinderblock.v1.QueryService/SelectTimeline', {
    profileType: CPU,
    selector: '{}',
    ...RANGE,
  });
  assert.equal(timeline.body.points.length, 1);
});

test('gzip inside the body is found by its first bytes', async (t) => {
  const api = await openApi(t);
  const answer = await post(api, 'name=shop&format=pprof', new Uint8Array(gzipSync(profile())));
  assert.equal(answer.status, 200);
  assert.equal((await seriesOf(api)).length, 1);
});

test('a form as the Go SDK sends it: nanoseconds, no format, sample_type_config', async (t) => {
  const api = await openApi(t);
  const heap = pprofOf({
    stacks: { 'main;alloc': [2, 2048, 1, 1024] },
    types: [
      ['alloc_objects', 'count'],
      ['alloc_space', 'bytes'],
      ['inuse_objects', 'count'],
      ['inuse_space', 'bytes'],
    ],
    period: ['space', 'bytes'],
    timeMs: NOW - 15_000,
  });
  const config = {
    alloc_objects: { units: 'objects', aggregation: 'sum' },
    alloc_space: { units: 'bytes', aggregation: 'sum' },
    inuse_objects: { units: 'objects', aggregation: 'average' },
    inuse_space: { units: 'bytes', aggregation: 'average' },
  };
  const { body, contentType } = goForm({
    profile: gzipSync(heap),
    sample_type_config: JSON.stringify(config),
  });
  const [from, until] = [BigInt(NOW - 20_000) * 1_000_000n, BigInt(NOW - 10_000) * 1_000_000n];
  const query = `aggregationType=&from=${from}&name=shop%7B%7D&sampleRate=100&spyName=gospy&units=&until=${until}`;
  assert.deepEqual(await post(api, query, body, { 'content-type': contentType }), { status: 200, text: '' });
  const types = (await seriesOf(api)).map((series) => series.__name__);
  assert.deepEqual(new Set(types), new Set(['memory']));
  const timeline = await api.call('/cinderblock.v1.QueryService/SelectTimeline', {
    profileType: (await seriesOf(api)).find((series) => series.__type__ === 'alloc_space')!.__profile_type__,
    selector: '{}',
    maxPoints: 1000,
    ...RANGE,
  });
  assert.equal(timeline.body.points[0].timeMs, String(NOW - 20_000));
  assert.equal(timeline.body.points[0].value, 2048);
});

test('display names decide between mutex and block', async (t) => {
  const api = await openApi(t);
  const types: [string, string][] = [
    ['contentions', 'count'],
    ['delay', 'nanoseconds'],
  ];
  const contended = pprofOf({
    stacks: { lock: [1, 5] },
    types,
    period: ['contentions', 'count'],
    timeMs: NOW - 15_000,
  });
  for (const [app, prefix] of [
    ['m', 'mutex'],
    ['b', 'block'],
  ]) {
    const config = {
      contentions: { 'display-name': `${prefix}_count`, units: 'lock_samples' },
      delay: { 'display-name': `${prefix}_duration`, units: 'lock_nanoseconds' },
    };
    const { body, contentType } = goForm({ profile: contended, sample_type_config: JSON.stringify(config) });
    await post(api, `name=${app}`, body, { 'content-type': contentType });
  }
  const names = (await seriesOf(api)).map((series) => `${series.service_name} ${series.__name__}`);
  assert.deepEqual([...new Set(names)].sort(), ['b block', 'm mutex']);
});

test('form parts without a file name keep their bytes', async (t) => {
  const api = await openApi(t);
  const form = new FormData();
  form.set('profile', new Blob([profile()]));
  const request = new Request('http://x', { method: 'POST', body: form });
  const contentType = request.headers.get('content-type')!;
  const withNames = Buffer.from(await request.arrayBuffer()).toString('latin1');
  const bare = Buffer.from(withNames.replace('; filename="blob"', ''), 'latin1');
  const answer = await post(api, 'name=shop', new Uint8Array(bare), { 'content-type': contentType });
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await seriesOf(api)).length, 1);
});

test('folded text: groups by default, lines on request, the type at the end of the name', async (t) => {
  const api = await openApi(t);
  const until = NOW / 1000 - 1;
  const groups = await post(
    api,
    `name=shop.cpu&from=${until - 10}&until=${until}&sampleRate=100`,
    'a;b 2\na;c 1\n',
  );
  assert.equal(groups.status, 200, groups.text);
  await post(api, `name=shop.alloc_space&format=groups&from=${until - 10}&until=${until}`, 'a;b 4096\n');
  await post(api, `name=my.service&format=lines&until=${until}&from=${until - 10}`, 'a;b\na;b\r\na;c\n');
  const found = (await seriesOf(api)).map((series) => `${series.service_name} ${series.__profile_type__}`);
  assert.deepEqual(found.sort(), [`my.service ${CPU}`, 'shop memory:alloc_space:bytes::', `shop ${CPU}`]);
  assert.equal(await totalOf(api, CPU, '{service_name="shop"}'), '30000000');
  assert.equal(await totalOf(api, CPU, '{service_name="my.service"}'), '30000000');
  assert.equal(await totalOf(api, 'memory:alloc_space:bytes::'), '4096');
});

test('the old path answers too', async (t) => {
  const api = await openApi(t);
  const response = await api.send('/pyroscope/ingest?name=shop&format=pprof', {
    method: 'POST',
    body: profile(),
  });
  assert.equal(response.status, 200);
});

test('formats that are not read say so with 422', async (t) => {
  const api = await openApi(t);
  const asked = ['format=jfr', 'format=trie', 'format=tree', 'format=speedscope', 'format=dot'];
  for (const format of asked) {
    const { status, text } = await post(api, `name=shop&${format}`, 'x');
    assert.equal(status, 422, format);
    assert.match(JSON.parse(text).message, /not supported yet/);
  }
  const octets = await post(api, 'name=shop', 'x', { 'content-type': 'binary/octet-stream+trie' });
  assert.equal(octets.status, 422);
  const jfrForm = await post(api, 'name=shop&format=jfr', 'x', {
    'content-type': 'multipart/form-data; boundary=b',
  });
  assert.equal(jfrForm.status, 422);
});

test('broken parameters and bodies are named in a 400', async (t) => {
  const api = await openApi(t);
  const form = { 'content-type': 'multipart/form-data; boundary=b' };
  const broken: [query: string, body: BodyInit, headers: Record<string, string>, message: RegExp][] = [
    ['format=pprof', profile(), {}, /^name: is missing/],
    ['name=shop%7Benv&format=pprof', profile(), {}, /^name: /],
    ['name=sh%20op&format=pprof', profile(), {}, /^name: /],
    ['name=shop%7Be%20v%3D1%7D&format=pprof', profile(), {}, /^name: /],
    ['name=shop&format=pprof&from=yesterday', profile(), {}, /^from: /],
    ['name=shop&format=pprof&until=12345678901234', profile(), {}, /^until: /],
    ['name=shop&format=pprof', '', {}, /^body: is empty/],
    ['name=shop&format=pprof', 'not a profile', {}, /pprof/],
    ['name=shop', 'a;b x\n', {}, /folded: line 1/],
    ['name=shop', '--b\r\nno end', form, /^multipart: /],
    ['name=shop', '--b--', form, /^multipart: has no part "profile"/],
    ['name=shop', 'nothing', form, /^multipart: its boundary/],
    ['name=shop', 'x', { 'content-type': 'multipart/form-data' }, /^multipart: the Content-Type/],
    ['name=shop', goForm({ profile: 'x', sample_type_config: '[]' }).body, {}, /./],
  ];
  for (const [query, body, headers, message] of broken) {
    const { status, text } = await post(api, query, body, headers);
    assert.equal(status, 400, `${query} → ${text}`);
    assert.equal(JSON.parse(text).code, 'invalid_argument');
    assert.match(JSON.parse(text).message, message);
  }
  const { body, contentType } = goForm({ profile: profile(), prev_profile: profile() });
  const cumulative = await post(api, 'name=shop', body, { 'content-type': contentType });
  assert.match(cumulative.text, /cumulative profiles are not supported/);
  assert.deepEqual(await seriesOf(api), []);
});

test('an odd sample rate is 100 Hz', async (t) => {
  const api = await openApi(t);
  const until = NOW / 1000 - 1;
  for (const rate of ['0', '-3', 'x', '1.5', '']) {
    await post(api, `name=shop.cpu&from=${until - 10}&until=${until}&sampleRate=${rate}`, 'a 1\n');
  }
  await api.process();
  assert.equal(await totalOf(api), String(5 * 10_000_000));
});

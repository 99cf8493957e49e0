import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { PushRequestSchema } from '../../../api/gen/push/v1/push_pb.js';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';
import { pprofOf } from '../pprof-fixture.ts';

const PUSH = '/push.v1.PusherService/Push';

const profile = (value = 3) =>
  pprofOf({ stacks: { 'a;b': [value] }, timeMs: NOW - 30_000, durationMs: 10_000 });

function labels(pairs: Record<string, string>) {
  return Object.entries(pairs).map(([name, value]) => ({ name, value }));
}

async function push(api: ApiUnderTest, message: MessageInitShape<typeof PushRequestSchema>, isGzip = false) {
  const bytes = toBinary(PushRequestSchema, create(PushRequestSchema, message));
  const headers = { 'content-type': 'application/proto', ...(isGzip && { 'content-encoding': 'gzip' }) };
  const body = new Uint8Array(isGzip ? gzipSync(bytes) : bytes);
  const response = await api.send(PUSH, { method: 'POST', headers, body });
  const text = await response.text();
  return { status: response.status, answer: text === '' ? {} : (JSON.parse(text) as Json) };
}

async function series(api: ApiUnderTest): Promise<Record<string, string>[]> {
  await api.process();
  const { body } = await api.call('/querier.v1.QuerierService/Series', { start: NOW - 3_600_000, end: NOW });
  return (body.labelsSet ?? []).map(({ labels }: Json) =>
    Object.fromEntries(labels.map(({ name, value }: Json) => [name, value])),
  );
}

test('a push as the Rust and Python SDKs send it: protobuf in gzip, dotted names', async (t) => {
  const api = await openApi(t);
  const pairs = {
    __name__: 'process_cpu',
    service_name: 'shop',
    'otel.scope.name': 'rust',
    __session_id__: 'x',
  };
  const { status } = await push(
    api,
    { series: [{ labels: labels(pairs), samples: [{ rawProfile: profile() }] }] },
    true,
  );
  assert.equal(status, 200);
  const [found, ...more] = await series(api);
  assert.partialDeepStrictEqual(found, {
    service_name: 'shop',
    'otel.scope.name': 'rust',
    __profile_type__: CPU,
  });
  assert.ok(!('__session_id__' in found!));
  assert.equal(more.length, 0);
});

test('a push in JSON, with a gzip profile inside and no service name', async (t) => {
  const api = await openApi(t);
  const rawProfile = gzipSync(profile()).toString('base64');
  const message = {
    series: [{ labels: labels({ __name__: 'process_cpu' }), samples: [{ rawProfile, ID: 'u-u-i-d' }] }],
  };
  assert.deepEqual((await api.call(PUSH, message)).body, {});
  assert.equal((await series(api))[0]!.service_name, 'unknown_service');
});

test('several series and profiles travel in one push', async (t) => {
  const api = await openApi(t);
  const seriesOf = (service: string) => ({
    labels: labels({ __name__: 'process_cpu', service_name: service }),
    samples: [{ rawProfile: profile() }, { rawProfile: profile(4) }],
  });
  await push(api, { series: [seriesOf('a'), seriesOf('b')] });
  assert.deepEqual(
    (await series(api)).map(({ service_name }) => service_name),
    ['a', 'b'],
  );
});

test('an empty push, and fields of the future, are fine', async (t) => {
  const api = await openApi(t);
  assert.equal((await push(api, {})).status, 200);
  const known = toBinary(PushRequestSchema, create(PushRequestSchema, {}));
  const unknown = new BinaryWriter().raw(known).tag(99, WireType.LengthDelimited).string('later').finish();
  const headers = { 'content-type': 'application/proto' };
  const response = await api.send(PUSH, { method: 'POST', headers, body: new Uint8Array(unknown) });
  assert.equal(response.status, 200);
});

test('what cannot be taken is invalid_argument, and nothing of the push is stored', async (t) => {
  const api = await openApi(t, { settings: { pprofBytesMax: 100_000 } });
  const good = {
    labels: labels({ __name__: 'process_cpu', service_name: 'a' }),
    samples: [{ rawProfile: profile() }],
  };
  const nameless = { labels: labels({ service_name: 'a' }), samples: [{ rawProfile: profile() }] };
  const broken = {
    labels: labels({ __name__: 'process_cpu' }),
    samples: [{ rawProfile: new Uint8Array([9, 9, 9]) }],
  };
  const bomb = { ...broken, samples: [{ rawProfile: new Uint8Array(gzipSync(Buffer.alloc(3_000_000))) }] };
  for (const [series, message] of [
    [nameless, /__name__/],
    [broken, /pprof/],
    [bomb, /pprofBytesMax|inflat/],
  ] as const) {
    const { status, answer } = await push(api, { series: [good, series] });
    assert.equal(status, 400, JSON.stringify(answer));
    assert.equal(answer.code, 'invalid_argument');
    assert.match(answer.message, message);
  }
  assert.deepEqual(await series(api), []);
});

test('a gzip body that is a bomb or cut off is refused', async (t) => {
  const api = await openApi(t, { settings: { pprofBytesMax: 1_000_000 } });
  const headers = { 'content-type': 'application/proto', 'content-encoding': 'gzip' };
  const bomb = new Uint8Array(gzipSync(Buffer.alloc(50_000_000)));
  const tooMuch = await api.send(PUSH, { method: 'POST', headers, body: bomb });
  assert.equal(tooMuch.status, 429);
  assert.equal(((await tooMuch.json()) as Json).code, 'resource_exhausted');
  const cut = new Uint8Array(gzipSync(profile()).subarray(0, 20));
  const broken = await api.send(PUSH, { method: 'POST', headers, body: cut });
  assert.equal(broken.status, 400);
  const brotli = { ...headers, 'content-encoding': 'br' };
  assert.equal((await api.send(PUSH, { method: 'POST', headers: brotli, body: bomb })).status, 501);
});

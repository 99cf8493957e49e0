import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';

const PATH = '/v1development/profiles';
const PROTOBUF = { 'content-type': 'application/x-protobuf' };

type Fields = (out: BinaryWriter) => void;

function message(...fields: Fields[]): Uint8Array {
  const out = new BinaryWriter();
  for (const field of fields) field(out);
  return out.finish();
}

const bytes =
  (no: number, value: Uint8Array): Fields =>
  (out) =>
    out.tag(no, WireType.LengthDelimited).bytes(value);
const text =
  (no: number, value: string): Fields =>
  (out) =>
    out.tag(no, WireType.LengthDelimited).string(value);
const varint =
  (no: number, value: number): Fields =>
  (out) =>
    out.tag(no, WireType.Varint).uint64(value);
const packed =
  (no: number, values: number[]): Fields =>
  (out) => {
    out.tag(no, WireType.LengthDelimited).fork();
    for (const value of values) out.uint64(value);
    out.join();
  };

/** One CPU profile of `main` calling `work`, in the v1.10 layout. `sample` replaces the fields of its only sample. */
function exportRequest(sample: Fields[] = [varint(1, 1), packed(4, [7])]): Uint8Array<ArrayBuffer> {
  const strings = ['', 'samples', 'count', 'cpu', 'nanoseconds', 'main', 'work'];
  const valueType = (type: number, unit: number) => message(varint(1, type), varint(2, unit));
  const location = (func: number) => message(bytes(3, message(varint(1, func))));
  const dictionary = message(
    bytes(1, message()),
    bytes(2, message()),
    bytes(2, location(1)),
    bytes(2, location(2)),
    bytes(3, message()),
    bytes(3, message(varint(1, 5))),
    bytes(3, message(varint(1, 6))),
    bytes(4, message()),
    ...strings.map((value) => text(5, value)),
    ...strings.map(() => bytes(6, message())),
    bytes(6, message()),
    bytes(7, message()),
    bytes(7, message(packed(1, [2, 1]))),
  );
  const profile = message(
    bytes(1, valueType(1, 2)),
    bytes(2, message(...sample)),
    (out) => out.tag(3, WireType.Bit64).fixed64(BigInt(NOW - 30_000) * 1_000_000n),
    varint(4, 10_000_000_000),
    bytes(5, valueType(3, 4)),
    varint(6, 10_000_000),
  );
  const service = message(text(1, 'service.name'), bytes(2, message(text(1, 'shop'))));
  const resource = message(bytes(1, message(bytes(1, service))), bytes(2, message(bytes(2, profile))));
  return new Uint8Array(message(bytes(1, resource), bytes(2, dictionary)));
}

async function total(api: ApiUnderTest): Promise<string> {
  await api.process();
  const request = {
    profileTypeID: CPU,
    labelSelector: '{service_name="shop"}',
    start: NOW - 3_600_000,
    end: NOW,
  };
  const { body } = await api.call('/querier.v1.QuerierService/SelectMergeStacktraces', request);
  return body.flamegraph.total ?? '0';
}

/** google.rpc.Status */
async function statusOf(response: Response): Promise<{ code: number; message: string }> {
  assert.equal(response.headers.get('content-type'), 'application/x-protobuf');
  const reader = new BinaryReader(new Uint8Array(await response.arrayBuffer()));
  const status = { code: 0, message: '' };
  while (reader.pos < reader.len) {
    const [no] = reader.tag();
    if (no === 1) status.code = reader.int32();
    else status.message = reader.string();
  }
  return status;
}

test('a profile in the v1.10 layout is stored: samples times period', async (t) => {
  const api = await openApi(t);
  const response = await api.send(PATH, { method: 'POST', headers: PROTOBUF, body: exportRequest() });
  assert.equal(response.status, 200, await response.clone().text());
  assert.equal(response.headers.get('content-type'), 'application/x-protobuf');
  assert.equal((await response.arrayBuffer()).byteLength, 0);
  assert.equal(await total(api), '70000000');
});

test('gzip bodies are taken', async (t) => {
  const api = await openApi(t);
  const headers = { ...PROTOBUF, 'content-encoding': 'gzip' };
  const body = new Uint8Array(gzipSync(exportRequest()));
  assert.equal((await api.send(PATH, { method: 'POST', headers, body })).status, 200);
  assert.equal(await total(api), '70000000');
});

test('the older layout, which would be read wrong, is refused for good', async (t) => {
  const api = await openApi(t);
  // v1.9: values are field 2, attributes 3, link 4.
  const body = exportRequest([varint(1, 1), packed(2, [7]), packed(3, [0]), varint(4, 0)]);
  const response = await api.send(PATH, { method: 'POST', headers: PROTOBUF, body });
  assert.equal(response.status, 400);
  const status = await statusOf(response);
  assert.equal(status.code, 3);
  assert.match(status.message, /1\.9|older|layout/);
  assert.equal(await total(api), '0');
});

test('JSON is refused with 415, other broken bodies with 400, too much with 413', async (t) => {
  const api = await openApi(t, { settings: { pprofBytesMax: 10_000 } });
  const headers = { 'content-type': 'application/json' };
  const json = await api.send(PATH, { method: 'POST', headers, body: '{}' });
  assert.equal(json.status, 415);
  await statusOf(json);
  const garbage = await api.send(PATH, { method: 'POST', headers: PROTOBUF, body: 'garbage' });
  assert.equal(garbage.status, 400);
  await statusOf(garbage);
  const long = await api.send(PATH, { method: 'POST', headers: PROTOBUF, body: new Uint8Array(10_001) });
  assert.equal(long.status, 413);
  const zipped = { ...PROTOBUF, 'content-encoding': 'gzip' };
  const bomb = new Uint8Array(gzipSync(Buffer.alloc(5_000_000)));
  assert.equal((await api.send(PATH, { method: 'POST', headers: zipped, body: bomb })).status, 413);
  const cut = new Uint8Array(gzipSync(exportRequest()).subarray(0, 30));
  assert.equal((await api.send(PATH, { method: 'POST', headers: zipped, body: cut })).status, 400);
});

test('a request cut off at any byte is refused or taken, never failed on', async (t) => {
  const api = await openApi(t);
  const whole = exportRequest();
  for (let length = 0; length < whole.length; length++) {
    const response = await api.send(PATH, {
      method: 'POST',
      headers: PROTOBUF,
      body: whole.slice(0, length),
    });
    assert.ok(response.status === 200 || response.status === 400, `${length} bytes → ${response.status}`);
  }
});

test('storage that fails for now is 503 with Retry-After, so that collectors send again', async (t) => {
  const api = await openApi(t);
  const { RetryableError } = await import('../../../core/errors.ts');
  api.hub.queue.send = () => Promise.reject(new RetryableError('the disk is full'));
  const response = await api.send(PATH, { method: 'POST', headers: PROTOBUF, body: exportRequest() });
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) > 0);
  assert.deepEqual(await statusOf(response), { code: 14, message: 'the disk is full' });
  const push = await api.send('/ingest?name=shop', { method: 'POST', body: 'a;b 1\n' });
  assert.equal(push.status, 503);
  assert.deepEqual(await push.json(), { code: 'unavailable', message: 'the disk is full' } satisfies Json);
});

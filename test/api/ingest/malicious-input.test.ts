import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type ApiUnderTest, type Json, NOW, openApi } from '../api-under-test.ts';
import { func, location, message, part, profileOf, sample, text, varint } from './hostile-pprof.ts';

// Each input is sent to a hub that already holds a profile. Whatever the answer: never a 500, never much memory or
// time, what is acknowledged can be queried, and what was stored before stays.

const TYPE = 'process_cpu:cpu:nanoseconds::';
const MIB = 1024 * 1024;

/** Far above what any of these may take, far below what an unbounded reader would. */
const MEMORY_MAX = 700 * MIB;
const TIME_MAX_MS = 20_000;

interface Answer {
  status: number;
  message: string;
}

async function post(api: ApiUnderTest, body: Uint8Array<ArrayBuffer>, name = 'hostile'): Promise<Answer> {
  const response = await api.send(`/ingest?name=${name}&format=pprof`, { method: 'POST', body });
  const text = await response.text();
  return { status: response.status, message: text === '' ? '' : (JSON.parse(text) as Json).message };
}

async function totalOf(api: ApiUnderTest, service: string): Promise<number> {
  await api.process();
  const { status, body } = await api.call('/querier.v1.QuerierService/SelectMergeStacktraces', {
    profileTypeID: TYPE,
    labelSelector: `{service_name="${service}"}`,
    start: NOW - 3_600_000,
    end: NOW + 3_600_000,
  });
  assert.equal(status, 200, JSON.stringify(body));
  return Number(body.flamegraph.total ?? 0);
}

/** Sends one input; checks memory, time, and the profile stored before. */
async function attack(
  t: TestContext,
  body: Uint8Array<ArrayBuffer>,
): Promise<{ answer: Answer; api: ApiUnderTest }> {
  const api = await openApi(t);
  await api.push('victim', profileOf());
  const before = process.memoryUsage().rss;
  const started = performance.now();
  const answer = await post(api, body);
  assert.ok(performance.now() - started < TIME_MAX_MS, 'took too long');
  assert.ok(process.memoryUsage().rss - before < MEMORY_MAX, 'took too much memory');
  assert.ok([200, 400, 413].includes(answer.status), `${answer.status} ${answer.message}`);
  assert.equal(await totalOf(api, 'victim'), 1);
  return { answer, api };
}

async function isRefused(
  t: TestContext,
  body: Uint8Array<ArrayBuffer>,
  status: number,
  expected: RegExp,
): Promise<void> {
  const { answer, api } = await attack(t, body);
  assert.equal(answer.status, status, answer.message);
  assert.match(answer.message, expected);
  assert.equal(await totalOf(api, 'hostile'), 0);
}

/** Taken: then a query must find all of it. */
async function isStored(t: TestContext, body: Uint8Array<ArrayBuffer>, total: number): Promise<ApiUnderTest> {
  const { answer, api } = await attack(t, body);
  assert.deepEqual(answer, { status: 200, message: '' });
  assert.equal(await totalOf(api, 'hostile'), total);
  return api;
}

function gzipped(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(bytes));
}

/** Gzip of so many zero bytes, as members of 64 MiB each: a bomb of any size is made in no time. */
function bombOf(bytes: number): Uint8Array<ArrayBuffer> {
  const member = gzipSync(Buffer.alloc(64 * MIB), { level: 9 });
  return new Uint8Array(Buffer.concat(Array.from({ length: bytes / (64 * MIB) }, () => member)));
}

test('a gzip bomb of 10 GiB', (t) => isRefused(t, bombOf(10 * 1024 * MIB), 413, /pprofBytesMax|unfold/));
test('a small gzip bomb, by its ratio', (t) =>
  isRefused(t, gzipped(new Uint8Array(32 * MIB)), 413, /250 times/));

test('a gzip bomb in a form', async (t) => {
  const api = await openApi(t);
  const head = '--b\r\nContent-Disposition: form-data; name="profile"; filename="p"\r\n\r\n';
  const body = Buffer.concat([Buffer.from(head), bombOf(1024 * MIB), Buffer.from('\r\n--b--\r\n')]);
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const response = await api.send('/ingest?name=x', { method: 'POST', headers, body: new Uint8Array(body) });
  assert.equal(response.status, 413);
});

test('gzip cut off, damaged, or gzip in name only', async (t) => {
  const whole = gzipped(profileOf());
  const api = await openApi(t);
  for (let length = 3; length < whole.length; length++) {
    const { status, message } = await post(api, whole.slice(0, length));
    assert.equal(status, 400, `${length}: ${message}`);
    assert.match(message, /^gzip: /);
  }
  const damaged = whole.slice();
  damaged[whole.length - 6]! ^= 0xff;
  assert.equal((await post(api, damaged)).status, 400);
  assert.equal((await post(api, new Uint8Array([0x1f, 0x8b, 0xff, 0xff, 0xff, 0xff]))).status, 400);
  assert.equal(await totalOf(api, 'hostile'), 0);
});

test('gzip of several members is one profile', async (t) => {
  const whole = profileOf();
  const members = [whole.subarray(0, 10), whole.subarray(10)].map((piece) => gzipSync(piece));
  await isStored(t, new Uint8Array(Buffer.concat(members)), 1);
});

test('ten million empty strings', (t) => {
  const empty = new Uint8Array(20_000_000);
  for (let i = 0; i < empty.length; i += 2) empty[i] = 0x32;
  return isRefused(t, new Uint8Array(Buffer.concat([profileOf(), empty])), 413, /strings/i);
});

test('a sample with a million frames keeps the root side', async (t) => {
  const deep = profileOf({ samples: [sample(new Array(1_000_000).fill(1), [1])] });
  const api = await isStored(t, deep, 1);
  const { body } = await api.call('/querier.v1.QuerierService/SelectMergeStacktraces', {
    profileTypeID: TYPE,
    labelSelector: '{service_name="hostile"}',
    start: NOW - 3_600_000,
    end: NOW,
  });
  assert.ok(body.flamegraph.levels.length < 2000);
});

test('many samples of many inlined lines unfold to no more than the limit', async (t) => {
  const lines = Array.from({ length: 1000 }, (_, i) => part(4, message(varint(1, (i % 50) + 1))));
  const functions = Array.from({ length: 50 }, (_, i) => func(i + 1, 3));
  const locations = Array.from({ length: 50 }, (_, i) => message(varint(1, i + 1), ...lines));
  const samples = Array.from({ length: 5000 }, (_, i) => sample([(i % 50) + 1, ((i * 7) % 50) + 1], [1]));
  const { answer } = await attack(t, profileOf({ samples, locations, functions }));
  assert.ok(answer.status === 200 || answer.status === 413, answer.message);
});

test('a length past the end', (t) =>
  isRefused(t, new Uint8Array([...profileOf(), 0x12, 0xff, 0xff, 0xff, 0x7f]), 400, /pprof/));
test('a packed length past the end', (t) =>
  isRefused(t, profileOf({ samples: [new Uint8Array([0x0a, 0x7f, 1])] }), 400, /pprof/));
test('a varint of eleven bytes', (t) =>
  isRefused(t, new Uint8Array([...profileOf(), 0x48, ...new Array(11).fill(0xff), 1]), 400, /pprof/));
test('group wire types', (t) => isRefused(t, new Uint8Array([...profileOf(), 0x13, 0x14]), 400, /pprof/));
test('two locations of one id', (t) =>
  isRefused(t, profileOf({ locations: [location(1, 1), location(1, 1)] }), 400, /pprof/));
test('a location of id 0', (t) =>
  isRefused(t, profileOf({ locations: [location(0, 1)], samples: [sample([0], [1])] }), 400, /pprof/));
test('a location that is not there', (t) =>
  isRefused(t, profileOf({ samples: [sample([2], [1])] }), 400, /pprof/));
test('a function that is not there', (t) =>
  isRefused(t, profileOf({ locations: [location(1, 9)] }), 400, /pprof/));
test('string index -1', (t) => isRefused(t, profileOf({ functions: [func(1, -1)] }), 400, /pprof/));
test('a string index past the table', (t) =>
  isRefused(t, profileOf({ functions: [func(1, 99)] }), 400, /pprof/));
test('more values than types', (t) =>
  isRefused(t, profileOf({ samples: [sample([1], [1, 2])] }), 400, /pprof/));
test('a profile from two hours ahead is refused, one from another century is of now', async (t) => {
  const ahead = BigInt(NOW + 7_200_000) * 1_000_000n;
  await isRefused(t, profileOf({ timeNanos: ahead }), 400, /futureWindowMs/);
  for (const timeNanos of [2n ** 62n, -1n, -(2n ** 63n), 2n ** 63n - 1n])
    await isStored(t, profileOf({ timeNanos }), 1);
});
test('ids as large as they get', async (t) => {
  const id = 2n ** 63n - 1n;
  await isStored(
    t,
    profileOf({ samples: [sample([id], [1])], locations: [location(id, id)], functions: [func(id, 3)] }),
    1,
  );
});

test('no time of its own: the profile is of now', async (t) => {
  await isStored(t, profileOf({ timeNanos: 0n }), 1);
});

test('values at the ends of int64 are stored whole or refused, never taken and lost', async (t) => {
  for (const value of [2n ** 63n - 1n, -(2n ** 63n), -1n, 2n ** 62n, 2n ** 53n]) {
    const { answer, api } = await attack(t, profileOf({ samples: [sample([1], [value]), sample([1], [1])] }));
    const total = await totalOf(api, 'hostile');
    if (answer.status === 200 && value > 0) assert.ok(total >= Number(value), `${value} became ${total}`);
    assert.ok(total >= 0);
    const alone = await attack(t, profileOf({ samples: [sample([1], [value])] }));
    const aloneTotal = await totalOf(alone.api, 'hostile');
    if (alone.answer.status === 200 && value > 0) assert.equal(aloneTotal, Number(value), `${value} alone`);
  }
});

test('sums that pass int64 saturate', async (t) => {
  const most = 2n ** 62n - 1n;
  const { answer, api } = await attack(
    t,
    profileOf({ samples: [sample([1], [most]), sample([1], [most]), sample([1], [most])] }),
  );
  const total = await totalOf(api, 'hostile');
  assert.ok(
    answer.status === 200 ? total === Number(2n ** 63n - 1n) : total === 0,
    `${answer.status} ${total}`,
  );
});

test('a function name of 16 MiB is cut', async (t) => {
  const api = await isStored(t, profileOf({ strings: ['x'.repeat(16 * MIB)] }), 1);
  assert.ok((await namesOf(api)).every((name) => name.length <= 65_535));
});

test('names with markup, control characters, right-to-left marks and broken UTF-8 come back as text', async (t) => {
  const markup = '<img src=x onerror=alert(1)>\u001b[31m\u202e"\n';
  const api = await isStored(t, profileOf({ strings: [markup] }), 1);
  assert.ok((await namesOf(api)).includes(markup));
  const broken = new Uint8Array([0x66, 0xff, 0xfe, 0xed, 0xa0, 0x80]);
  const other = await isStored(t, profileOf({ strings: [broken] }), 1);
  assert.ok((await namesOf(other)).some((name) => name.startsWith('f\ufffd')));
});

async function namesOf(api: ApiUnderTest): Promise<string[]> {
  const { body } = await api.call('/querier.v1.QuerierService/SelectMergeStacktraces', {
    profileTypeID: TYPE,
    labelSelector: '{service_name="hostile"}',
    start: NOW - 3_600_000,
    end: NOW,
  });
  return body.flamegraph.names;
}

test('labels named __proto__ and constructor pollute nothing', async (t) => {
  const label = (key: number, value: number) => part(3, message(varint(1, key), varint(2, value)));
  const strings = ['work', '__proto__', 'constructor', 'polluted'];
  const samples = [sample([1], [1], label(4, 6), label(5, 6))];
  const api = await isStored(t, profileOf({ strings, samples }), 1);
  const { status } = await api.call('/querier.v1.QuerierService/Series', {
    start: NOW - 3_600_000,
    end: NOW,
  });
  assert.equal(status, 200);
  const config = '{"__proto__":{"units":"polluted"},"constructor":{"display-name":"polluted"}}';
  const form = ['profile', 'sample_type_config'].map(
    (name, i) =>
      `--b\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\n\r\n${i === 0 ? '\u0000PROFILE' : config}\r\n`,
  );
  const [before, after] = `${form.join('')}--b--`.split('\u0000PROFILE');
  const body = new Uint8Array(Buffer.concat([Buffer.from(before!), profileOf(), Buffer.from(after!)]));
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const response = await api.send('/ingest?name=x{__proto__=1,constructor=2}', {
    method: 'POST',
    headers,
    body,
  });
  assert.equal(response.status, 200, await response.text());
  assert.equal(({} as Record<string, unknown>).units, undefined);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('patterns that hang a backtracking engine do not hang this one', async (t) => {
  const evil = '(a+)+$';
  const api = await isStored(
    t,
    profileOf({ strings: ['a'.repeat(50), evil], more: [varint(7, 4), varint(8, 4)] }),
    1,
  );
  const selector = `{service_name=~"(h|o|s|t|i|l|e)*(h|o|s|t|i|l|e)*x"}`;
  const started = performance.now();
  const { status } = await api.call('/querier.v1.QuerierService/LabelNames', {
    matchers: [selector],
    start: NOW - 3_600_000,
    end: NOW,
  });
  assert.equal(status, 200);
  assert.ok(performance.now() - started < TIME_MAX_MS);
});

test('two whole profiles in a row are refused or added up, never mixed', async (t) => {
  const one = profileOf({ strings: ['first'] });
  const two = profileOf({ strings: ['second'] });
  const { answer, api } = await attack(t, new Uint8Array(Buffer.concat([one, two])));
  const total = await totalOf(api, 'hostile');
  assert.ok(answer.status === 400 ? total === 0 : total === 2, `${answer.status} ${answer.message} ${total}`);
});

test('a body past the limit is refused by its length, and while it comes', async (t) => {
  const api = await openApi(t, { settings: { pprofBytesMax: MIB } });
  const { status, message } = await post(api, new Uint8Array(MIB + 1));
  assert.equal(status, 413);
  assert.match(message, /pprofBytesMax is 1048576 bytes, this has 1048577; raise it/);
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const init = { method: 'POST', body: endless, duplex: 'half' } as RequestInit;
  const response = await api.send('/ingest?name=x&format=pprof', init);
  assert.equal(response.status, 413);
  assert.ok(sent < 2 * MIB, `read ${sent} bytes`);
});

test('a form of very many parts, and folded text of very many frames', async (t) => {
  const api = await openApi(t);
  const parts = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'.repeat(100_000);
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const form = await api.send('/ingest?name=x', { method: 'POST', headers, body: parts });
  assert.equal(form.status, 400);
  const deep = await api.send('/ingest?name=x', { method: 'POST', body: `${'a;'.repeat(1_000_000)}b 1\n` });
  assert.equal(deep.status, 413);
});

test('a name that is all comment, or has a default of another', async (t) => {
  const noted = profileOf({ more: [text(15, 'https://example.com'), varint(13, 3), varint(14, 1)] });
  await isStored(t, noted, 1);
});

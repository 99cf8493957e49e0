import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { PushRequestSchema } from '../../api/gen/push/v1/push_pb.js';
import { RUNS, randomFrom, SEED } from '../core/block/fixtures.ts';
import { batchOf } from '../pipeline/fixtures.ts';
import { type ApiUnderTest, CPU, NOW, openApi } from './api-under-test.ts';
import { pprofOf } from './pprof-fixture.ts';
import { signedRequest } from './signed-request.ts';

// Laws, for any request made by damaging a good one:
//   - the answer is never a 500, and every error is JSON with a code and a message (or OTLP's protobuf)
//   - what was stored before is answered as before

const KEY = { accessKeyId: 'CBFUZZ', secret: 'secret', cluster: 'c', createdAt: 0 };

interface Good {
  path: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

function goodRequests(): Good[] {
  const pprof = pprofOf({ stacks: { 'a;b': [3], 'a;c': [4] }, timeMs: NOW - 60_000, durationMs: 10_000 });
  const json = { 'content-type': 'application/json' };
  const labels = [{ name: '__name__', value: 'process_cpu' }];
  const push = create(PushRequestSchema, { series: [{ labels, samples: [{ rawProfile: pprof }] }] });
  const query = {
    profileTypeID: CPU,
    labelSelector: '{service_name=~"s.*",x!="y"}',
    start: NOW - 9e5,
    end: NOW,
    step: 15,
  };
  const form = '--b\r\nContent-Disposition: form-data; name="profile"; filename="p"\r\n\r\n';
  const text = (value: string) => new TextEncoder().encode(value);
  return [
    { path: '/ingest?name=fuzz{a=b}&format=pprof&from=now-1m&until=now', headers: {}, body: pprof },
    { path: '/ingest?name=fuzz&format=pprof', headers: {}, body: gzipSync(pprof) },
    { path: '/ingest?name=fuzz.cpu', headers: {}, body: text('a;b 3\na;c 4\n') },
    {
      path: '/ingest?name=fuzz',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: Buffer.concat([text(form), pprof, text('\r\n--b--\r\n')]),
    },
    {
      path: '/push.v1.PusherService/Push',
      headers: { 'content-type': 'application/proto' },
      body: toBinary(PushRequestSchema, push),
    },
    {
      path: '/querier.v1.QuerierService/SelectMergeStacktraces',
      headers: json,
      body: text(JSON.stringify(query)),
    },
    { path: '/querier.v1.QuerierService/SelectSeries', headers: json, body: text(JSON.stringify(query)) },
    {
      path: '/querier.v1.QuerierService/Series',
      headers: json,
      body: text(JSON.stringify({ matchers: [query.labelSelector], start: query.start, end: query.end })),
    },
    { path: '/v1development/profiles', headers: { 'content-type': 'application/x-protobuf' }, body: pprof },
  ];
}

/** A few bytes changed, dropped, doubled, or cut off at the end. */
function damaged(body: Uint8Array, random: () => number): Uint8Array<ArrayBuffer> {
  const bytes = [...body];
  const changes = 1 + Math.floor(random() * 4);
  for (let i = 0; i < changes; i++) {
    const at = Math.floor(random() * bytes.length);
    const kind = random();
    if (kind < 0.5) bytes[at] = Math.floor(random() * 256);
    else if (kind < 0.65) bytes.splice(at, 1 + Math.floor(random() * 8));
    else if (kind < 0.8) bytes.splice(at, 0, ...bytes.slice(at, at + 1 + Math.floor(random() * 32)));
    else if (kind < 0.9) bytes.length = at;
    else bytes.splice(at, 0, 0xff, 0xff, 0xff, 0xff, 0x7f);
  }
  return new Uint8Array(bytes);
}

function damagedText(text: string, random: () => number): string {
  const bytes = damaged(new TextEncoder().encode(text), random);
  return String.fromCharCode(...bytes).replace(/[^\x21-\x7e ]/g, '%');
}

async function stored(api: ApiUnderTest): Promise<unknown> {
  const request = {
    profileTypeID: CPU,
    labelSelector: '{service_name="victim"}',
    start: NOW - 9e5,
    end: NOW,
  };
  return (await api.call('/querier.v1.QuerierService/SelectMergeStacktraces', request)).body;
}

async function checkAnswer(response: Response): Promise<void> {
  const body = await response.text();
  assert.ok(response.status < 500 || response.status === 501, `${response.status} ${body}`);
  if (response.status < 400 || response.headers.get('content-type') === 'application/x-protobuf') return;
  const error = JSON.parse(body);
  assert.equal(typeof error.code, 'string');
  assert.ok(response.status === 404 || error.message.length > 0, body);
}

test('damaged requests are refused, never failed on, and harm nothing', async (t) => {
  const api = await openApi(t);
  await api.push('victim', pprofOf({ stacks: { 'a;b': [3] }, timeMs: NOW - 60_000, durationMs: 10_000 }));
  const before = await stored(api);
  const good = goodRequests();
  for (let run = 0; run < RUNS * 4; run++) {
    const seed = SEED + run;
    const random = randomFrom(seed);
    const { path, headers, body } = good[Math.floor(random() * good.length)]!;
    const [route, query = ''] = path.split('?');
    const damagedPath = random() < 0.3 ? `${route}?${damagedText(query, random)}` : path;
    const request = {
      method: 'POST',
      headers,
      body: random() < 0.9 ? damaged(body, random) : new Uint8Array(body),
    };
    try {
      await checkAnswer(await api.send(damagedPath, request));
    } catch (error) {
      throw new Error(`${path} fails; repeat with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`, {
        cause: error,
      });
    }
  }
  await api.process();
  assert.deepEqual(await stored(api), before);
});

test('damaged batches and signatures are refused, never failed on', async (t) => {
  const api = await openApi(t);
  await api.hub.registry.addCredential(KEY);
  const path = '/v1/clusters/c/batches';
  const bytes = batchOf(1, [{ service: 'shop', stacks: { 'a;b': 3 } }]);
  for (let run = 0; run < RUNS; run++) {
    const seed = SEED + run;
    const random = randomFrom(seed);
    try {
      const broken = damaged(bytes, random);
      const init = await signedRequest(`http://127.0.0.1:4040${path}`, broken, { ...KEY, at: NOW });
      const response = await api.send(path, init);
      assert.ok(
        [202, 400, 403, 413].includes(response.status),
        `${response.status} ${await response.text()}`,
      );
      const headers = new Headers(init.headers);
      const name = ['authorization', 'x-amz-date', 'x-amz-content-sha256'][Math.floor(random() * 3)]!;
      const value = damagedText(headers.get(name)!, random);
      if (value === headers.get(name)) continue;
      headers.set(name, value);
      const forged = await api.send(path, { ...init, headers });
      // A blank more or less in the header leaves it what it was.
      assert.ok([401, response.status].includes(forged.status), `${name}: ${value} → ${forged.status}`);
    } catch (error) {
      throw new Error(`fails; repeat with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`, { cause: error });
    }
  }
});

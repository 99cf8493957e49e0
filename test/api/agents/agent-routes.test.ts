import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { batchOf } from '../../pipeline/fixtures.ts';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';
import { type SignOptions, signedRequest } from '../signed-request.ts';

const KEY = { accessKeyId: 'CBTESTKEY', secret: 'the secret of cluster c', cluster: 'c', createdAt: NOW };

/** Signs with the key of cluster c, at the time of the hub's clock, unless told otherwise. */
function signed(path: string, body: Uint8Array<ArrayBuffer> | string, options: Partial<SignOptions> = {}) {
  return signedRequest(`http://127.0.0.1:4040${path}`, body, { ...KEY, at: NOW, ...options });
}

const BATCHES = '/v1/clusters/c/batches';
const HEARTBEAT = '/v1/clusters/c/heartbeat';
const HOUR = 3_600_000;
const CPU_ROWS = [{ service: 'shop', stacks: { 'a;b': 3 } }];

async function withKey(t: TestContext): Promise<ApiUnderTest> {
  const api = await openApi(t);
  await api.hub.registry.addCredential(KEY);
  return api;
}

/** What a query finds after everything queued is stored. */
async function storedTotal(api: ApiUnderTest): Promise<string> {
  await api.process();
  const request = { profileTypeID: CPU, labelSelector: '{}', start: NOW - 3_600_000, end: NOW };
  const { body } = await api.call('/querier.v1.QuerierService/SelectMergeStacktraces', request);
  return body.flamegraph.total ?? '0';
}

async function refused(response: Response, status: number, code: string, message: RegExp): Promise<void> {
  const body = (await response.json()) as { code: string; message: string };
  assert.deepEqual({ status: response.status, code: body.code }, { status, code }, body.message);
  assert.match(body.message, message);
}

test('a signed batch is taken, and taken once however often it comes', async (t) => {
  const api = await withKey(t);
  const bytes = new Uint8Array(batchOf(1, CPU_ROWS));
  const first = await api.send(BATCHES, await signed(BATCHES, bytes));
  assert.equal(first.status, 202);
  assert.deepEqual(await first.json(), { batchId: 'c/n/b/1', duplicate: false });
  assert.equal(first.headers.get('date'), new Date(NOW).toUTCString());
  const again = await api.send(BATCHES, await signed(BATCHES, bytes, { at: NOW + 1000 }));
  assert.deepEqual(await again.json(), { batchId: 'c/n/b/1', duplicate: true });
  assert.equal(await storedTotal(api), '3');
});

test('a replayed request changes nothing', async (t) => {
  const api = await withKey(t);
  const request = await signed(BATCHES, new Uint8Array(batchOf(1, CPU_ROWS)));
  await api.send(BATCHES, request);
  const replayed = await api.send(BATCHES, request);
  assert.equal(((await replayed.json()) as Json).duplicate, true);
  assert.equal(await storedTotal(api), '3');
  const range = { start: NOW - 3_600_000, end: NOW };
  const { body } = await api.call('/cinderblock.v1.QueryService/AuditLoss', range);
  assert.partialDeepStrictEqual(body.hours[0], { taken: '1', acknowledged: '1', duplicateBatches: '1' });
});

test('any region, query parameters and odd header spacing verify', async (t) => {
  const api = await withKey(t);
  const body = JSON.stringify({ node: 'n', bootId: 'b', version: '1', engine: 'perf' });
  const query = { b: 'x y', a: "it's/*1", é: 'ü' };
  const init = await signed(HEARTBEAT, body, {
    region: 'eu-central-1',
    query,
    headers: { 'x-note': '  a   b ' },
  });
  const response = await api.send(`${HEARTBEAT}?${new URLSearchParams(query)}`, init);
  assert.equal(response.status, 200, await response.clone().text());
  assert.deepEqual(await response.json(), { nowMs: NOW, settings: { heartbeatMs: 300_000 } });
});

test('another body than the signed one is refused, though its signature is right', async (t) => {
  const api = await withKey(t);
  const init = await signed(BATCHES, new Uint8Array(batchOf(1, CPU_ROWS)));
  const body = new Uint8Array(batchOf(1, [{ service: 'shop', stacks: { 'a;b': 4 } }]));
  await refused(await api.send(BATCHES, { ...init, body }), 401, 'unauthenticated', /body is not the one/);
  const unsigned = {
    ...(init.headers as Record<string, string>),
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
  };
  await refused(
    await api.send(BATCHES, { ...init, headers: unsigned, body }),
    401,
    'unauthenticated',
    /SHA-256/,
  );
  assert.equal(await storedTotal(api), '0');
});

test('a changed header, path, query or method is refused', async (t) => {
  const api = await withKey(t);
  const init = await signed(BATCHES, new Uint8Array(batchOf(1, CPU_ROWS)));
  const headers = { ...(init.headers as Record<string, string>), host: 'other:4040' };
  await refused(await api.send(BATCHES, { ...init, headers }), 401, 'unauthenticated', /does not match/);
  await refused(await api.send(HEARTBEAT, init), 401, 'unauthenticated', /does not match/);
  await refused(await api.send(`${BATCHES}?x=1`, init), 401, 'unauthenticated', /does not match/);
});

test('a wrong secret, an unknown and a revoked key are refused', async (t) => {
  const api = await withKey(t);
  const bytes = new Uint8Array(batchOf(1, CPU_ROWS));
  const wrong = await signed(BATCHES, bytes, { secret: 'guess' });
  await refused(await api.send(BATCHES, wrong), 401, 'unauthenticated', /does not match/);
  const unknown = await signed(BATCHES, bytes, { accessKeyId: 'NOBODY' });
  await refused(await api.send(BATCHES, unknown), 401, 'unauthenticated', /unknown or revoked/);
  await api.hub.registry.revokeCredential(KEY.accessKeyId, NOW);
  const revoked = await signed(BATCHES, bytes);
  await refused(await api.send(BATCHES, revoked), 401, 'unauthenticated', /unknown or revoked/);
});

test('a disabled cluster is refused until it is active again', async (t) => {
  const api = await withKey(t);
  const init = await signed(BATCHES, new Uint8Array(batchOf(1, CPU_ROWS)));
  await api.hub.registry.setClusterStatus('c', 'disabled');
  await refused(await api.send(BATCHES, init), 403, 'permission_denied', /disabled/);
  await api.hub.registry.setClusterStatus('c', 'active');
  assert.equal((await api.send(BATCHES, init)).status, 202);
});

test('a key of one cluster opens no path and no batch of another', async (t) => {
  const api = await withKey(t);
  const foreignPath = '/v1/clusters/local/batches';
  const bytes = new Uint8Array(batchOf(1, CPU_ROWS));
  await refused(
    await api.send(foreignPath, await signed(foreignPath, bytes)),
    403,
    'permission_denied',
    /cluster c/,
  );
  const foreign = new Uint8Array(batchOf(1, CPU_ROWS, { cluster: 'other' }));
  await refused(
    await api.send(BATCHES, await signed(BATCHES, foreign)),
    403,
    'permission_denied',
    /cluster other/,
  );
});

test('a signature is good for 5 minutes on either side', async (t) => {
  const api = await withKey(t);
  const bytes = new Uint8Array(batchOf(1, CPU_ROWS));
  for (const skew of [-5 * 60_000, 5 * 60_000]) {
    assert.equal((await api.send(BATCHES, await signed(BATCHES, bytes, { at: NOW + skew }))).status, 202);
  }
  for (const skew of [-5 * 60_000 - 1000, 5 * 60_000 + 1000]) {
    const late = await signed(BATCHES, bytes, { at: NOW + skew });
    await refused(await api.send(BATCHES, late), 401, 'unauthenticated', /301 s (before|after) the hub/);
  }
});

test('a signature for another service, or none at all, is refused', async (t) => {
  const api = await withKey(t);
  const bytes = new Uint8Array(batchOf(1, CPU_ROWS));
  const s3 = await signed(BATCHES, bytes, { service: 's3' });
  await refused(await api.send(BATCHES, s3), 401, 'unauthenticated', /execute-api/);
  // Also on an open hub: what an agent says counts in the loss audit.
  await refused(
    await api.send(BATCHES, { method: 'POST', body: bytes }),
    401,
    'unauthenticated',
    /Signature Version 4/,
  );
});

test('broken Authorization headers are refused, not failed on', async (t) => {
  const api = await withKey(t);
  const init = await signed(HEARTBEAT, '{}');
  const good = (init.headers as Record<string, string>).authorization!;
  const broken = [
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA256 Credential=',
    good.replace(/Signature=.*/, 'Signature=00'),
    good.replace('host;', ''),
    good.replace(/SignedHeaders=[^,]*/, 'SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-gone'),
    good.replace('host;', 'host;a header;'),
    good.replace(/\/\d{8}\//, '/20200101/'),
    `${good},,,===,`,
    `AWS4-HMAC-SHA256 ${'Credential=a/'.repeat(500)}`,
  ];
  for (const authorization of broken) {
    const headers = { ...(init.headers as Record<string, string>), authorization };
    const response = await api.send(HEARTBEAT, { ...init, headers });
    const expected = authorization.startsWith(good) ? [400, 401] : [401];
    assert.ok(expected.includes(response.status), `${authorization} → ${response.status}`);
  }
  const noDate = { ...(init.headers as Record<string, string>) };
  delete noDate['x-amz-date'];
  assert.equal((await api.send(HEARTBEAT, { ...init, headers: noDate })).status, 401);
});

test('agents may not read', async (t) => {
  const api = await withKey(t);
  const path = '/cinderblock.v1.QueryService/ListClusters';
  const init = await signed(path, '{}', { headers: { 'content-type': 'application/json' } });
  await refused(await api.send(path, init), 403, 'permission_denied', /nothing else/);
});

test('a heartbeat shows up in ListClusters', async (t) => {
  const api = await withKey(t);
  const counters = { samplesTaken: 100, samplesLost: 1, spooledBytes: 4096, cpuPercent: 0.5 };
  const body = JSON.stringify({
    node: 'n',
    bootId: 'b',
    version: '9',
    engine: 'perf',
    clockSkewMs: -20,
    counters,
  });
  await api.send(HEARTBEAT, await signed(HEARTBEAT, body));
  api.control.now = NOW + 3000;
  const { body: answer } = await api.call('/cinderblock.v1.QueryService/ListClusters', {});
  const agent = answer.clusters.find(({ id }: Json) => id === 'c').agents[0];
  assert.partialDeepStrictEqual(agent, {
    ...{ node: 'n', bootId: 'b', version: '9', engine: 'perf', lastSeenMs: String(NOW), lagMs: '3000' },
    ...{
      clockSkewMs: '-20',
      samplesTaken: '100',
      samplesLost: '1',
      samplesDropped: '0',
      spooledBytes: '4096',
    },
    ...{ cpuPercent: 0.5, lastError: '' },
  });
});

test('a heartbeat that is not JSON, or lacks its node, is refused', async (t) => {
  const api = await withKey(t);
  for (const body of ['{', '[]', '"x"', '{"node":"n/../m","bootId":"b"}', '{"bootId":"b"}']) {
    const response = await api.send(HEARTBEAT, await signed(HEARTBEAT, body));
    assert.equal(response.status, 400, body);
  }
});

test('what a spool holds is taken as far as it makes sense, and shows up in AuditLoss', async (t) => {
  const api = await withKey(t);
  const hour = {
    bootId: 'b',
    hourMs: NOW - HOUR,
    first: 3,
    end: 5,
    batches: 2,
    kept: 30,
    dropped: 4,
    lost: 1,
  };
  const spool = { spoolId: 's', batches: 3, samples: 40, hours: [hour] };
  const beat = async (changed: object) => {
    const body = { node: 'n', bootId: 'b', version: '9', engine: 'perf', spool: { ...spool, ...changed } };
    return api.send(HEARTBEAT, await signed(HEARTBEAT, JSON.stringify(body)));
  };
  const ofHour = (changed: object) => ({ hours: [{ ...hour, ...changed }] });
  for (const [changed, said] of [
    [{ spoolId: '' }, /spoolId must be a text/],
    [{ spoolId: 'a/b' }, /spoolId may only use/],
    [{ batches: -1 }, /batches must be a whole number/],
    [{ samples: 1.5 }, /samples must be a whole number/],
    [{ samples: '3' }, /samples must be a whole number/],
    [{ hours: {} }, /hours must be a list/],
    [{ hours: [null] }, /hour of a spool must be a JSON object/],
    [{ batches: 1 }, /a spool of 1 batches has 2 of them in its hours/],
    [{ batches: 1000, hours: Array(97).fill(hour) }, /in 97 hours, the limit spooledHoursMax is 96/],
    [ofHour({ bootId: '..' }), /bootId may only use/],
    [ofHour({ hourMs: NOW - 1 }), /no whole hour/],
    [ofHour({ batches: 0 }), /0 batches cannot have the numbers 3 to 5/],
    [ofHour({ batches: 3 }), /3 batches cannot have the numbers 3 to 5/],
    [ofHour({ end: 2 }), /cannot have the numbers 3 to 2/],
    [ofHour({ kept: 2 ** 53 }), /kept must be a whole number/],
    [ofHour({ lost: null }), /lost must be a whole number/],
  ] as const) {
    await refused(await beat(changed), 400, 'invalid_argument', said);
  }
  assert.equal((await beat({})).status, 200);
  const range = { start: NOW - HOUR, end: NOW };
  const { body } = await api.call('/cinderblock.v1.QueryService/AuditLoss', range);
  const counts = { taken: '34', lostByKernel: '1', droppedByAgent: '4', spooled: '30', acknowledged: '0' };
  assert.partialDeepStrictEqual(body.hours, [{ ...counts, unaccounted: '0', hourMs: String(NOW - HOUR) }]);
  assert.partialDeepStrictEqual(body.spools, [
    { cluster: 'c', agents: 1, asOfMs: String(NOW), batches: '3', samples: '40', olderSamples: '10' },
  ]);
});

test('a batch that is too long, cut off or damaged is refused and nothing is stored', async (t) => {
  const api = await withKey(t);
  const bytes = batchOf(1, CPU_ROWS);
  const tooLong = new Uint8Array(api.hub.settings.batchBytesMax + 1);
  await refused(
    await api.send(BATCHES, await signed(BATCHES, tooLong)),
    413,
    'resource_exhausted',
    /batchBytesMax/,
  );
  for (let length = 0; length < bytes.length; length += 7) {
    const cut = new Uint8Array(bytes.subarray(0, length));
    const response = await api.send(BATCHES, await signed(BATCHES, cut));
    assert.equal(response.status, 400, `cut at ${length}: ${await response.text()}`);
  }
  const damaged = new Uint8Array(bytes);
  damaged[20] ^= 0x55;
  assert.equal((await api.send(BATCHES, await signed(BATCHES, damaged))).status, 400);
  assert.equal(await storedTotal(api), '0');
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { StartupError } from '../../server/startup-error.ts';
import { pprofOf } from '../api/pprof-fixture.ts';
import { openServer } from './server-under-test.ts';
import { temporaryFolder } from './temporary-folder.ts';

const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' } };

function push(url: string, name: string): Promise<Response> {
  const body = pprofOf({ stacks: { 'main;work': [5] }, timeMs: Date.now() - 20_000, durationMs: 10_000 });
  return fetch(`${url}/ingest?name=${name}&format=pprof`, { method: 'POST', body });
}

async function services(url: string): Promise<string[]> {
  const body = JSON.stringify({
    name: 'service_name',
    start: Date.now() - 3_600_000,
    end: Date.now() + 60_000,
  });
  const response = await fetch(`${url}/querier.v1.QuerierService/LabelValues`, { ...JSON_POST, body });
  return ((await response.json()) as { names?: string[] }).names ?? [];
}

/** fetch sets Host itself. */
function statusWith(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    request.on('error', reject);
    request.end();
  });
}

test('what is pushed is queried, and outlives the server', async (t) => {
  const dataFolder = temporaryFolder(t);
  const first = await openServer(t, { dataFolder });
  assert.equal((await push(first.url, 'shop')).status, 200);
  await first.close();
  const second = await openServer(t, { dataFolder });
  assert.deepEqual(await services(second.url), ['shop']);
});

test('the scheduler stores by itself', async (t) => {
  const { url } = await openServer(t);
  await push(url, 'shop');
  while ((await services(url)).length === 0) await new Promise((resolve) => setTimeout(resolve, 100));
});

test('/metrics counts requests by route, not by what callers make up', async (t) => {
  const { url } = await openServer(t);
  await fetch(`${url}/healthz`);
  for (const path of ['/a.b', '/c.d']) assert.equal((await fetch(url + path)).status, 404);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  assert.match(metrics, /^cinderblock_api_requests_total\{route="\/healthz",status="200"\} 1$/m);
  assert.match(metrics, /^cinderblock_api_requests_total\{route="none",status="404"\} 2$/m);
  assert.match(metrics, /^# TYPE process_resident_memory_bytes gauge$/m);
});

test('everything lives below a prefix', async (t) => {
  const { url } = await openServer(t, { pathPrefix: '/team/profiles' });
  assert.ok(url.endsWith('/team/profiles'));
  assert.equal((await push(url, 'shop')).status, 200);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal((await fetch(`${url}/metrics`)).status, 200);
  const redirected = await fetch(url, { redirect: 'manual' });
  assert.deepEqual([redirected.status, redirected.headers.get('location')], [308, '/team/profiles/']);
});

test('a foreign host name, as in DNS rebinding, is refused while the server is open', async (t) => {
  const { url } = await openServer(t);
  const { port } = new URL(url);
  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example']) {
    assert.equal(await statusWith(`${url}/healthz`, { host }), 403, host);
  }
  for (const host of [`localhost:${port}`, '127.0.0.1', `[::1]:${port}`, 'profiles.localhost']) {
    assert.equal(await statusWith(`${url}/healthz`, { host }), 200, host);
  }
  const any = await openServer(t, { anyHostName: true });
  assert.equal(await statusWith(`${any.url}/healthz`, { host: 'profiles.example' }), 200);
});

test('pages of other sites can neither read nor write', async (t) => {
  const { url } = await openServer(t);
  const { host } = new URL(url);
  const foreign = { origin: 'https://evil.example' };
  assert.equal(await statusWith(`${url}/ingest?name=x`, foreign, 'POST'), 403);
  assert.equal(await statusWith(`${url}/healthz`, { origin: 'null' }), 403);
  assert.equal(await statusWith(`${url}/ingest?name=x`, { 'sec-fetch-site': 'cross-site' }, 'POST'), 403);
  assert.equal(await statusWith(`${url}/healthz`, { origin: `http://${host}` }), 200);
  const forwarded = { origin: 'https://profiles.example', 'x-forwarded-host': 'profiles.example' };
  assert.equal(await statusWith(`${url}/healthz`, forwarded), 200);
});

test('with a token, only who sends it gets in', async (t) => {
  const token = 'a-token-of-24-characters';
  const { url } = await openServer(t, { token });
  assert.equal((await push(url, 'shop')).status, 401);
  const authorization = `Bearer ${token}`;
  assert.equal((await fetch(`${url}/metrics`)).status, 401);
  assert.equal((await fetch(`${url}/metrics`, { headers: { authorization } })).status, 200);
  const response = await fetch(`${url}/querier.v1.QuerierService/GetProfileStats`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: '{}',
  });
  assert.equal(response.status, 200);
  assert.equal(await statusWith(`${url}/healthz`, { host: 'profiles.example' }), 200);
});

test('a port in use is named, with who has it', async (t) => {
  const { url } = await openServer(t);
  const port = Number(new URL(url).port);
  await assert.rejects(openServer(t, { port }), (error) => {
    assert.ok(error instanceof StartupError);
    assert.match(
      error.message,
      new RegExp(`127.0.0.1:${port} is in use by another Cinderblock server; .*--port`),
    );
    return error.exitCode === 4;
  });
});

test('a folder in use, a file in its place and a foreign address are named', async (t) => {
  const dataFolder = temporaryFolder(t);
  await openServer(t, { dataFolder });
  await assert.rejects(openServer(t, { dataFolder }), (error) => {
    assert.ok(error instanceof StartupError);
    assert.match(error.message, /is in use by process \d+/);
    return error.exitCode === 4;
  });
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  await assert.rejects(openServer(t, { dataFolder: file }), (error) => {
    return error instanceof StartupError && error.message.includes(file) && !error.message.includes('\n');
  });
  await assert.rejects(openServer(t, { host: '192.0.2.1' }), (error) => {
    return (
      error instanceof StartupError && /192\.0\.2\.1 is not an address of this machine/.test(error.message)
    );
  });
});

test('a server that could not listen gives its folder back', async (t) => {
  const { url } = await openServer(t);
  const dataFolder = temporaryFolder(t);
  await assert.rejects(openServer(t, { dataFolder, port: Number(new URL(url).port) }));
  await openServer(t, { dataFolder });
});

test('closing twice is closing once', async (t) => {
  const server = await openServer(t);
  await Promise.all([server.close(), server.close()]);
  await assert.rejects(fetch(server.url));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toRequest, toResult } from '../../functions/http-event.ts';
import { bodyBytes, httpEvent, json } from './function-events.ts';

test('an event becomes the request that the caller sent', async () => {
  const body = Uint8Array.from({ length: 256 }, (_, i) => i);
  const event = httpEvent('/v1/tree?a=1&a=2&q=%7Bx%3D%22y%22%7D', { body, headers: { 'x-two': 'a,b' } });
  event.cookies = ['a=1', 'b=2'];
  const request = toRequest(event);
  const url = new URL(request.url);
  assert.deepEqual([request.method, url.pathname], ['POST', '/v1/tree']);
  assert.deepEqual(url.searchParams.getAll('a'), ['1', '2']);
  assert.equal(url.searchParams.get('q'), '{x="y"}');
  assert.deepEqual([request.headers.get('x-two'), request.headers.get('cookie')], ['a,b', 'a=1; b=2']);
  assert.deepEqual(new Uint8Array(await request.arrayBuffer()), body);
});

test('text bodies come as they are, and reads have none', async () => {
  assert.equal(await toRequest(httpEvent('/x', { body: '{"ä":1}' })).text(), '{"ä":1}');
  assert.equal(toRequest(httpEvent('/x', { method: 'GET' })).body, null);
  const odd = httpEvent('/x', { method: 'GET' });
  odd.body = '';
  assert.equal(toRequest(odd).body, null);
});

test('a path that was decoded on its way stays one path, and stays on this host', () => {
  const event = httpEvent('/v1/x', { method: 'GET' });
  event.rawPath = '//evil.example/v1/a?b#c';
  const url = new URL(toRequest(event).url);
  assert.deepEqual(
    [url.host, url.pathname, url.search, url.hash],
    ['hub', '//evil.example/v1/a%3Fb%23c', '', ''],
  );
});

test('text goes as text, all else as base64, with status, headers and cookies', async () => {
  const text = await toResult(Response.json({ name: 'ä' }, { status: 202 }));
  assert.deepEqual([text.statusCode, text.isBase64Encoded, text.body], [202, false, '{"name":"ä"}']);
  assert.equal(text.headers['content-type'], 'application/json');
  assert.equal(text.headers['x-content-type-options'], 'nosniff');
  const bytes = Uint8Array.of(0, 255, 128);
  const binaries: Record<string, string>[] = [
    { 'content-type': 'application/proto' },
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    { 'content-type': 'application/vnd.cinderblock.tree' },
  ];
  for (const headers of binaries) {
    const result = await toResult(new Response(bytes, { headers }));
    assert.equal(result.isBase64Encoded, true, JSON.stringify(headers));
    assert.deepEqual(new Uint8Array(bodyBytes(result)), bytes);
  }
  const headers = new Headers([
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ]);
  const withCookies = await toResult(new Response(null, { headers }));
  assert.deepEqual(
    [withCookies.cookies, withCookies.headers['set-cookie'], withCookies.body],
    [['a=1', 'b=2'], undefined, ''],
  );
});

test('an answer that Lambda cannot carry becomes one that says so', async () => {
  const headers = { 'content-type': 'application/proto' };
  // 6 MiB as Lambda carries them, less what is left for headers, are 4.5 MiB of bytes.
  const largest = await toResult(new Response(new Uint8Array(4_706_000), { headers }));
  assert.equal(largest.statusCode, 200);
  assert.ok(Buffer.byteLength(JSON.stringify(largest)) <= 6 * 1024 * 1024);
  const refused = await toResult(new Response(new Uint8Array(4_710_000), { headers }));
  assert.deepEqual([refused.statusCode, json(refused).code], [413, 'resource_exhausted']);
  assert.match(
    json(refused).message,
    /4710000 bytes, 6280000 as Lambda carries it.* at most 6291456; ask for a shorter/,
  );
});

test('text is measured as JSON writes it', async () => {
  const quotes = '"'.repeat(3_200_000);
  const refused = await toResult(new Response(quotes, { headers: { 'content-type': 'application/json' } }));
  assert.equal(refused.statusCode, 413);
});

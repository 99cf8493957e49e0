import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { openWebFiles } from '../../server/web-files.ts';
import { temporaryFolder } from './temporary-folder.ts';

async function open(t: TestContext) {
  const folder = join(temporaryFolder(t), 'dist');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, '..', 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'index.html'), '<!doctype html>');
  writeFileSync(join(folder, 'assets', 'main-abc.js'), 'let x;'.repeat(100));
  writeFileSync(join(folder, 'icon.png'), new Uint8Array([1, 2, 3]));
  const files = await openWebFiles(folder);
  return (path: string, headers: Record<string, string> = {}) =>
    files.respond(new Request(`http://x${encodeURI(path)}`, { headers }), path);
}

test('assets may be kept for ever, the page is asked for each time', async (t) => {
  const get = await open(t);
  const script = await get('/assets/main-abc.js');
  assert.equal(script!.headers.get('content-type'), 'text/javascript; charset=utf-8');
  assert.equal(script!.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  for (const path of ['/', '/flame/graph', '/index.html']) {
    const page = await get(path);
    assert.equal(await page!.text(), '<!doctype html>', path);
    assert.equal(page!.headers.get('cache-control'), 'no-cache');
  }
  assert.equal((await get('/icon.png'))!.headers.get('content-type'), 'image/png');
});

test('the policy allows nothing inline and nothing foreign', async (t) => {
  const get = await open(t);
  const policy = (await get('/'))!.headers.get('content-security-policy')!;
  assert.match(policy, /default-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.ok(!/unsafe|\*|https?:/.test(policy));
});

test('text goes in gzip where it is accepted', async (t) => {
  const get = await open(t);
  const zipped = await get('/assets/main-abc.js', { 'accept-encoding': 'gzip' });
  assert.equal(zipped!.headers.get('content-encoding'), 'gzip');
  assert.equal(gunzipSync(await zipped!.arrayBuffer()).toString(), 'let x;'.repeat(100));
  const image = await get('/icon.png', { 'accept-encoding': 'gzip' });
  assert.equal(image!.headers.get('content-encoding'), null);
});

test('only what is in the folder can be asked for', async (t) => {
  const get = await open(t);
  for (const path of [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '//secret.txt',
    '/gone.js',
  ]) {
    assert.equal(await get(path), undefined, path);
  }
});

test('a folder without a page is refused', async (t) => {
  await assert.rejects(openWebFiles(temporaryFolder(t)), /has no index\.html/);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BlockBuilder } from '../../core/block/block-builder.ts';
import { encodePprof } from '../../core/pprof/encode-pprof.ts';
import { addFolded } from '../../core/profile/folded-profile.ts';
import { cinderblock } from './kept-terminal.ts';

const home = mkdtempSync(join(tmpdir(), 'cinderblock-cli-push-'));
after(() => rmSync(home, { recursive: true }));

const folded = join(home, 'stacks.txt');
writeFileSync(folded, 'main;work 3\nmain;wait 1\n');
const pprof = join(home, 'cpu.pb.gz');
writeFileSync(pprof, gzipSync(aProfile()));
const broken = join(home, 'broken.pb');
writeFileSync(broken, aProfile().slice(0, -3));

function aProfile(): Uint8Array {
  const dataset = new BlockBuilder().dataset('s');
  const folded = { labels: [], batch: 0, valueScale: 1, startMs: 0, durationMs: 0 };
  addFolded(dataset, { ...folded, text: 'main;work 3\nmain;wait 1', profileType: 'p:cpu:nanoseconds::' });
  const rows = dataset.types.get('p:cpu:nanoseconds::')!;
  const values = new Float64Array(dataset.symbols.stacks.count);
  for (let i = 0; i < rows.entryStarts[1]!; i++) values[rows.stacks[i]!] = rows.values[i]!;
  return encodePprof({
    symbols: dataset.symbols,
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    values: [values],
    scale: [10_000_000],
    timeNanos: 1_763_717_400_000_000_000n,
    durationNanos: 10_000_000_000n,
  });
}

/** A server that answers as told, and what was asked of it. */
async function standIn(t: TestContext, answer: RequestListener): Promise<{ url: string; asked: URL[] }> {
  const asked: URL[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    asked.push(new URL(request.url!, 'http://x'));
    request.resume().on('end', () => answer(request, response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test('says what arrived, and carries name, labels, format and window', async (t) => {
  const { url, asked } = await standIn(t, (_, response) => response.end());
  const window = ['--from', '1763717400', '--until', '2025-11-21T09:31:00Z'];
  const labels = ['--name', 'shop', '--label', 'env=prod', '--label', 'pod=a-1'];
  const { code, out } = await cinderblock(['push', pprof, folded, ...labels, ...window, '--url', url]);
  assert.equal(code, 0);
  assert.match(
    out,
    /cpu\.pb\.gz: 2 samples, cpu 40 ms, 2025-11-21T09:30:00Z for 1 min as \{env="prod", pod="a-1", service_name="shop"\}/,
  );
  assert.match(out, /stacks\.txt: 4 samples, samples 4, /);
  assert.match(out, /^2 of 2 files, 6 samples, /m);
  const parameters = asked.map(({ pathname, searchParams }) => [pathname, Object.fromEntries(searchParams)]);
  const shared = { name: 'shop{env=prod,pod=a-1}', from: '1763717400000', until: '1763717460000' };
  assert.deepEqual(parameters, [
    ['/ingest', { ...shared, format: 'pprof' }],
    ['/ingest', { ...shared, format: 'groups', sampleRate: '100' }],
  ]);
});

test('a broken file is named and costs only itself', async (t) => {
  const { url, asked } = await standIn(t, (_, response) => response.end());
  const { code, out, notes } = await cinderblock(['push', broken, join(home, 'none'), pprof, '--url', url]);
  assert.equal(code, 2);
  assert.match(notes, /not pushed: .*broken\.pb: pprof: .*\(at byte \d+\)/);
  assert.match(notes, /not pushed: .*none/);
  assert.match(out, /1 of 3 files/);
  assert.equal(asked.length, 1);
});

test('tries again after a clear "not now", and only then', async (t) => {
  let calls = 0;
  const busyOnce = await standIn(t, (_, response) => {
    response.writeHead(++calls === 1 ? 503 : 200).end();
  });
  assert.equal((await cinderblock(['push', pprof, '--url', busyOnce.url])).code, 0);
  assert.equal(busyOnce.asked.length, 2);
  // Whether a push was stored whose answer broke off nobody knows: repeated, it might count twice.
  const unclear = await standIn(t, (_, response) => void response.destroy());
  const { code, notes } = await cinderblock(['push', pprof, folded, '--url', unclear.url]);
  assert.equal(code, 4);
  assert.match(notes, /no answer from/);
  assert.equal(unclear.asked.length, 1);
});

test('a refusal ends the push with its reason', async (t) => {
  const { url } = await standIn(t, (_, response) => {
    response.writeHead(401).end('{"code":"unauthenticated","message":"the token is unknown or revoked"}');
  });
  const { code, notes } = await cinderblock(['push', pprof, folded, '--url', url]);
  assert.equal(code, 3);
  assert.match(notes, /the token is unknown or revoked/);
});

test('labels and services that the wire cannot carry are refused before anything is sent', async () => {
  for (const args of [
    ['--label', 'novalue'],
    ['--label', 'a=b,c'],
    ['--label', 'a-b=c'],
    ['--name', 'a b'],
    ['--from', 'then'],
  ]) {
    assert.equal((await cinderblock(['push', pprof, ...args])).code, 2, args.join(' '));
  }
});

test('Ctrl-C ends a push that waits', async (t) => {
  const abort = new AbortController();
  const { url } = await standIn(t, () => abort.abort());
  const { code, notes } = await cinderblock(['push', pprof, '--url', url], { signal: abort.signal });
  assert.equal(code, 130);
  assert.equal(notes, 'interrupted');
});

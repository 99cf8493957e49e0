import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { pprofOf } from '../api/pprof-fixture.ts';
import { spawnServer } from './server-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

test('it says where it is, and Ctrl-C stores what is queued and ends with 0', async (t) => {
  const data = temporaryFolder(t);
  const server = spawnServer(t, ['--port', '0', '--data', data]);
  const url = await server.ready;
  assert.match(server.output(), new RegExp(`data +${data}`));
  assert.match(server.output(), /access +open to this machine/);
  const body = pprofOf({ stacks: { a: [1] }, timeMs: Date.now() - 10_000 });
  assert.equal((await fetch(`${url}/ingest?name=x&format=pprof`, { method: 'POST', body })).status, 200);
  server.child.kill('SIGINT');
  assert.deepEqual(await server.ended, { code: 0, signal: null });
  assert.match(server.output(), /stopped\n$/);
  assert.ok(existsSync(join(data, 'objects')));
});

test('SIGTERM ends it with 0 too, and --quiet prints nothing', async (t) => {
  const port = await freePort();
  const server = spawnServer(t, ['--port', String(port), '--quiet'], {
    CINDERBLOCK_DATA: temporaryFolder(t),
  });
  const isUp = () =>
    fetch(`http://127.0.0.1:${port}/healthz`).then(
      () => true,
      () => false,
    );
  while (!(await isUp())) await new Promise((resolve) => setTimeout(resolve, 50));
  server.child.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);
  assert.equal(server.output(), '');
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

test('a second Ctrl-C ends it at once, unless it is the same press passed on twice', async (t) => {
  const server = spawnServer(t, ['--port', '0', '--data', temporaryFolder(t)]);
  const url = await server.ready;
  // A request that never ends keeps the first one waiting.
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
  const hanging = fetch(`${url}/ingest?name=x`, { method: 'POST', body, duplex: 'half' } as RequestInit);
  hanging.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 200));
  server.child.kill('SIGINT');
  while (!server.output().includes('stopping')) await new Promise((resolve) => setTimeout(resolve, 10));
  server.child.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(server.child.exitCode, null);
  server.child.kill('SIGINT');
  assert.equal((await server.ended).code, 130);
});

test('a flag beats the environment', async (t) => {
  const data = temporaryFolder(t);
  const env = { CINDERBLOCK_DATA: '/nowhere/at/all', CINDERBLOCK_PORT: 'x', CINDERBLOCK_HOST: '192.0.2.1' };
  const server = spawnServer(t, ['--port', '0', '--data', data, '--host', '127.0.0.1'], env);
  await server.ready;
  assert.match(server.output(), new RegExp(data));
});

test('a wrong command ends with 2 and one line', async (t) => {
  const server = spawnServer(t, ['--port', '70000']);
  assert.equal((await server.ended).code, 2);
  assert.equal(server.output(), 'cinderblock: port "70000" must be a number from 0 to 65535\n');
});

test('a folder that another server has ends it with 4 and one line', async (t) => {
  const data = temporaryFolder(t);
  const first = spawnServer(t, ['--port', '0', '--data', data]);
  await first.ready;
  const second = spawnServer(t, ['--port', '0', '--data', data]);
  assert.equal((await second.ended).code, 4);
  assert.match(
    second.output(),
    new RegExp(`^cinderblock: [^\n]*is in use by process ${first.child.pid} [^\n]*\n$`),
  );
});

test('--help and --version', async (t) => {
  const help = spawnServer(t, ['--help']);
  assert.equal((await help.ended).code, 0);
  assert.match(help.output(), /--data FOLDER/);
  const version = spawnServer(t, ['--version']);
  await version.ended;
  assert.match(version.output(), /^cinderblock \d+\.\d+\.\d+\n$/);
});

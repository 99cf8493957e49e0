import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { signedRequest } from '../api/signed-request.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import { batchOf } from '../pipeline/fixtures.ts';
import { type ServerProcess, spawnServer } from '../server/server-process.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';

// An agent that keeps trying, and a server that is killed with SIGKILL again and again while it takes batches, stores
// them and answers queries. Afterwards every batch must be there exactly once.

const SEED = Number(process.env.CINDERBLOCK_SEED ?? Math.floor(Math.random() * 2 ** 31));
const KILLS = Number(process.env.CINDERBLOCK_RUNS ?? 6);

const KEY = { accessKeyId: 'CBKILLTEST', secret: 'a secret', cluster: 'c', createdAt: 0 };
const PATH = '/v1/clusters/c/batches';

/** Batch n is n + 1 samples of a function of its own. */
function batch(sequence: number): Uint8Array<ArrayBuffer> {
  const start = Math.floor(Date.now() / 10_000) * 10_000 - 60_000;
  const rows = [{ service: 'shop', stacks: { [`batch${sequence}`]: sequence + 1 }, start }];
  return new Uint8Array(batchOf(sequence, rows, { firstWindow: start, lastWindow: start + 10_000 }));
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

async function addKey(folder: string): Promise<void> {
  const storage = await openEmbeddedStorage({ folder, clock: Date.now });
  await storage.registry.createCluster({ cluster: 'c', displayName: 'c', status: 'active', createdAt: 0 });
  await storage.registry.addCredential(KEY);
  await storage.close();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Sends one batch until it is acknowledged. */
async function deliver(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  for (;;) {
    try {
      const response = await fetch(
        url + PATH,
        await signedRequest(url + PATH, bytes, { ...KEY, at: Date.now() }),
      );
      const text = await response.text();
      if (response.status === 202) return;
      assert.equal(response.status, 503, text);
    } catch (error) {
      // No answer: it may have been taken or not, so it is sent again.
      if (error instanceof assert.AssertionError) throw error;
    }
    await pause(20);
  }
}

async function queueOf(url: string): Promise<{ waiting: number; dead: number; oldestMs: number }> {
  const health = (await (await fetch(`${url}/healthz`)).json()) as {
    queue: { waiting: number; dead: number; oldestMs: number };
  };
  return health.queue;
}

async function stored(url: string): Promise<string[]> {
  const params = new URLSearchParams({
    profile_type: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    selector: '{service_name="shop"}',
    start: String(Date.now() - 3_600_000),
    end: String(Date.now()),
    format: 'folded',
  });
  const response = await fetch(`${url}/v1/export?${params}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

test(`kill -9 of the server at random moments loses nothing and doubles nothing (seed ${SEED})`, async (t) => {
  const random = randomFrom(SEED);
  const folder = temporaryFolder(t);
  await addKey(folder);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const startServer = async (): Promise<ServerProcess> => {
    const server = spawnServer(t, ['--port', String(port), '--data', folder]);
    await server.ready;
    return server;
  };

  let sequence = 0;
  let isOver = false;
  const sender = async () => {
    while (!isOver) {
      const mine = ++sequence;
      await deliver(url, batch(mine));
      await pause(random() * 20);
    }
  };
  let server = await startServer();
  const senders = Promise.all([sender(), sender(), sender()]);
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(random() * 1500);
    server.child.kill('SIGKILL');
    await server.ended;
    server = await startServer();
  }
  isOver = true;
  await senders;
  // What the last kill left half done is hidden for a few seconds.
  while ((await queueOf(url)).waiting > 0) await pause(200);
  server.child.kill('SIGTERM');
  assert.equal((await server.ended).code, 0, server.output());

  server = await startServer();
  const expected = Array.from({ length: sequence }, (_, i) => `batch${i + 1} ${i + 2}`).sort();
  assert.ok(sequence > KILLS, `only ${sequence} batches were sent`);
  assert.deepEqual(await stored(url), expected);
  assert.deepEqual(await queueOf(url), { waiting: 0, dead: 0, oldestMs: 0 });
});

// The agent as a process: it samples (its own Node.js processes, as that works everywhere), sends, stops and comes back.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { answerInspector } from '../../agent/node/answer-inspector.ts';
import { readSpool } from '../../agent/spool/read-spool.ts';
import type { BatchOrigin } from '../../core/batch/batch-origin.ts';
import { BlockReader, bytesSource } from '../../core/block/block-reader.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { hangUp, type Reaction, type ReceivedRequest, ScriptedHub } from './scripted-hub.ts';

const MAIN = join(import.meta.dirname, '../../agent/main.ts');

interface RunningAgent {
  readonly child: ChildProcess;
  readonly said: () => string;
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-agent-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

async function hubOf(t: TestContext, otherwise?: Reaction): Promise<{ hub: ScriptedHub; hubUrl: string }> {
  const hub = new ScriptedHub([], otherwise);
  const hubUrl = await hub.listen();
  t.after(() => hub.close());
  return { hub, hubUrl };
}

function start(t: TestContext, hubUrl: string, folder: string, more: NodeJS.ProcessEnv = {}): RunningAgent {
  const env = {
    PATH: process.env.PATH,
    CINDERBLOCK_HUB_URL: hubUrl,
    CINDERBLOCK_CLUSTER: 'c',
    CINDERBLOCK_NODE: 'n',
    CINDERBLOCK_ACCESS_KEY_ID: 'AKID',
    CINDERBLOCK_SECRET_ACCESS_KEY: 'secret',
    CINDERBLOCK_AGENT_DIR: folder,
    CINDERBLOCK_ENGINE: 'node',
    CINDERBLOCK_WINDOW_SECONDS: '1',
    CINDERBLOCK_FLUSH_SECONDS: '1',
    ...more,
  };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    env,
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => (said += text));
  t.after(() => child.kill('SIGKILL'));
  return { child, said: () => said };
}

async function until(isDone: () => boolean, what: () => string): Promise<void> {
  for (let i = 0; i < 400 && !isDone(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(isDone(), what());
}

function batchesOf(hub: ScriptedHub): ReceivedRequest[] {
  return hub.received.filter(({ path }) => path.endsWith('/batches'));
}

async function open(request: ReceivedRequest): Promise<{ origin: BatchOrigin; services: string[] }> {
  const block = await BlockReader.open(bytesSource(request.body), zstdCodec);
  await block.verify();
  return {
    origin: block.directory.origin!,
    services: block.directory.datasets.map(({ service }) => service),
  };
}

test('samples, sends signed batches and heartbeats, and stops in order', async (t) => {
  const { hub, hubUrl } = await hubOf(t);
  const folder = temporaryFolder(t);
  const { child, said } = start(t, hubUrl, folder);
  await until(() => batchesOf(hub).length >= 2, said);
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0, said());
  const origins = await Promise.all(batchesOf(hub).map(open));
  assert.deepEqual(
    origins.map(({ origin }) => origin.sequence),
    origins.map((_, i) => i + 1),
  );
  for (const { origin } of origins) {
    assert.equal(origin.cluster, 'c');
    assert.equal(origin.taken, origin.kept + origin.dropped);
  }
  assert.equal(readSpool(join(folder, 'spool')).waiting, 0);
  const beats = hub.received.filter(({ path }) => path.endsWith('/heartbeat'));
  const body = JSON.parse(beats.at(-1)!.body.toString());
  assert.equal(body.engine, 'node');
  assert.equal(
    body.counters.samplesKept,
    origins.reduce((sum, { origin }) => sum + origin.kept, 0),
  );
  assert.ok(Object.values(body.counters).every((value) => value !== 0));
  const { spoolId, ...account } = body.spool;
  assert.equal(spoolId, readFileSync(join(folder, 'spool', 'id'), 'utf8').trim());
  assert.deepEqual(account, { batches: 0, samples: 0, hours: [] });
  assert.match(said(), /^profiles only Cinderblock itself \(engine node\)/);
});

test('what cannot be sent waits on disk over a kill -9, and the next start sends it', async (t) => {
  const folder = temporaryFolder(t);
  const { hub: deaf, hubUrl: deafUrl } = await hubOf(t, hangUp);
  const first = start(t, deafUrl, folder);
  await until(() => batchesOf(deaf).length >= 1, first.said);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const before = readSpool(join(folder, 'spool'));
  assert.ok(before.waiting >= 1);
  const { hub, hubUrl } = await hubOf(t);
  const second = start(t, hubUrl, folder);
  await until(() => batchesOf(hub).length > before.waiting, second.said);
  const sent = await Promise.all(batchesOf(hub).map(open));
  const expected = before.entries.map(({ bootId, sequence }) => `${bootId}/${sequence}`);
  assert.deepEqual(
    sent.slice(0, expected.length).map(({ origin }) => `${origin.bootId}/${origin.sequence}`),
    expected,
  );
  assert.notEqual(sent.at(-1)!.origin.bootId, sent[0]!.origin.bootId);
  assert.match(second.said(), /from before wait on disk and are sent now/);
});

test('profiles the process that started it, where that answers', async (t) => {
  const { hub, hubUrl } = await hubOf(t);
  const { child, said } = start(t, hubUrl, temporaryFolder(t), {
    CINDERBLOCK_SERVER_PID: String(process.pid),
  });
  answerInspector(child);
  const busy = setInterval(() => {
    for (let end = performance.now() + 30; performance.now() < end; ) {}
  }, 50);
  t.after(() => clearInterval(busy));
  const services = new Set<string>();
  let opened = 0;
  for (let i = 0; i < 200 && !services.has('cinderblock-server'); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const batch of batchesOf(hub).slice(opened)) {
      for (const service of (await open(batch)).services) services.add(service);
      opened++;
    }
  }
  assert.ok(services.has('cinderblock-server'), `${[...services]}\n${said()}`);
});

test('stops when the server that started it is gone', async (t) => {
  const { hub, hubUrl } = await hubOf(t);
  const { child, said } = start(t, hubUrl, temporaryFolder(t), {
    CINDERBLOCK_SERVER_PID: String(process.pid),
  });
  await until(() => batchesOf(hub).length >= 1, said);
  child.stdin!.end();
  const [code] = await once(child, 'exit');
  assert.equal(code, 0, said());
});

test('a second agent on the same folder is refused', async (t) => {
  const { hub, hubUrl } = await hubOf(t);
  const folder = temporaryFolder(t);
  const first = start(t, hubUrl, folder);
  await until(() => hub.received.length >= 1, first.said);
  const second = start(t, hubUrl, folder);
  const [code] = await once(second.child, 'exit');
  assert.equal(code, 2);
  assert.match(second.said(), new RegExp(`the agent with pid ${first.child.pid} uses ${folder}`));
});

test('a wrong setting is named with what was seen and what is allowed', async (t) => {
  const { child, said } = start(t, 'http://127.0.0.1:1', temporaryFolder(t), {
    CINDERBLOCK_FREQUENCY: '5000',
  });
  const [code] = await once(child, 'exit');
  assert.equal(code, 2);
  assert.match(
    said(),
    /CINDERBLOCK_FREQUENCY \(--frequency\) must be a whole number from 1 to 999, not "5000"/,
  );
});

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../cli/cinderblock.mjs', import.meta.url));
const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url));

interface Run {
  child: ChildProcess;
  out(): string;
  /** Code and signal with which it ended. */
  ended: Promise<[number | null, NodeJS.Signals | null]>;
}

function launch(args: readonly string[], launcher = LAUNCHER): Run {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout!.on('data', (chunk) => (text += chunk));
  child.stderr!.on('data', (chunk) => (text += chunk));
  return { child, out: () => text, ended: once(child, 'close') as Run['ended'] };
}

test('passes arguments on and the exit code back', async () => {
  const version = launch(['--version']);
  assert.deepEqual(await version.ended, [0, null]);
  assert.equal(version.out(), `cinderblock ${JSON.parse(readFileSync(PACKAGE, 'utf8')).version}\n`);
  assert.deepEqual(await launch(['query', 'nothing']).ended, [2, null]);
});

test('says what to do when dependencies are not installed', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'cinderblock-launcher-'));
  t.after(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, 'product', 'cli'), { recursive: true });
  cpSync(LAUNCHER, join(home, 'product', 'cli', 'cinderblock.mjs'));
  const run = launch(['--version'], join(home, 'product', 'cli', 'cinderblock.mjs'));
  assert.deepEqual(await run.ended, [1, null]);
  assert.match(run.out(), /npm ci/);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} stops a server cleanly`, async (t) => {
    const data = mkdtempSync(join(tmpdir(), 'cinderblock-launcher-data-'));
    t.after(() => rmSync(data, { recursive: true }));
    const run = launch(['serve', '--port', '0', '--data', data, '--no-agent', '--no-web']);
    t.after(() => run.child.kill('SIGKILL'));
    while (!run.out().includes('ready in')) {
      await Promise.race([once(run.child.stdout!, 'data'), run.ended.then(() => assert.fail(run.out()))]);
    }
    run.child.kill(signal);
    assert.deepEqual(await run.ended, [0, null]);
    assert.match(run.out(), /stopped\n$/);
  });
}

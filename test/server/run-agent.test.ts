import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type RunningAgent, runAgent } from '../../server/run-agent.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Runs a program in place of the agent. */
function start(
  t: TestContext,
  program: string,
): { agent: RunningAgent; lines: string[]; exits: string[]; folder: string } {
  const folder = temporaryFolder(t);
  const main = join(folder, 'agent.mjs');
  writeFileSync(main, program);
  const lines: string[] = [];
  const exits: string[] = [];
  const agent = runAgent({
    ...{
      hubUrl: 'http://127.0.0.1:1',
      cluster: 'local',
      node: 'n',
      accessKeyId: 'id',
      secretAccessKey: 'secret',
    },
    dataFolder: folder,
    main,
    onLine: (line) => lines.push(line),
    onEngineRuns: () => lines.push('engine runs'),
    onExit: (reason, retryMs) => exits.push(`${reason}, ${retryMs}`),
  });
  t.after(() => agent.stop(0));
  return { agent, lines, exits, folder };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('it gets its settings by the environment, and what it prints is passed on', async (t) => {
  const { lines, folder } = start(
    t,
    `const { CINDERBLOCK_HUB_URL: a, CINDERBLOCK_CLUSTER: b, CINDERBLOCK_NODE: c, CINDERBLOCK_ACCESS_KEY_ID: d,
       CINDERBLOCK_SECRET_ACCESS_KEY: e, CINDERBLOCK_AGENT_DIR: f } = process.env;
     console.log(JSON.stringify([a, b, c, d, e, f])); console.error('warned'); setInterval(() => {}, 1000);`,
  );
  await until(() => lines.length === 2);
  assert.deepEqual(JSON.parse(lines.find((line) => line.startsWith('['))!), [
    ...['http://127.0.0.1:1', 'local', 'n', 'id', 'secret', join(folder, 'agent')],
  ]);
  assert.ok(lines.includes('warned'));
});

test('stopping is SIGTERM, and waits until it has flushed', async (t) => {
  const { agent, lines, folder, exits } = start(
    t,
    `import { writeFileSync } from 'node:fs';
     process.on('SIGTERM', () => setTimeout(() => { writeFileSync(new URL('flushed', import.meta.url), ''); process.exit(0); }, 200));
     setInterval(() => {}, 1000); console.log('up');`,
  );
  await until(() => lines.includes('up'));
  await agent.stop(10_000);
  assert.ok(existsSync(join(folder, 'flushed')));
  assert.deepEqual(exits, []);
});

test('one that does not stop is killed, with all that it started', async (t) => {
  const { agent, lines } = start(
    t,
    `import { spawn } from 'node:child_process';
     process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
     console.log(spawn('sleep', ['60'], { stdio: 'ignore' }).pid);`,
  );
  await until(() => lines.length > 0);
  await agent.stop(100);
  // A killed child that nobody waited for yet stays as a zombie.
  await until(() => !isRunning(Number(lines[0])));
});

test('one that ends by itself is started again', async (t) => {
  const { exits, lines } = start(t, `console.log('up'); process.exit(3);`);
  await until(() => lines.length >= 2);
  assert.equal(exits[0], 'ended with exit code 3, 1000');
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

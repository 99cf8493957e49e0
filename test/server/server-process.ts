import { type ChildProcess, spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../server/main.ts', import.meta.url));

export interface ServerProcess {
  child: ChildProcess;
  /** All that it printed so far. */
  output(): string;
  /** Resolves with the URL once it is ready; rejects when it ends before. */
  ready: Promise<string>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** `server/main.ts` as a process of its own, killed when the test ends. */
export function spawnServer(t: TestContext, args: string[], env: Record<string, string> = {}): ServerProcess {
  const argv = ['--disable-warning=ExperimentalWarning', MAIN, '--no-agent', '--no-web', ...args];
  const child = spawn(process.execPath, argv, {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const ready = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk) => {
        output += chunk;
        const url = /page +(\S+)\/\n.*ready in/s.exec(output)?.[1];
        if (url) resolve(url);
      });
    }
    ended.then(({ code }) => reject(new Error(`ended with ${code} before it was ready: ${output}`)));
  });
  ready.catch(() => undefined);
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, output: () => output, ready, ended };
}

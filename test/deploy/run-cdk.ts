import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const CDK = join(ROOT, 'node_modules/aws-cdk/bin/cdk');
/** Of each command. */
const TIMEOUT_MS = 120_000;

export interface FinishedRun {
  output: string;
  seconds: number;
}

/** Runs the stock CDK CLI of this project. @throws Error with its output when it fails or takes too long */
export function runCdk(
  args: readonly string[],
  env: Record<string, string>,
  cwd = ROOT,
): Promise<FinishedRun> {
  return runNode([CDK, ...args], env, cwd);
}

/** Runs a program of this project. @throws Error with its output when it fails or takes too long */
export async function runNode(
  args: readonly string[],
  env: Record<string, string>,
  cwd = ROOT,
): Promise<FinishedRun> {
  const start = performance.now();
  const child = spawn(process.execPath, args, {
    ...{ cwd, env, stdio: ['ignore', 'pipe', 'pipe'] },
    // A group of its own: what it starts ends with it.
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += data));
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), TIMEOUT_MS);
  const [code] = await once(child, 'exit');
  clearTimeout(late);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}\n${output.slice(-6000)}`);
  return { output, seconds: (performance.now() - start) / 1000 };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessPlan {
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** A file or folder that goes when the process has ended. */
  removeAfter?: string;
}

export interface RunningStandIn {
  endpoint: string;
  stop(): Promise<void>;
}

/** A server must answer within this time, whatever it answers, in ms. */
const START_TIMEOUT_MS = 60_000;

/** How long a server may take to end by itself before it is killed, in ms. */
const STOP_TIMEOUT_MS = 3_000;

/** The last of what a server printed, to be shown when it does not start. */
const KEPT_OUTPUT = 4_000;

/** Starts a server on a free port of 127.0.0.1 and waits until it answers. */
export async function startStandIn(plan: (port: number) => Promise<ProcessPlan>): Promise<RunningStandIn> {
  const port = await freePort();
  const { command, args, env, removeAfter } = await plan(port);
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = gather(child);
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await end(child);
    if (removeAfter !== undefined) await rm(removeAfter, { recursive: true, force: true });
  };
  try {
    await untilAnswering(endpoint, child);
  } catch (error) {
    await stop();
    throw new Error(`${command} did not start: ${(error as Error).message}\n${output()}`);
  }
  return { endpoint, stop };
}

/** A port of 127.0.0.1 that nobody listened on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

function gather(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => (output = (output + data).slice(-KEPT_OUTPUT)));
  }
  return () => output;
}

async function untilAnswering(endpoint: string, child: ChildProcess): Promise<void> {
  let spawnError: Error | undefined;
  child.on('error', (error) => (spawnError = error));
  for (const until = Date.now() + START_TIMEOUT_MS; Date.now() < until; await sleep(100)) {
    if (spawnError) throw spawnError;
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
    const answered = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) }).then(
      () => true,
      () => false,
    );
    if (answered) return;
  }
  throw new Error(`it did not answer within ${START_TIMEOUT_MS} ms`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const killing = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(killing);
}

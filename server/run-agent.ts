import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isEngineRuns } from '../agent/engine/engine-runs.ts';
import { answerInspector } from '../agent/node/answer-inspector.ts';

const AGENT_MAIN = fileURLToPath(new URL('../agent/cinderblock-agent.mjs', import.meta.url));

/** The agent holds little; without these V8 takes memory in advance that it never needs. */
const AGENT_NODE_OPTIONS = [
  '--disable-warning=ExperimentalWarning',
  '--max-old-space-size=64',
  '--max-semi-space-size=1',
];

const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 60_000;
/** A run this long was a good one: the next failure starts at the short wait again. */
const GOOD_RUN_MS = 60_000;

export interface AgentOptions {
  hubUrl: string;
  cluster: string;
  node: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Of the server; the agent gets a folder of its own below. */
  dataFolder: string;
  /** The program to run, where it is not the agent of this installation. */
  main?: string;
  /** A line that the agent prints. */
  onLine(line: string): void;
  /** An engine takes samples. */
  onEngineRuns(): void;
  /** The agent ended by itself and is started again in `retryMs`. */
  onExit(reason: string, retryMs: number): void;
}

export interface RunningAgent {
  /** SIGTERM, on which the agent uploads what it holds; SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export function hasAgent(): boolean {
  return existsSync(AGENT_MAIN);
}

/**
 * Keeps this machine's agent running as a process of its own, in a process group of its own: Ctrl-C in a terminal
 * reaches the server alone, which then stops the agent in order. The agent's standard input is a pipe that closes when
 * this process ends, however that happens.
 */
export function runAgent(options: AgentOptions): RunningAgent {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isStopping = false;
  let backoffMs = BACKOFF_MIN_MS;

  function start(): void {
    const startedAt = performance.now();
    child = spawnAgent(options);
    child.on('error', () => undefined);
    child.on('close', (code, signal) => {
      child = undefined;
      if (isStopping) return;
      if (performance.now() - startedAt > GOOD_RUN_MS) backoffMs = BACKOFF_MIN_MS;
      options.onExit(signal ? `was killed by ${signal}` : `ended with exit code ${code}`, backoffMs);
      timer = setTimeout(start, backoffMs);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    });
  }

  const killNow = () => {
    if (child?.pid !== undefined) killGroup(child.pid);
  };
  process.once('exit', killNow);
  start();
  return {
    async stop(graceMs) {
      isStopping = true;
      clearTimeout(timer);
      process.off('exit', killNow);
      if (child) await endChild(child, graceMs);
    },
  };
}

function spawnAgent(options: AgentOptions): ChildProcess {
  const child = spawn(process.execPath, [...AGENT_NODE_OPTIONS, options.main ?? AGENT_MAIN], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      // One heap for all threads: several cost the agent some 5 MB of memory and gain it nothing.
      MALLOC_ARENA_MAX: '1',
      CINDERBLOCK_HUB_URL: options.hubUrl,
      CINDERBLOCK_CLUSTER: options.cluster,
      CINDERBLOCK_NODE: options.node,
      CINDERBLOCK_ACCESS_KEY_ID: options.accessKeyId,
      CINDERBLOCK_SECRET_ACCESS_KEY: options.secretAccessKey,
      CINDERBLOCK_AGENT_DIR: join(options.dataFolder, 'agent'),
      // So that it names this process, and ends when its standard input does.
      CINDERBLOCK_SERVER_PID: String(process.pid),
    },
  });
  child.stdin?.on('error', () => undefined);
  // Where no engine can run, the agent asks to profile this process, so that there is something to see.
  answerInspector(child);
  child.on('message', (message) => isEngineRuns(message) && options.onEngineRuns());
  for (const stream of [child.stdout!, child.stderr!])
    createInterface({ input: stream }).on('line', options.onLine);
  return child;
}

async function endChild(child: ChildProcess, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.pid !== undefined && killGroup(child.pid), graceMs);
  await closed;
  clearTimeout(timer);
}

/** The agent and the engine that it started. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

import { readFileSync } from 'node:fs';
import { RejectedError } from '../core/errors.ts';
import { type AgentSettings, readSettings } from './agent-settings.ts';
import type { EngineName } from './engine/engine.ts';
import { ENGINE_RUNS } from './engine/engine-runs.ts';
import { ensureSampler } from './engine/ensure-sampler.ts';
import { lockFolder } from './folder-lock.ts';
import { isFileSystemError } from './spool/spool-fs.ts';
import { Supervisor } from './supervisor.ts';

const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

/** Runs the agent until it is told to stop. Ends the process when it cannot start. */
export function runAgent(args: readonly string[]): void {
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  startAgent(args).catch(fail);
}

async function startAgent(args: readonly string[]): Promise<void> {
  const settings = readSettings(args, process.env);
  // A secret in the environment is read once; whatever this process starts does not get it.
  delete process.env.CINDERBLOCK_SECRET_ACCESS_KEY;
  const unlock = lockFolder(settings.folder);
  const { engine, samplerBinary } = await chooseEngine(settings);
  const supervisor = new Supervisor({ settings, version: productVersion(), engine, samplerBinary, log });
  stopOnRequest(supervisor, settings, unlock);
  await supervisor.start();
  // The server that started this agent says "ready" when samples are being taken, not while the sampler is built.
  process.send?.(ENGINE_RUNS);
}

/** Which engine runs, said in one line. */
async function chooseEngine(
  settings: AgentSettings,
): Promise<{ engine: EngineName; samplerBinary?: string }> {
  const { engine, frequency, sampler } = settings;
  if (engine !== 'node') {
    const found = await ensureSampler({ binary: sampler, progress: (line) => log('info', line) });
    if ('binary' in found) {
      log('info', `samples every process of this machine ${frequency} times a second (engine perf)`);
      return { engine: 'perf', samplerBinary: found.binary };
    }
    if (engine === 'perf') throw new RejectedError('invalid', found.remedy);
    log('warn', `profiles only Cinderblock itself (engine node), as ${found.remedy}`);
  } else log('info', 'profiles only Cinderblock itself (engine node), as CINDERBLOCK_ENGINE asks for');
  return { engine: 'node' };
}

/** SIGTERM, SIGINT, or the end of the server that started this agent. A second request ends it at once. */
function stopOnRequest(supervisor: Supervisor, settings: AgentSettings, unlock: () => void): void {
  let isStopping = false;
  const stop = () => {
    if (isStopping) process.exit(EXIT_FAILED);
    isStopping = true;
    supervisor.stop().then(
      () => {
        unlock();
        process.exit(0);
      },
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (settings.serverPid === undefined) return;
  // The server's end of this pipe closes when it dies, however that happens.
  process.stdin.resume().once('end', () => isStopping || stop());
  process.stdin.on('error', () => {});
}

function productVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function log(level: 'info' | 'warn' | 'error', message: string): void {
  const line = level === 'info' ? `${message}\n` : `${level}: ${message}\n`;
  (level === 'info' ? process.stdout : process.stderr).write(line);
}

function fail(error: unknown): never {
  if (error instanceof RejectedError) {
    log('error', error.message);
    process.exit(EXIT_USAGE);
  }
  if (isFileSystemError(error)) {
    log('error', `cannot use the folder CINDERBLOCK_AGENT_DIR (--agent-dir): ${(error as Error).message}`);
    process.exit(EXIT_FAILED);
  }
  log('error', error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(EXIT_FAILED);
}

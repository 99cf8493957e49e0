import { type ChildProcess, spawn } from 'node:child_process';
import { MalformedInputError } from '../../core/errors.ts';
import type { Clock } from '../clock.ts';
import { Backoff } from '../upload/backoff.ts';
import {
  type Engine,
  type EngineCondition,
  type EngineEvents,
  type Log,
  parseJson,
  parseStatus,
  restingCondition,
} from './engine.ts';
import { type Frame, FrameKind, FrameParser } from './sampler-frames.ts';

export interface SamplerOptions {
  readonly binary: string;
  /** Samples per second and CPU. */
  readonly frequency: number;
  readonly windowSeconds: number;
  /** CPU budget for finding names, percent of one core. */
  readonly symbolCpuPercent: number;
  readonly stackBytes: number;
  readonly hasKernel: boolean;
  /** What to add to the node's clock to get the hub's, ms; asked at every start. */
  readonly clockOffsetMs: () => number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** The first frame must come within this time. */
const HELLO_MS = 10_000;
/** A sampler that was told to stop writes its last window within this time, or is killed. */
const STOP_MS = 3_000;
/** No window for this many windows: it hangs. */
const SILENT_WINDOWS = 6;
/** Running this long, a crash is not one of a row. */
const STABLE_MS = 60_000;

/**
 * Runs the sampler as a child process and starts it again when it ends, with growing waits. It never outlives this
 * process: it ends when its standard input does.
 */
export class SamplerProcess implements Engine {
  readonly name = 'perf';
  condition: EngineCondition = restingCondition;
  crashes = 0;
  readonly #options: SamplerOptions;
  readonly #events: EngineEvents;
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  #run: Promise<void> = Promise.resolve();
  #child: ChildProcess | undefined;
  #isRestarting = false;
  #hasOpenWindow = false;

  constructor(options: SamplerOptions, events: EngineEvents) {
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff({ baseMs: 1_000, maxMs: 60_000, random: options.random });
  }

  start(): void {
    this.#run = this.#keepRunning();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    if (this.#child !== undefined) endChild(this.#child);
    await this.#run;
  }

  /** Ends the child in order, so that it comes back with the clock offset of now. */
  restart(): void {
    if (this.#child === undefined || this.#isRestarting) return;
    this.#isRestarting = true;
    endChild(this.#child);
  }

  async #keepRunning(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#stopped.signal.aborted) {
      this.#isRestarting = false;
      const startedAt = clock.monotonic();
      const reason = await this.#runOnce();
      if (this.#hasOpenWindow) this.#closeWindow(undefined);
      if (this.#stopped.signal.aborted) return;
      if (this.#isRestarting) continue;
      this.crashes++;
      if (clock.monotonic() - startedAt > STABLE_MS) this.#backoff.succeed();
      const waitMs = this.#backoff.fail();
      log('warn', `the sampler ${reason}; starting it again in ${(waitMs / 1000).toFixed(1)} s`);
      await clock.sleep(waitMs, this.#stopped.signal);
    }
  }

  /** @returns why it ended, once all of its output was read */
  #runOnce(): Promise<string> {
    const env = withoutSecrets(process.env);
    const child = spawn(this.#options.binary, this.#args(), { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    let problem: string | undefined;
    const kill = (why: string) => {
      problem ??= why;
      child.kill('SIGKILL');
    };
    let watchdog = setTimeout(() => kill(`said nothing for ${HELLO_MS / 1000} s`), HELLO_MS);
    const silentMs = SILENT_WINDOWS * this.#options.windowSeconds * 1000 + HELLO_MS;
    const parser = new FrameParser((frame) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => kill(`sent no window for ${silentMs / 1000} s`), silentMs);
      this.#onFrame(frame);
    });
    child.stdout!.on('data', (piece: Buffer) => {
      try {
        if (problem === undefined) parser.push(piece);
      } catch (error) {
        if (!(error instanceof MalformedInputError)) throw error;
        kill(`sent something else than frames: ${error.message}`);
      }
    });
    const lastWords = keepTail(child);
    child.stdin!.on('error', () => {});
    return new Promise((resolve) => {
      child.on('error', (error) => {
        problem ??= `cannot be started: ${error.message}`;
      });
      child.on('close', (code, signal) => {
        clearTimeout(watchdog);
        this.#child = undefined;
        const ended = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
        const words = lastWords();
        resolve(problem ?? (words === '' ? ended : `${ended}: ${words}`));
      });
    });
  }

  #args(): string[] {
    const { frequency, windowSeconds, symbolCpuPercent, stackBytes, clockOffsetMs, hasKernel } =
      this.#options;
    const args = {
      '--frequency': frequency,
      '--window': windowSeconds,
      '--clock-offset-ms': clockOffsetMs(),
      '--stack-bytes': stackBytes,
      '--symbol-cpu': symbolCpuPercent,
    };
    return [
      ...Object.entries(args).flatMap(([name, value]) => [name, String(value)]),
      ...(hasKernel ? [] : ['--no-kernel']),
    ];
  }

  #onFrame({ kind, payload }: Frame): void {
    switch (kind) {
      case FrameKind.profiles:
        this.#hasOpenWindow = true;
        this.#events.profiles(payload);
        break;
      case FrameKind.status:
        this.#onStatus(payload);
        break;
      case FrameKind.log: {
        const { level, message } = parseJson(payload);
        const known = level === 'error' || level === 'warn' ? level : 'info';
        this.#options.log(known, `sampler: ${String(message).slice(0, 500)}`);
        break;
      }
      case FrameKind.hello:
        this.#events.started(Number(parseJson(payload).pid));
        break;
      // Other kinds: a newer sampler may say more than this supervisor knows.
    }
  }

  #onStatus(payload: Uint8Array): void {
    const status = parseStatus(payload);
    const count = (name: string) => (Number.isFinite(status[name]) ? status[name]! : 0);
    const windowNs = Math.max(1, status.windowEndMs - status.windowStartMs) * 1e6;
    this.condition = {
      cpuPercent: (count('cpuNs') / windowNs) * 100,
      rssBytes: count('rssBytes'),
      pendingSymbols: count('pendingSymbols'),
      rooted: this.condition.rooted + count('rooted'),
      truncated: this.condition.truncated + count('truncated'),
      unattributed: this.condition.unattributed + count('unattributed'),
      throttled: this.condition.throttled + count('throttled'),
    };
    this.#closeWindow(status);
  }

  #closeWindow(status: Parameters<EngineEvents['windowClosed']>[0]): void {
    this.#hasOpenWindow = false;
    this.#events.windowClosed(status);
  }
}

/** Asks a child to end in order, and ends it otherwise when it takes too long. */
function endChild(child: ChildProcess): void {
  child.kill('SIGTERM');
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.once('close', () => clearTimeout(timer));
}

/** The last line that a child wrote to its standard error. */
function keepTail(child: ChildProcess): () => string {
  let tail = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-2000);
  });
  return () => tail.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
}

/** The sampler holds permissions of the kernel; what the supervisor gets in with is not for it. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(AWS|CINDERBLOCK)_/.test(name)));
}

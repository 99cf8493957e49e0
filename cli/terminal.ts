import { createInterface } from 'node:readline/promises';
import type { Writable } from 'node:stream';

/** What a command talks to. Tests give one that keeps what was written. */
export interface Terminal {
  /** Answers: text or bytes, to standard output. Resolves when there is room for more. */
  write(content: string | Uint8Array): Promise<void>;
  /** Notes, warnings and errors, one line, to standard error. */
  note(line: string): void;
  /** Replaces the progress line on standard error; "" removes it. Does nothing unless that is a terminal. */
  progress(line: string): void;
  /** Asks a person yes or no; undefined when nobody is there to answer. */
  readonly confirm?: (question: string) => Promise<boolean>;
  /** Whether standard output is a terminal, so that bytes would make a mess of it. */
  readonly isInteractive: boolean;
  /** Columns to cut text at; Infinity when nobody looks. */
  readonly width: number;
  /** Whether to use colour on standard output. */
  readonly color: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C: leave what is under way, clean up, throw its reason. */
  readonly signal: AbortSignal;
  /** Now, ms since epoch. */
  now(): number;
}

/** A signal, as a reason to abort. */
export class InterruptedError extends Error {
  override name = 'InterruptedError';
  /** 128 and the number of the signal, as shells have it. */
  readonly exitCode: number;
  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

/** Whoever read our output has left (`… | head`): nothing is wrong, and nothing is left to do. */
export class OutputClosedError extends Error {
  override name = 'OutputClosedError';
}

/** The terminal of this process. */
export function processTerminal(signal: AbortSignal): Terminal {
  const { stdout, stderr, env } = process;
  const showsProgress = stderr.isTTY === true;
  let progressShown = false;
  const clear = () => {
    if (progressShown) stderr.write('\r\x1b[K');
    progressShown = false;
  };
  return {
    async write(content) {
      clear();
      await written(stdout, content);
    },
    note(line) {
      clear();
      stderr.write(`${line}\n`);
    },
    progress(line) {
      if (!showsProgress) return;
      clear();
      if (line === '') return;
      stderr.write(line.slice(0, Math.max(1, (stderr.columns || 80) - 1)));
      progressShown = true;
    },
    confirm: process.stdin.isTTY && showsProgress ? (question) => askPerson(question, signal) : undefined,
    isInteractive: stdout.isTTY === true,
    width: widthOf(stdout.columns, env.COLUMNS),
    // https://no-color.org: set and not empty means none.
    color: stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb',
    env,
    signal,
    now: Date.now,
  };
}

async function askPerson(question: string, signal: AbortSignal): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Within a prompt, the terminal hands Ctrl-C to it and makes no signal of it.
  prompt.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `, { signal })).trim());
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    prompt.close();
  }
}

function widthOf(columns: number | undefined, asked: string | undefined): number {
  if (columns !== undefined && columns > 0) return columns;
  const wanted = Number(asked);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : Number.POSITIVE_INFINITY;
}

function written(stream: Writable, content: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(content, (error) => {
      if (!error) resolve();
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE')
        reject(new OutputClosedError('output closed'));
      else reject(error);
    });
  });
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** The text in a style, where the terminal shows styles. */
export function styled(terminal: Pick<Terminal, 'color'>, style: keyof typeof STYLES, text: string): string {
  return terminal.color ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}

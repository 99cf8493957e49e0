import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** One word of the command line and what it does. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /** Answers when done; the exit code is that of the error it throws, or what it returns. */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Takes options and positionals apart.
 * @throws UsageError naming the option that is unknown or lacks its value
 */
export function readOptions<const T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // node:util has codes for all that can be wrong with a command line; anything else is a bug.
    if (!String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')) throw error;
    throw new UsageError((error as Error).message.split('. To specify')[0]!);
  }
}

/** The value when it is one of `allowed`. @throws UsageError naming the option */
export function oneOf<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found !== undefined) return found;
  throw new UsageError(`${option} is "${value}", it may be ${allowed.join(', ')}`);
}

/** A whole number in [least, most]. @throws UsageError naming the option */
export function wholeNumber(option: string, text: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${option} is "${text}", it must be a whole number from ${least} to ${most}`);
}

import { CorruptBlockError, MalformedInputError, RejectedError, RetryableError } from '../core/errors.ts';

/** Exit codes, by what the caller does next. docs/cli.md lists them. */
export const ExitCode = {
  ok: 0,
  /** A bug, or something nobody foresaw. */
  bug: 1,
  /** The input or the command line is broken. */
  malformed: 2,
  /** The input is not allowed. */
  refused: 3,
  /** The same command may go through later. */
  retryable: 4,
  /** What is stored is damaged, or does not add up. */
  corrupt: 5,
  /** 128 + SIGINT, 128 + SIGTERM. */
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command line is not understood. The message says what is wrong. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError || error instanceof MalformedInputError) return ExitCode.malformed;
  if (error instanceof RejectedError)
    return error.reason === 'rate-limited' ? ExitCode.retryable : ExitCode.refused;
  if (error instanceof RetryableError) return ExitCode.retryable;
  if (error instanceof CorruptBlockError) return ExitCode.corrupt;
  return ExitCode.bug;
}

import { RetryableError } from '../core/errors.ts';

/** Why the server cannot start: one line for a person, and how the process ends. */
export class StartupError extends Error {
  override name = 'StartupError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Exit codes by what a person does next: fix the command, or try again once something else changed. */
export const EXIT_USAGE = 2;
export const EXIT_TRY_LATER = 4;
const EXIT_OTHER = 1;

const PROBE_MS = 1000;

/** Why a server cannot listen. Where another Cinderblock has the port, it says so. */
export async function listenError(
  host: string,
  port: number,
  error: NodeJS.ErrnoException,
): Promise<StartupError> {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE': {
      const other = (await isCinderblock(host, port)) ? 'another Cinderblock server' : 'another program';
      const message = `${where} is in use by ${other}; stop it, or choose another port with --port`;
      return new StartupError(message, EXIT_TRY_LATER, { cause: error });
    }
    case 'EACCES':
      return usage(`this user may not listen on port ${port}; choose one above 1023 with --port`, error);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return usage(`${host} is not an address of this machine; choose another with --host`, error);
    default:
      return new StartupError(`cannot listen on ${where}: ${error.message}`, EXIT_OTHER, { cause: error });
  }
}

/** Why a data folder cannot be used. */
export function storageError(folder: string, error: NodeJS.ErrnoException): StartupError {
  if (error instanceof RetryableError)
    return new StartupError(error.message, EXIT_TRY_LATER, { cause: error });
  if (error.code === 'EACCES' || error.code === 'EROFS' || error.code === 'EPERM') {
    return usage(`data folder ${folder} cannot be written by this user; choose another with --data`, error);
  }
  return new StartupError(`data folder ${folder}: ${error.message}`, EXIT_OTHER, { cause: error });
}

function usage(message: string, cause: unknown): StartupError {
  return new StartupError(message, EXIT_USAGE, { cause });
}

async function isCinderblock(host: string, port: number): Promise<boolean> {
  try {
    const address = host.includes(':') ? `[${host}]` : host;
    const response = await fetch(`http://${address}:${port}/healthz`, {
      signal: AbortSignal.timeout(PROBE_MS),
    });
    const health = (await response.json()) as { status?: unknown; queue?: unknown };
    return health.status === 'ok' && health.queue !== undefined;
  } catch {
    return false;
  }
}

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseRollUpLabels } from '../core/compaction/compaction-rules.ts';
import { isLoopback } from './own-pages-only.ts';
import { EXIT_USAGE, StartupError } from './startup-error.ts';

/** What a command line and its environment say, together. */
export interface ServeCommand {
  host: string;
  port: number;
  /** Absolute. */
  dataFolder: string;
  pathPrefix: string;
  /** Labels that series lose from windows of 1 h on. */
  rollUpLabels: readonly string[];
  token: string | undefined;
  /** Answer to anybody although there is no token. */
  open: boolean;
  agent: boolean;
  web: boolean;
  quiet: boolean;
  help: boolean;
  version: boolean;
}

export const USAGE = `Usage: cinderblock serve [options]

Runs Cinderblock on this machine: samples it, stores profiles in a folder, shows them in a browser.

  --host HOST      address to listen on (CINDERBLOCK_HOST, default 127.0.0.1)
  --port PORT      port to listen on, 0 for any free one (CINDERBLOCK_PORT, default 4040)
  --data FOLDER    where everything is kept (CINDERBLOCK_DATA, default .cinderblock)
  --prefix PATH    path below which everything lives (CINDERBLOCK_PREFIX, default none)
  --roll-up-labels LABELS
                   labels such as pod,container_id that windows of 1 h and more are kept without, so that years of
                   churning series stay small; who asks for one is answered from finer windows while these are kept
                   (CINDERBLOCK_ROLL_UP_LABELS, default none)
  --open           let anybody in on an address that others can reach
  --no-agent       do not profile this machine
  --no-web         do not serve the page
  --quiet          say only what went wrong
  --help           show this
  --version        show the version

CINDERBLOCK_TOKEN is the token (16 characters or more) that people and tools must send, by Basic or Bearer.
A flag beats the environment, the environment beats the default.
`;

const TOKEN_LENGTH_MIN = 16;

/** @throws StartupError(EXIT_USAGE) that names what is wrong */
export function parseServeCommand(
  argv: readonly string[],
  env: Record<string, string | undefined>,
): ServeCommand {
  const flags = readFlags(argv);
  const command: ServeCommand = {
    host: flags.host ?? (env.CINDERBLOCK_HOST || '127.0.0.1'),
    port: parsePort(flags.port ?? (env.CINDERBLOCK_PORT || '4040')),
    dataFolder: resolve(flags.data ?? (env.CINDERBLOCK_DATA || '.cinderblock')),
    pathPrefix: parsePrefix(flags.prefix ?? env.CINDERBLOCK_PREFIX ?? ''),
    rollUpLabels: parseLabels(flags['roll-up-labels'] ?? env.CINDERBLOCK_ROLL_UP_LABELS ?? ''),
    token: env.CINDERBLOCK_TOKEN || undefined,
    open: flags.open ?? false,
    agent: flags.agent ?? true,
    web: flags.web ?? true,
    quiet: flags.quiet ?? false,
    help: flags.help ?? false,
    version: flags.version ?? false,
  };
  if (!command.help && !command.version) checkAccess(command);
  return command;
}

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowNegative: true,
      options: {
        host: { type: 'string' },
        port: { type: 'string' },
        data: { type: 'string' },
        prefix: { type: 'string' },
        'roll-up-labels': { type: 'string' },
        open: { type: 'boolean' },
        agent: { type: 'boolean' },
        web: { type: 'boolean' },
        quiet: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw usage(`${(error as Error).message.split('. ')[0]}; --help lists the options`);
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw usage(`port "${text}" must be a number from 0 to 65535`);
}

function parsePrefix(text: string): string {
  const prefix = text.replace(/\/+$/, '');
  if (prefix === '' || /^(\/[A-Za-z0-9._~-]+)+$/.test(prefix)) return prefix;
  throw usage(`prefix "${text}" must be a path such as /profiles`);
}

function parseLabels(text: string): string[] {
  try {
    return parseRollUpLabels(text);
  } catch (error) {
    throw usage(`--roll-up-labels ${text}: ${(error as Error).message}`);
  }
}

/** Off loopback others can reach the server, so somebody must have decided who may. */
function checkAccess({ host, token, open }: ServeCommand): void {
  if (token !== undefined && token.length < TOKEN_LENGTH_MIN) {
    throw usage(`CINDERBLOCK_TOKEN has ${token.length} characters, it needs ${TOKEN_LENGTH_MIN} or more`);
  }
  if (token !== undefined || open || isLoopback(host)) return;
  throw usage(
    `${host} can be reached from other machines: set CINDERBLOCK_TOKEN to a secret of ${TOKEN_LENGTH_MIN} characters ` +
      'or more that people and tools must send, or pass --open to let anybody in',
  );
}

function usage(message: string): StartupError {
  return new StartupError(message, EXIT_USAGE);
}

import { hostname } from 'node:os';
import { isIdPart } from '../core/batch/batch-origin.ts';
import { RejectedError } from '../core/errors.ts';
import { regionOfHost } from './upload/aws-credentials.ts';
import type { Credentials } from './upload/credentials.ts';

/** How the engine is chosen: auto takes perf where it may run, and node elsewhere. */
export type EngineChoice = 'auto' | 'perf' | 'node';

/** Everything that can be set about an agent. */
export interface AgentSettings {
  readonly hubUrl: string;
  readonly cluster: string;
  readonly node: string;
  /** What to sign with, or to assume the role with; undefined: what AWS gives to whatever runs here. */
  readonly keyPair: Credentials | undefined;
  /** Role of the cluster in the hub's account, to be assumed. */
  readonly roleArn: string | undefined;
  readonly externalId: string | undefined;
  readonly region: string;
  /** Folder of the spool. */
  readonly folder: string;
  /** Samples per second and CPU. */
  readonly frequency: number;
  readonly windowSeconds: number;
  /** How often a batch is made. */
  readonly flushSeconds: number;
  readonly spoolBytesMax: number;
  readonly spoolAgeMaxMs: number;
  readonly engine: EngineChoice;
  /** A sampler to use instead of the one in agent/sampler. */
  readonly sampler: string | undefined;
  /** CPU budget of the sampler for finding names, percent of one core. */
  readonly symbolCpuPercent: number;
  readonly stackBytes: number;
  readonly hasKernel: boolean;
  readonly seriesMax: number;
  /** See drop-rules.ts. */
  readonly drop: string;
  /** The server that started this agent and stops with it; undefined when it runs on its own. */
  readonly serverPid: number | undefined;
}

const KEY_ID = 'CINDERBLOCK_ACCESS_KEY_ID';
const SECRET = 'CINDERBLOCK_SECRET_ACCESS_KEY';
/** What a hub that checks signatures itself is signed for. */
const LOCAL_REGION = 'local';

interface Setting {
  readonly name: string;
  readonly initial?: string;
  readonly about: string;
}

/** Every setting, by environment variable; the flag of CINDERBLOCK_HUB_URL is --hub-url. */
const SETTINGS: readonly Setting[] = [
  { name: 'CINDERBLOCK_HUB_URL', about: 'where the hub is, such as http://127.0.0.1:4040' },
  { name: 'CINDERBLOCK_CLUSTER', about: 'cluster that the key pair was issued for' },
  { name: 'CINDERBLOCK_NODE', about: 'name of this node (default: its host name)' },
  {
    name: 'CINDERBLOCK_ACCESS_KEY_ID',
    initial: '',
    about: 'key pair with which batches are signed (on AWS, default: the role of whatever runs here)',
  },
  {
    name: 'CINDERBLOCK_SECRET_ACCESS_KEY',
    initial: '',
    about: 'its secret; better set in the environment than as a flag',
  },
  { name: 'CINDERBLOCK_SESSION_TOKEN', initial: '', about: 'session token of temporary credentials' },
  {
    name: 'CINDERBLOCK_ROLE_ARN',
    initial: '',
    about: "the cluster's role in the account of a hub on AWS, to be assumed",
  },
  { name: 'CINDERBLOCK_EXTERNAL_ID', initial: '', about: 'external id that this role asks for' },
  {
    name: 'CINDERBLOCK_REGION',
    initial: '',
    about: 'region of a hub on AWS (default: the one in its host name, else local)',
  },
  { name: 'CINDERBLOCK_AGENT_DIR', initial: '.cinderblock/agent', about: 'folder of the spool' },
  { name: 'CINDERBLOCK_FREQUENCY', initial: '19', about: 'samples per second and CPU, 1 to 999' },
  { name: 'CINDERBLOCK_WINDOW_SECONDS', initial: '10', about: 'length of a window, 1 to 3600' },
  {
    name: 'CINDERBLOCK_FLUSH_SECONDS',
    initial: '10',
    about: 'how often a batch is made; 60 suits a hub on AWS',
  },
  {
    name: 'CINDERBLOCK_SPOOL_BYTES_MAX',
    initial: '1GiB',
    about: 'most bytes that wait on disk; KiB, MiB, GiB',
  },
  {
    name: 'CINDERBLOCK_SPOOL_AGE_MAX',
    initial: '72h',
    about: 'batches older than this are given up; s, m, h, d',
  },
  { name: 'CINDERBLOCK_ENGINE', initial: 'auto', about: 'auto, perf (every process) or node (Node.js only)' },
  {
    name: 'CINDERBLOCK_SAMPLER',
    initial: '',
    about: 'program to use as sampler (default: built from agent/sampler)',
  },
  {
    name: 'CINDERBLOCK_SYMBOL_CPU',
    initial: '10',
    about: 'CPU for finding names, percent of one core, 1 to 100',
  },
  {
    name: 'CINDERBLOCK_STACK_BYTES',
    initial: '24576',
    about: 'bytes of user stack per sample, a multiple of 8',
  },
  { name: 'CINDERBLOCK_KERNEL', initial: 'true', about: 'whether kernel frames are kept' },
  {
    name: 'CINDERBLOCK_SERIES_MAX',
    initial: '2000',
    about: 'most series of one window; the rest is folded into one',
  },
  {
    name: 'CINDERBLOCK_DROP',
    initial: '',
    about: 'samples to leave out: label=pattern,… with * for anything',
  },
  { name: 'CINDERBLOCK_SERVER_PID', initial: '', about: 'set by a server that starts and stops this agent' },
];

export const AGENT_HELP = `Samples this machine and sends what it finds to a Cinderblock hub.

Usage: node agent/main.ts [--setting value]…           run
       node agent/main.ts doctor [--setting value]…    say why the hub does not hear from this agent

Settings, as flags or in the environment (a flag wins):
${SETTINGS.map(({ name, initial, about }) => {
  const suffix = initial ? ` (default ${initial})` : '';
  return `  ${flagOf(name).padEnd(22)} ${name.padEnd(30)} ${about}${suffix}`;
}).join('\n')}
`;

/**
 * Reads the settings from flags and environment.
 * @throws RejectedError('invalid') naming the setting, the value and what is wrong with it
 */
export function readSettings(args: readonly string[], env: NodeJS.ProcessEnv): AgentSettings {
  const flags = readFlags(args);
  const text = (name: string) => {
    const value = flags.get(name) ?? env[name] ?? SETTINGS.find((setting) => setting.name === name)!.initial;
    if (value === undefined) throw invalid(name, undefined, 'must be set');
    return value;
  };
  const node =
    flags.get('CINDERBLOCK_NODE') ?? env.CINDERBLOCK_NODE ?? hostname().replace(/[^A-Za-z0-9._-]/g, '-');
  const serverPid = text('CINDERBLOCK_SERVER_PID');
  const hubUrl = urlOf('CINDERBLOCK_HUB_URL', text('CINDERBLOCK_HUB_URL'));
  return {
    hubUrl,
    ...identityOf(hubUrl, text),
    cluster: idPart('CINDERBLOCK_CLUSTER', text('CINDERBLOCK_CLUSTER')),
    node: idPart('CINDERBLOCK_NODE', node),
    folder: text('CINDERBLOCK_AGENT_DIR'),
    frequency: whole('CINDERBLOCK_FREQUENCY', text('CINDERBLOCK_FREQUENCY'), 1, 999),
    windowSeconds: whole('CINDERBLOCK_WINDOW_SECONDS', text('CINDERBLOCK_WINDOW_SECONDS'), 1, 3600),
    flushSeconds: whole('CINDERBLOCK_FLUSH_SECONDS', text('CINDERBLOCK_FLUSH_SECONDS'), 1, 3600),
    spoolBytesMax: bytesOf('CINDERBLOCK_SPOOL_BYTES_MAX', text('CINDERBLOCK_SPOOL_BYTES_MAX')),
    spoolAgeMaxMs: durationOf('CINDERBLOCK_SPOOL_AGE_MAX', text('CINDERBLOCK_SPOOL_AGE_MAX')),
    engine: oneOf('CINDERBLOCK_ENGINE', text('CINDERBLOCK_ENGINE'), ['auto', 'perf', 'node']),
    sampler: text('CINDERBLOCK_SAMPLER') || undefined,
    symbolCpuPercent: whole('CINDERBLOCK_SYMBOL_CPU', text('CINDERBLOCK_SYMBOL_CPU'), 1, 100),
    stackBytes: whole('CINDERBLOCK_STACK_BYTES', text('CINDERBLOCK_STACK_BYTES'), 8, 65_528),
    hasKernel: oneOf('CINDERBLOCK_KERNEL', text('CINDERBLOCK_KERNEL'), ['true', 'false']) === 'true',
    seriesMax: whole('CINDERBLOCK_SERIES_MAX', text('CINDERBLOCK_SERIES_MAX'), 1, 100_000),
    drop: text('CINDERBLOCK_DROP'),
    serverPid: serverPid === '' ? undefined : whole('CINDERBLOCK_SERVER_PID', serverPid, 1, 2 ** 31),
  };
}

function flagOf(name: string): string {
  return `--${name.slice('CINDERBLOCK_'.length).toLowerCase().replaceAll('_', '-')}`;
}

/** What to sign with: half a key pair is a mistake, and none is one where no AWS stands behind the hub. */
function identityOf(hubUrl: string, text: (name: string) => string) {
  const [accessKeyId, secretAccessKey] = [KEY_ID, SECRET].map(text) as [string, string];
  const roleArn = text('CINDERBLOCK_ROLE_ARN') || undefined;
  const region = text('CINDERBLOCK_REGION') || regionOfHost(new URL(hubUrl).hostname) || LOCAL_REGION;
  if (roleArn !== undefined && !/^arn:[^:]+:iam::\d{12}:role\/.+/.test(roleArn)) {
    throw invalid('CINDERBLOCK_ROLE_ARN', roleArn, 'must be the ARN of a role');
  }
  const needsPair = region === LOCAL_REGION && roleArn === undefined;
  if (accessKeyId === '' && (needsPair || secretAccessKey !== ''))
    throw invalid(KEY_ID, undefined, 'must be set');
  if (secretAccessKey === '' && accessKeyId !== '') throw invalid(SECRET, undefined, 'must be set');
  const sessionToken = text('CINDERBLOCK_SESSION_TOKEN') || undefined;
  return {
    keyPair: accessKeyId === '' ? undefined : { accessKeyId, secretAccessKey, sessionToken },
    roleArn,
    externalId: text('CINDERBLOCK_EXTERNAL_ID') || undefined,
    region,
  };
}

function readFlags(args: readonly string[]): Map<string, string> {
  const byFlag = new Map(SETTINGS.map(({ name }) => [flagOf(name), name]));
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const [flag, inline] = splitFlag(args[i]!);
    const name = byFlag.get(flag);
    if (name === undefined)
      throw new RejectedError('invalid', `unknown setting ${flag}; --help lists them all`);
    const value = inline ?? args[++i];
    if (value === undefined) throw new RejectedError('invalid', `${flag} needs a value`);
    values.set(name, value);
  }
  return values;
}

function splitFlag(arg: string): [string, string | undefined] {
  const at = arg.indexOf('=');
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}

function invalid(name: string, value: string | undefined, problem: string): RejectedError {
  const seen = value === undefined ? '' : `, not "${value}"`;
  return new RejectedError('invalid', `${name} (${flagOf(name)}) ${problem}${seen}`);
}

function whole(name: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (value.trim() !== '' && Number.isInteger(number) && number >= least && number <= most) return number;
  throw invalid(name, value, `must be a whole number from ${least} to ${most}`);
}

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === value);
  if (choice !== undefined) return choice;
  throw invalid(name, value, `must be ${choices.join(' or ')}`);
}

function idPart(name: string, value: string): string {
  if (isIdPart(value)) return value;
  throw invalid(name, value, 'may only use A-Z a-z 0-9 . _ -');
}

function urlOf(name: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return value;
  throw invalid(name, value, 'must be an http or https URL');
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};
/** Below this, hardly one batch fits. */
const SPOOL_BYTES_LEAST = 1024 ** 2;

function bytesOf(name: string, value: string): number {
  const match = /^(\d+)\s*(|KiB|MiB|GiB|TiB)$/.exec(value.trim());
  const bytes = match ? Number(match[1]) * BYTE_UNITS[match[2]!]! : 0;
  if (bytes >= SPOOL_BYTES_LEAST && Number.isSafeInteger(bytes)) return bytes;
  throw invalid(name, value, 'must be at least 1MiB, written like 500MiB or 2GiB');
}

const TIME_UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function durationOf(name: string, value: string): number {
  const match = /^(\d+)\s*([smhd])$/.exec(value.trim());
  const ms = match ? Number(match[1]) * TIME_UNITS[match[2]!]! : 0;
  if (ms >= 60_000 && Number.isSafeInteger(ms)) return ms;
  throw invalid(name, value, 'must be at least 1m, written like 90m, 72h or 3d');
}

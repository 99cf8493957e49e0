// MiniStack as a whole cloud: services, CloudFormation, functions that run, and IAM that is enforced. With AUTH it checks
// every signature, every identity, bucket and trust policy and every boundary, for functions under their own roles too;
// with TLS, policies that want it hold. Two accounts and more are one server: an account's id is its root's key id.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../storage/aws/stand-in-process.ts';
import { installed, STAND_INS } from '../storage/aws/stand-ins.ts';
import { makeCertificate } from './certificate.ts';
import type { Caller } from './signed-call.ts';

export const REGION = 'eu-central-1';
/** Of the hub, and of two clusters. */
export const HUB_ACCOUNT = '111111111111';
export const SPOKE_ACCOUNTS = { a: '222222222222', b: '333333333333' };

const ROOT_SECRET = 'secret-of-every-root';
const START_TIMEOUT_MS = 60_000;
const LAUNCHER = join(import.meta.dirname, 'launch-stand-in.py');
const LOOPBACK_NAMES = pathToFileURL(join(import.meta.dirname, 'loopback-names.mjs')).href;

export interface StandInCloud {
  /** `https://127.0.0.1:<port>` */
  endpoint: string;
  port: number;
  pid: number;
  /** Of this run; goes with it. */
  folder: string;
  certificate: { certificate: string; key: string };
  /** For a process that is root in an account: commands, SDKs and agents then talk to the stand-in and to nobody else. */
  environment(account: string): Record<string, string>;
  /** The last lines that it printed. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1; or says what this machine lacks. */
export async function startCloud(): Promise<StandInCloud | { lacks: string }> {
  const run = promisify(execFile);
  const hasOpenssl = await run('openssl', ['version']).then(
    () => true,
    () => false,
  );
  if (!hasOpenssl) return { lacks: 'openssl' };
  const found = await installed(STAND_INS.find(({ name }) => name === 'MiniStack')!);
  if ('lacks' in found) return found;
  const folder = await mkdtemp(join(tmpdir(), 'cinderblock-deploy-'));
  const port = await freePort();
  const certificate = await makeCertificate(folder, [
    `*.execute-api.${REGION}.amazonaws.com`,
    `${REGION}.amazonaws.com`,
    '*.cloudfront.net',
  ]);
  const environment = (account: string) =>
    environmentOf({ account, port, folder, certificate: certificate.certificate });
  const child = spawn(
    join(found.folder, 'bin/python'),
    [LAUNCHER, String(port), certificate.certificate, certificate.key],
    {
      cwd: folder,
      env: {
        ...environment(HUB_ACCOUNT),
        AUTH: 'true',
        USE_SSL: '1',
        MINISTACK_SSL_CERT: certificate.certificate,
        MINISTACK_SSL_KEY: certificate.key,
        MINISTACK_ACCOUNT_ID: HUB_ACCOUNT,
        MINISTACK_REGION: REGION,
        MINISTACK_HOST: `${REGION}.amazonaws.com`,
        GATEWAY_PORT: String(port),
        IOT_MTLS_ENABLED: '0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: functions are processes below it, and end with it.
      detached: true,
    },
  );
  const logFile = join(folder, 'stand-in.log');
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const stop = async () => {
    await endGroup(child);
    log.end();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const readLog = async () => (await readFile(logFile, 'utf8').catch(() => '')).slice(-4000);
  try {
    await untilListening(port, child);
  } catch (error) {
    const said = await readLog();
    await stop();
    throw new Error(`MiniStack did not start: ${(error as Error).message}\n${said}`);
  }
  const endpoint = `https://127.0.0.1:${port}`;
  return { endpoint, port, pid: child.pid!, folder, certificate, environment, log: readLog, stop };
}

/** Who may do everything in an account. */
export function rootOf({ endpoint }: StandInCloud, account: string): Caller {
  return { endpoint, region: REGION, accessKeyId: account, secretAccessKey: ROOT_SECRET };
}

/** Makes this very process one that talks to the stand-in, as root of the hub's account. */
export async function adoptEnvironment(cloud: StandInCloud): Promise<void> {
  Object.assign(process.env, cloud.environment(HUB_ACCOUNT));
  tls.setDefaultCACertificates([
    ...tls.getCACertificates('default'),
    readFileSync(cloud.certificate.certificate, 'utf8'),
  ]);
  await import('./loopback-names.mjs');
}

function environmentOf(options: { account: string; port: number; folder: string; certificate: string }) {
  const { account, port, folder, certificate } = options;
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  return {
    // Functions and the CDK's app run under the Node.js of this project.
    PATH: [dirname(process.execPath), join(modules, '.bin'), process.env.PATH].join(delimiter),
    HOME: folder,
    TMPDIR: folder,
    NODE_OPTIONS: `--import ${LOOPBACK_NAMES} --disable-warning=ExperimentalWarning`,
    NODE_EXTRA_CA_CERTS: certificate,
    CINDERBLOCK_STAND_IN_PORT: String(port),
    AWS_ENDPOINT_URL: `https://127.0.0.1:${port}`,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: ROOT_SECRET,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_DISABLE_VERSION_CHECK: '1',
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  let spawnError: Error | undefined;
  child.on('error', (error) => (spawnError = error));
  for (const until = Date.now() + START_TIMEOUT_MS; Date.now() < until; await sleep(100)) {
    if (spawnError) throw spawnError;
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const isListening = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isListening) return;
  }
  throw new Error(`it did not listen within ${START_TIMEOUT_MS} ms`);
}

/** At once: it would wait for connections that are kept open, and all that it holds is in a folder that goes. */
async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-child.pid, 'SIGKILL');
  await ended;
}

// Servers that stand in for AWS services, from package registries and pinned, run as processes on loopback. Each is
// installed once, into a folder that git ignores; a machine that lacks its language leaves it out and says so.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ProcessPlan } from './stand-in-process.ts';

const run = promisify(execFile);

/** Where stand-ins are installed, one folder per name and version. */
const INSTALLED = fileURLToPath(new URL('../../.artifacts/stand-ins/', import.meta.url));

/** An install downloads tens of MB; past this it is given up, in ms. */
const INSTALL_TIMEOUT_MS = 600_000;

export type Service = 's3' | 'dynamodb' | 'sqs';

/** Credentials that every stand-in takes. */
export const ACCESS_KEY_ID = 'test';
export const SECRET_KEY = 'test';

/** The region that every client of a stand-in names. */
export const REGION = 'eu-central-1';

/** moto keeps its state in plain dictionaries: served by threads, two writers of one condition both win. So: one thread. */
const MOTO_SERVER = `
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple('127.0.0.1', int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
`;

export interface StandIn {
  name: string;
  version: string;
  services: Service[];
  /** The command that the machine must have to install and run it. */
  needs: string[];
  install(folder: string): Promise<void>;
  /** How to run what is installed in the folder, on this port of 127.0.0.1. */
  plan(folder: string, port: number): Promise<ProcessPlan>;
}

export const STAND_INS: StandIn[] = [
  {
    name: 'MiniStack',
    version: '1.5.33',
    services: ['s3', 'dynamodb', 'sqs'],
    needs: ['python3'],
    install: (folder) => installPython(folder, ['ministack==1.5.33']),
    async plan(folder, port) {
      const env = { BIND_HOST: '127.0.0.1', GATEWAY_PORT: String(port), IOT_MTLS_ENABLED: '0' };
      return { command: join(folder, 'bin/ministack'), args: [], env };
    },
  },
  {
    name: 'moto',
    version: '5.2.5',
    services: ['s3', 'dynamodb', 'sqs'],
    needs: ['python3'],
    install: (folder) => installPython(folder, ['moto[server,s3,dynamodb,sqs]==5.2.5']),
    async plan(folder, port) {
      return { command: join(folder, 'bin/python'), args: ['-c', MOTO_SERVER, String(port)] };
    },
  },
  {
    name: 'DynamoDB Local',
    version: '2.6.1',
    services: ['dynamodb'],
    needs: ['java', 'mvn'],
    install: (folder) => installMaven(folder, 'com.amazonaws', 'DynamoDBLocal', '2.6.1'),
    async plan(folder, port) {
      const launcher = fileURLToPath(new URL('DynamoDbOnLoopback.java', import.meta.url));
      const memory = ['-Xmx512m', `-Djava.library.path=${join(folder, 'lib')}`, '-cp', join(folder, 'lib/*')];
      const options = ['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)];
      return { command: 'java', args: [...memory, launcher, ...options] };
    },
  },
  {
    name: 'ElasticMQ',
    version: '1.7.1',
    services: ['sqs'],
    needs: ['java', 'mvn'],
    install: (folder) => installMaven(folder, 'org.elasticmq', 'elasticmq-server_3', '1.7.1'),
    async plan(folder, port) {
      const config = join(folder, `port-${port}.conf`);
      await writeFile(config, elasticMqConfig(port));
      const args = ['-Xmx256m', `-Dconfig.file=${config}`, '-cp', join(folder, 'lib/*')];
      return { command: 'java', args: [...args, 'org.elasticmq.server.Main'], removeAfter: config };
    },
  },
  {
    name: 'versitygw',
    version: '1.8.0',
    services: ['s3'],
    needs: ['go'],
    async install(folder) {
      await tool('go', ['install', 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'], { GOBIN: folder });
    },
    async plan(folder, port) {
      const data = join(folder, `data-${process.pid}`);
      await mkdir(data, { recursive: true });
      const env = { ROOT_ACCESS_KEY: ACCESS_KEY_ID, ROOT_SECRET_KEY: SECRET_KEY };
      const args = ['--port', `127.0.0.1:${port}`, '--region', REGION, 'posix', data];
      return { command: join(folder, 'versitygw'), args, env, removeAfter: data };
    },
  },
];

/** The folder of a stand-in, installed by now; or which command this machine lacks for it. */
export async function installed(standIn: StandIn): Promise<{ folder: string } | { lacks: string }> {
  for (const command of standIn.needs) if (!(await hasCommand(command))) return { lacks: command };
  const folder = join(INSTALLED, `${standIn.name.replaceAll(' ', '-')}-${standIn.version}`);
  const done = join(folder, 'installed');
  if (!existsSync(done)) {
    await mkdir(folder, { recursive: true });
    await standIn.install(folder);
    await writeFile(done, '');
  }
  return { folder };
}

async function hasCommand(command: string): Promise<boolean> {
  const argument = command === 'go' ? 'version' : command === 'java' ? '-version' : '--version';
  return run(command, [argument]).then(
    () => true,
    () => false,
  );
}

async function installPython(folder: string, packages: string[]): Promise<void> {
  await tool('python3', ['-m', 'venv', folder]);
  await tool(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ...packages]);
}

async function installMaven(folder: string, group: string, artifact: string, version: string): Promise<void> {
  const dependency = `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
    <groupId>stand-in</groupId><artifactId>stand-in</artifactId><version>1</version>
    <dependencies>${dependency}</dependencies></project>`;
  const file = join(folder, 'pom.xml');
  await writeFile(file, pom);
  const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${join(folder, 'lib')}`];
  await tool('mvn', ['-q', '-B', '-f', file, ...copy]);
}

function elasticMqConfig(port: number): string {
  return `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
rest-sqs { enabled = true, bind-port = ${port}, bind-hostname = "127.0.0.1", sqs-limits = relaxed }
rest-stats { enabled = false }
`;
}

async function tool(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  await run(command, args, {
    env: { ...process.env, ...env },
    timeout: INSTALL_TIMEOUT_MS,
    maxBuffer: 16 * 1024 * 1024,
  });
}

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Check, checkLine, exitCodeOfChecks } from '../../../agent/doctor/check.ts';
import { type ProbeSettings, probeHub } from '../../../agent/doctor/probe-hub.ts';
import { openServer } from '../../server/server-under-test.ts';
import { fakeAws } from '../fake-aws.ts';
import { answer, type Reaction, ScriptedHub } from '../scripted-hub.ts';

const KEY = { accessKeyId: 'CBTESTKEY', secret: 'the secret of cluster edge', cluster: 'edge', createdAt: 0 };
const PAIR = { accessKeyId: KEY.accessKeyId, secretAccessKey: KEY.secret };
const ROLE = 'arn:aws:iam::111111111111:role/cinderblock-prod-cluster-edge';

const plain: Omit<ProbeSettings, 'hubUrl'> = {
  ...{ cluster: 'edge', node: 'n1', region: 'local' },
  ...{ roleArn: undefined, externalId: undefined, keyPair: PAIR },
};

async function probe(settings: ProbeSettings, wall: () => number = Date.now): Promise<Check[]> {
  const checks: Check[] = [];
  for await (const check of probeHub(settings, { env: process.env, wall })) checks.push(check);
  return checks;
}

const outline = (checks: Check[]) => checks.map(({ name, status }) => `${name} ${status}`);

/** A server that knows the cluster and its key. */
async function hubOf(t: TestContext) {
  const server = await openServer(t);
  const { registry } = server.hub;
  await registry.createCluster({ cluster: 'edge', displayName: '', status: 'active', createdAt: 0 });
  await registry.addCredential(KEY);
  return server;
}

test('all is well where an agent gets in, and nobody is counted as an agent for it', async (t) => {
  const { url, hub } = await hubOf(t);
  const checks = await probe({ ...plain, hubUrl: url });
  assert.deepEqual(outline(checks), ['DNS ok', 'TCP ok', 'clock ok', 'credentials ok', 'heartbeat ok']);
  assert.equal(exitCodeOfChecks(checks), 0);
  assert.deepEqual(await hub.registry.listAgents(), []);
  assert.ok(
    !checks
      .map((check) => checkLine(check))
      .join('')
      .includes(KEY.secret),
  );
});

test('a refusal is explained by what the hub says', async (t) => {
  const { url, hub } = await hubOf(t);
  const last = async (changes: Partial<ProbeSettings>) =>
    (await probe({ ...plain, hubUrl: url, ...changes })).at(-1)!;
  const wrongSecret = { accessKeyId: KEY.accessKeyId, secretAccessKey: 'guess' };
  assert.match((await last({ keyPair: wrongSecret })).remedy!, /secret is not that of the key/);
  assert.match((await last({ cluster: 'local' })).remedy!, /CINDERBLOCK_CLUSTER must be the cluster/);
  await hub.registry.setClusterStatus('edge', 'disabled');
  assert.match((await last({})).remedy!, /"cluster enable"/);
  await hub.registry.revokeCredential(KEY.accessKeyId, 1);
  const revoked = await last({});
  assert.match(revoked.detail, /HTTP 401: access key CBTESTKEY is unknown or revoked/);
  assert.match(revoked.remedy!, /"cluster rotate" gives another/);
  assert.equal(exitCodeOfChecks([revoked]), 3);
});

test('a clock that is off is measured, and corrected for as agents do', async (t) => {
  const { url } = await hubOf(t);
  const checks = await probe({ ...plain, hubUrl: url }, () => Date.now() + 3_600_000);
  assert.deepEqual(outline(checks).slice(2), ['clock warning', 'credentials ok', 'heartbeat ok']);
  assert.match(checks[2]!.detail, /60 minutes ahead of the hub/);
});

test('a name that is not there, a port that is closed, and one without TLS end the way, not the look at credentials', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => silent.once('listening', resolve));
  const { port } = silent.address() as { port: number };
  await new Promise((resolve) => silent.close(resolve));
  const closed = await probe({ ...plain, hubUrl: `http://127.0.0.1:${port}` });
  assert.deepEqual(outline(closed), ['DNS ok', 'TCP failed', 'credentials ok']);
  assert.match(closed[1]!.detail, /ECONNREFUSED/);
  assert.equal(exitCodeOfChecks(closed), 4);
  const { url } = await openServer(t);
  const noTls = await probe({ ...plain, hubUrl: url.replace('http:', 'https:') });
  assert.deepEqual(outline(noTls), ['DNS ok', 'TCP ok', 'TLS failed', 'credentials ok']);
  const nobody = await probe({ ...plain, hubUrl: 'http://no-such-host.invalid' });
  assert.deepEqual(outline(nobody), ['DNS failed', 'credentials ok']);
});

/** A hub behind API Gateway, as far as its answers tell. */
async function gateway(t: TestContext, reaction: Reaction): Promise<ScriptedHub & { url: string }> {
  const date = { date: new Date().toUTCString() };
  const hub = new ScriptedHub([answer(404, { message: 'Not Found' }, date)], reaction);
  const url = await hub.listen();
  t.after(() => hub.close());
  return Object.assign(hub, { url });
}

const FORBIDDEN = answer(403, { message: 'Forbidden' });
const OK = answer(200, { nowMs: Date.now() });

test('on AWS the role is assumed with what was found, and the heartbeat signed as that role', async (t) => {
  const aws = await fakeAws(t);
  process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `${aws.url}/container`;
  const hub = await gateway(t, OK);
  const settings = { ...plain, hubUrl: hub.url, region: 'eu-central-1', keyPair: undefined };
  const checks = await probe({ ...settings, roleArn: ROLE, externalId: 'ext-1' });
  assert.deepEqual(outline(checks).slice(3), ['credentials ok', 'AssumeRole ok', 'heartbeat ok']);
  assert.match(checks[3]!.detail, /key ASIAPOD1 from EKS Pod Identity/);
  assert.equal(aws.asked.length, 2);
  assert.match(hub.received[1]!.headers.authorization!, /Credential=ASIAROLE2\/\d{8}\/eu-central-1\//);
});

test('a role that may not be assumed is explained', async (t) => {
  const aws = await fakeAws(t);
  aws.deny('AccessDenied', 'User: x is not authorized to perform: sts:AssumeRole on resource: y');
  const hub = await gateway(t, OK);
  const checks = await probe({ ...plain, hubUrl: hub.url, region: 'eu-central-1', roleArn: ROLE });
  assert.deepEqual(outline(checks).slice(3), ['credentials ok', 'AssumeRole failed']);
  assert.match(checks.at(-1)!.detail, /not authorized to perform: sts:AssumeRole/);
  for (const cause of [/not deployed/, /sts:TagSession/, /external id/, /organisation/]) {
    assert.match(checks.at(-1)!.remedy!, cause);
  }
  assert.equal(exitCodeOfChecks(checks), 3);
});

test('an environment without credentials says where they were looked for', async (t) => {
  await fakeAws(t);
  const hub = await gateway(t, OK);
  const checks = await probe({ ...plain, hubUrl: hub.url, region: 'eu-central-1', keyPair: undefined });
  assert.match(checks.at(-1)!.detail, /none from the shared AWS files/);
  assert.match(checks.at(-1)!.remedy!, /deploy the Spoke stack/);
});

test('what API Gateway leaves open about a refusal is narrowed down', async (t) => {
  const last = async (changes: Partial<ProbeSettings>, reaction = FORBIDDEN) => {
    const hub = await gateway(t, reaction);
    return (await probe({ ...plain, hubUrl: hub.url, region: 'eu-central-1', ...changes })).at(-1)!;
  };
  assert.match((await last({})).remedy!, /must be of the role that the ClusterAccess stack/);
  await fakeAws(t);
  const other = ROLE.replace(/edge$/, 'other');
  assert.match((await last({ roleArn: other })).remedy!, /is not that of cluster edge/);
  assert.match((await last({}, answer(404, { message: 'Not Found' }))).remedy!, /path included/);
  const expired = answer(403, { message: 'The security token included in the request is expired' });
  assert.match((await last({}, expired)).remedy!, /session has ended/);
  const busy = await last({}, answer(503, { message: 'Service Unavailable' }));
  assert.equal(exitCodeOfChecks([busy]), 4);
});

test('the agent itself can say why it is not heard', async (t) => {
  const { url } = await hubOf(t);
  const main = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));
  const run = async (env: Record<string, string>) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'doctor'], {
      env: { PATH: process.env.PATH, CINDERBLOCK_CLUSTER: 'edge', CINDERBLOCK_HUB_URL: url, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    const [code] = await once(child, 'close');
    return { code, out };
  };
  const pair = { CINDERBLOCK_ACCESS_KEY_ID: KEY.accessKeyId, CINDERBLOCK_SECRET_ACCESS_KEY: KEY.secret };
  const well = await run(pair);
  assert.deepEqual([well.code, /^ok +heartbeat +the hub lets agents of edge in$/m.test(well.out)], [0, true]);
  const unset = await run({});
  assert.equal(unset.code, 2);
  assert.match(unset.out, /^failed +settings +CINDERBLOCK_ACCESS_KEY_ID .* must be set/);
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { clusterRoleName, parseHubConfig, readHubConfig } from '../../lib/config.ts';
import { ROOT } from '../source-tree.ts';

const CLUSTER = {
  cluster: 'prod-eu-1',
  externalIds: ['e-1'],
  trust: { kind: 'role', arn: 'arn:aws:iam::222222222222:role/cinderblock-agent-prod-eu-1' },
};

test('the configuration of the repository is valid, and names no cluster', () => {
  const config = readHubConfig(join(ROOT, 'cinderblock.config.json'));
  assert.deepEqual(config.clusters, []);
  assert.equal(config.retainData, true);
});

test('a region is enough; the rest has defaults', () => {
  assert.deepEqual(parseHubConfig({ region: 'eu-central-1' }, 'test'), {
    name: 'cinderblock',
    stage: 'prod',
    region: 'eu-central-1',
    tenant: 'default',
    retainData: true,
    signIn: { kind: 'cognito' },
    adminGroup: 'cinderblock-admins',
    web: true,
    reservedConcurrency: {
      ...{ ingest: 0, processor: 0, query: 0, queryWorker: 0, admin: 0, authorizer: 0 },
      ...{ compactionPlanner: 0, compactionWorker: 0, housekeeper: 0 },
    },
    queryWorkers: 4,
    logRetentionDays: 14,
    rollUpLabels: [],
    clusters: [],
  });
});

const WRONG: [what: string, config: object, message: RegExp][] = [
  ['no region', {}, /^ {2}region: /m],
  ['a region that is none', { region: 'Frankfurt' }, /^ {2}region: must be a region such as eu-central-1$/m],
  ['a field that is none', { retain: true }, /^ {2}the file: .*"retain"/m],
  [
    'a field that is none, inside',
    { reservedConcurrency: { queries: 1 } },
    /^ {2}reservedConcurrency: .*"queries"/m,
  ],
  [
    'a label that is never rolled up',
    { rollUpLabels: ['pod', 'cluster'] },
    /^ {2}rollUpLabels\[1\]: cannot be/m,
  ],
  ['a label that is none', { rollUpLabels: ['a,b'] }, /^ {2}rollUpLabels\[0\]: must be the name of a label/m],
  ['an account', { account: '1234' }, /^ {2}account: must be 12 digits$/m],
  ['a name with capitals', { name: 'Cinderblock' }, /^ {2}name: must be lower-case/m],
  ['days that CloudWatch does not know', { logRetentionDays: 10 }, /^ {2}logRetentionDays: /m],
  ['an organization', { organizationId: 'acme' }, /^ {2}organizationId: must be the id of an organization/m],
  [
    'an issuer without TLS',
    { signIn: { kind: 'oidc', issuer: 'http://x.org', clientId: 'c' } },
    /^ {2}signIn\.issuer: must be an https/m,
  ],
  [
    'an issuer without client',
    { signIn: { kind: 'oidc', issuer: 'https://x.org' } },
    /^ {2}signIn\.clientId: /m,
  ],
  ['a budget that nobody is told of', { monthlyBudgetUsd: 100 }, /^ {2}monthlyBudgetUsd: needs alarmEmail/m],
  [
    'the ARN of something else',
    { clusters: [{ ...CLUSTER, trust: { kind: 'role', arn: 'arn:aws:iam::222222222222:user/x' } }] },
    /^ {2}clusters\[0\]\.trust\.arn: must be the ARN of a role/m,
  ],
  [
    'a role without external id',
    { clusters: [{ ...CLUSTER, externalIds: [] }] },
    /^ {2}clusters\[0\]\.externalIds: must hold the id that "cinderblock cluster add" printed/m,
  ],
  [
    'a trust of no kind',
    { clusters: [{ ...CLUSTER, trust: { kind: 'key' } }] },
    /^ {2}clusters\[0\]\.trust\.?/m,
  ],
  [
    'a cluster twice',
    { clusters: [CLUSTER, { ...CLUSTER, cluster: 'PROD-eu-1' }] },
    /^ {2}clusters\[1\]\.cluster: is there twice/m,
  ],
  [
    'a cluster whose wildcard would mean all',
    { clusters: [{ ...CLUSTER, cluster: '*' }] },
    /^ {2}clusters\[0\]\.cluster: must be made of/m,
  ],
  [
    'a role name past the limit',
    {
      name: 'continuous-profiling',
      stage: 'production',
      clusters: [{ ...CLUSTER, cluster: 'c'.repeat(60) }],
    },
    /^ {2}clusters\[0\]\.cluster: makes the role name .* of 100 characters; IAM takes 64$/m,
  ],
];

for (const [what, config, message] of WRONG) {
  test(`refused by name of the field: ${what}`, () => {
    const whole = what === 'no region' ? config : { region: 'eu-central-1', ...config };
    assert.throws(() => parseHubConfig(whole, 'my.config.json'), message);
    assert.throws(
      () => parseHubConfig(whole, 'my.config.json'),
      /^Error: my\.config\.json is not a valid configuration:/,
    );
  });
}

test('a file that is missing, or no JSON, is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-config-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'hub.json');
  assert.throws(() => readHubConfig(file), new RegExp(`there is no configuration file ${file}`));
  writeFileSync(file, '{');
  assert.throws(() => readHubConfig(file), new RegExp(`${file} is not JSON`));
});

test('the name of a cluster role tells hub, stage and cluster', () => {
  assert.equal(
    clusterRoleName({ name: 'cinderblock', stage: 'prod' }, 'eu-1'),
    'cinderblock-prod-cluster-eu-1',
  );
});

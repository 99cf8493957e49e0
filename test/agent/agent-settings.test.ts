import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AGENT_HELP, readSettings } from '../../agent/agent-settings.ts';
import { matchesGlob, parseDropRules } from '../../agent/drop-rules.ts';
import { labelsOf } from '../../core/labels/labels.ts';

const enough = {
  CINDERBLOCK_HUB_URL: 'http://127.0.0.1:4040',
  CINDERBLOCK_CLUSTER: 'c',
  CINDERBLOCK_NODE: 'n',
  CINDERBLOCK_ACCESS_KEY_ID: 'a',
  CINDERBLOCK_SECRET_ACCESS_KEY: 's',
};

test('has a default for whatever has one', () => {
  const settings = readSettings([], enough);
  assert.equal(settings.frequency, 19);
  assert.equal(settings.windowSeconds, 10);
  assert.equal(settings.spoolBytesMax, 1024 ** 3);
  assert.equal(settings.spoolAgeMaxMs, 72 * 3_600_000);
  assert.equal(settings.engine, 'auto');
  assert.equal(settings.serverPid, undefined);
});

test('a flag wins over the environment', () => {
  const settings = readSettings(['--frequency', '97', '--spool-bytes-max=500MiB'], {
    ...enough,
    CINDERBLOCK_FREQUENCY: '49',
  });
  assert.equal(settings.frequency, 97);
  assert.equal(settings.spoolBytesMax, 500 * 1024 ** 2);
});

for (const [name, value, problem] of [
  ['CINDERBLOCK_HUB_URL', 'hub', /must be an http or https URL, not "hub"/],
  ['CINDERBLOCK_CLUSTER', 'a/b', /may only use A-Z a-z 0-9 . _ -, not "a\/b"/],
  ['CINDERBLOCK_FREQUENCY', '0', /must be a whole number from 1 to 999, not "0"/],
  ['CINDERBLOCK_SPOOL_BYTES_MAX', '5', /must be at least 1MiB, written like 500MiB or 2GiB, not "5"/],
  ['CINDERBLOCK_SPOOL_AGE_MAX', '72', /must be at least 1m, written like 90m, 72h or 3d, not "72"/],
  ['CINDERBLOCK_ENGINE', 'ebpf', /must be auto or perf or node, not "ebpf"/],
] as const) {
  test(`${name}=${value} is refused`, () => {
    assert.throws(() => readSettings([], { ...enough, [name]: value }), {
      name: 'RejectedError',
      message: problem,
    });
  });
}

test('what is missing and what is unknown is named', () => {
  assert.throws(() => readSettings([], {}), {
    message: /CINDERBLOCK_NODE|CINDERBLOCK_HUB_URL \(--hub-url\) must be set/,
  });
  assert.throws(() => readSettings(['--frequenzy', '1'], enough), { message: /unknown setting --frequenzy/ });
  assert.throws(() => readSettings(['--frequency'], enough), { message: /--frequency needs a value/ });
});

const aws = {
  CINDERBLOCK_HUB_URL: 'https://abc123.execute-api.eu-central-1.amazonaws.com',
  CINDERBLOCK_CLUSTER: 'c',
  CINDERBLOCK_NODE: 'n',
};
const ROLE = 'arn:aws:iam::111111111111:role/cinderblock-prod-cluster-c';

test('a hub on AWS needs no key pair, and its name tells its region', () => {
  const found = readSettings([], aws);
  assert.deepEqual([found.keyPair, found.roleArn, found.region], [undefined, undefined, 'eu-central-1']);
  const role = { CINDERBLOCK_ROLE_ARN: ROLE, CINDERBLOCK_EXTERNAL_ID: 'x', CINDERBLOCK_REGION: 'us-east-1' };
  const assumed = readSettings([], { ...aws, ...role });
  assert.deepEqual([assumed.roleArn, assumed.externalId, assumed.region], [ROLE, 'x', 'us-east-1']);
  assert.equal(readSettings([], enough).region, 'local');
});

test('what an agent signs with is whole', () => {
  const without = (name: keyof typeof enough) => ({ ...enough, [name]: undefined });
  for (const [env, problem] of [
    [without('CINDERBLOCK_ACCESS_KEY_ID'), /CINDERBLOCK_ACCESS_KEY_ID .* must be set/],
    [without('CINDERBLOCK_SECRET_ACCESS_KEY'), /CINDERBLOCK_SECRET_ACCESS_KEY .* must be set/],
    [{ ...aws, CINDERBLOCK_SECRET_ACCESS_KEY: 's' }, /CINDERBLOCK_ACCESS_KEY_ID .* must be set/],
    [{ ...aws, CINDERBLOCK_ROLE_ARN: 'cinderblock' }, /must be the ARN of a role, not "cinderblock"/],
  ] as const) {
    assert.throws(() => readSettings([], env), { name: 'RejectedError', message: problem });
  }
});

test('the help names every setting', () => {
  for (const name of Object.keys(enough)) assert.ok(AGENT_HELP.includes(name));
});

test('rules drop what matches', () => {
  const drop = parseDropRules('service_name=backup-*, comm=kworker');
  assert.ok(drop(labelsOf([['service_name', 'backup-nightly']])));
  assert.ok(
    drop(
      labelsOf([
        ['service_name', 'web'],
        ['comm', 'kworker'],
      ]),
    ),
  );
  assert.ok(!drop(labelsOf([['service_name', 'web']])));
  assert.ok(!parseDropRules('')(labelsOf([['service_name', 'web']])));
  assert.throws(() => parseDropRules('backup'), { message: /must be label=pattern/ });
});

test('a star stands for anything, at any place', () => {
  for (const [text, pattern, isMatch] of [
    ['abc', 'abc', true],
    ['abc', 'a*c', true],
    ['abc', '*', true],
    ['abc', 'a*b*c', true],
    ['ab', 'ab*b', false],
    ['aXbYc', 'a*b*c', true],
    ['aXbYcZ', 'a*b*c', false],
    ['', '*', true],
    ['', '', true],
    [`${'a'.repeat(5000)}b`, `${'a*'.repeat(50)}c`, false],
  ] as const) {
    assert.equal(matchesGlob(text, pattern), isMatch, `${text.slice(0, 20)} ${pattern.slice(0, 20)}`);
  }
});

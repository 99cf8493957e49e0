import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseHubConfig } from '../../lib/config.ts';
import { spokeTemplates } from '../../lib/spoke-templates.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';
import { cinderblock } from './kept-terminal.ts';
import { openRoleHub } from './role-hub.ts';

const HUB = { name: 'cinderblock', stage: 'prod', region: 'eu-central-1', web: false };

/** A hub whose clusters have roles, and the file that says how it is deployed. */
async function hub(t: TestContext, config: object | null = HUB) {
  const { url } = await openRoleHub(t);
  const file = join(temporaryFolder(t), 'cinderblock.config.json');
  if (config) writeFileSync(file, JSON.stringify(config));
  const run = (...args: string[]) => cinderblock(['cluster', ...args, '--url', url, '--config', file]);
  const written = () => parseHubConfig(JSON.parse(readFileSync(file, 'utf8')), file);
  return { run, file, written };
}

test('add writes the entry, and prints what is to be deployed and the values of the chart', async (t) => {
  const { run, written } = await hub(t);
  const place = ['--account', '222222222222', '--eks-cluster', 'prod'];
  const { code, out, notes } = await run('add', 'prod-eu-1', ...place);
  assert.equal(code, 0, notes);
  const [entry] = written().clusters;
  const externalId = entry!.externalIds[0]!;
  assert.deepEqual(entry, {
    cluster: 'prod-eu-1',
    externalIds: [externalId],
    trust: { kind: 'role', arn: 'arn:aws:iam::222222222222:role/cinderblock-agent-prod-eu-1' },
  });
  assert.equal(written().web, false, 'the rest of the file stays');
  const hubRole = 'arn:aws:iam::111111111111:role/cinderblock-prod-cluster-prod-eu-1';
  for (const part of [
    '\n  npx cdk deploy Cinderblock-Prod-ClusterAccess\n',
    `npx cdk deploy --app 'npx node bin/spoke.ts' -c mode=pod-identity -c cluster=prod-eu-1 -c hubRoleArn=${hubRole} -c clusterName=prod -c namespace=cinderblock -c serviceAccount=cinderblock-agent\n`,
    '--template-file dist/spoke/pod-identity.template.json',
    `--parameter-overrides Cluster=prod-eu-1 HubRoleArn=${hubRole} ClusterName=prod`,
    '\n  hubUrl: https://abc.execute-api.eu-central-1.amazonaws.com\n',
    `\n  roleArn: ${hubRole}\n  externalId: `,
    '\n  serviceAccount:\n    name: cinderblock-agent\n',
  ]) {
    assert.ok(out.includes(part), `${part} is not in:\n${out}`);
  }
  assert.ok(out.includes(externalId));
});

test('each way to get credentials has its own values', async (t) => {
  const { run, written } = await hub(t);
  const irsa = await run('add', 'a', '--mode', 'irsa', '--role', 'arn:aws:iam::222222222222:role/mine');
  assert.match(irsa.out, /eks\.amazonaws\.com\/role-arn: arn:aws:iam::222222222222:role\/mine/);
  assert.match(irsa.out, /-c oidcProviderArn=ARN_OF_THE_OIDC_PROVIDER/);
  const target = await run('add', 'b', '--mode', 'pod-identity-target-role');
  assert.doesNotMatch(target.out, /externalId:/, 'EKS shows one of its own');
  assert.match(target.out, /put the output ExternalId of this stack into externalIds/);
  const anchor = 'arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/0-1';
  const certificates = await run('add', 'b2', '--trust-anchor', anchor, '--common-name', 'agents');
  assert.doesNotMatch(certificates.out, /spoke/);
  const bare = await run('add', 'd', '--mode', 'roles-anywhere', '--authority-certificate', 'ca file.pem');
  assert.match(bare.out, /-c authorityCertificate='ca file\.pem'/);
  assert.match(bare.out, /AuthorityCertificate="\$\(cat 'ca file\.pem'\)"/);
  assert.deepEqual(
    written().clusters.map(({ trust }) => trust),
    [
      { kind: 'role', arn: 'arn:aws:iam::222222222222:role/mine' },
      { kind: 'role', arn: 'arn:aws:iam::111111111111:role/cinderblock-agent-b' },
      { kind: 'roles-anywhere', trustAnchorArn: anchor, certificateCommonName: 'agents' },
      { kind: 'role', arn: 'arn:aws:iam::111111111111:role/cinderblock-agent-d' },
    ],
  );
});

test('without a file, or with that of another hub, the entry is printed and nothing is written', async (t) => {
  const none = await hub(t, null);
  const printed = await none.run('add', 'a');
  assert.equal(printed.code, 0);
  assert.match(printed.out, /there is no .*: put this entry into "clusters"/);
  assert.match(printed.out, /"externalIds": \[/);
  const other = await hub(t, { ...HUB, stage: 'test' });
  const kept = await other.run('add', 'a');
  assert.match(kept.out, /is of the hub cinderblock-test, not of cinderblock-prod: put this entry/);
  assert.deepEqual(other.written().clusters, []);
  writeFileSync(other.file, '{');
  const broken = await other.run('rotate', 'a');
  assert.deepEqual([broken.code, broken.notes.includes(other.file)], [2, true]);
});

test('the file is written as a person would', async (t) => {
  const { run, file } = await hub(t);
  await run('add', 'a');
  await run('rotate', 'a');
  const text = readFileSync(file, 'utf8');
  assert.match(text, /^ {6}"externalIds": \["[0-9a-f-]{36}", "[0-9a-f-]{36}"\],$/m);
  assert.match(text, /^ {2}"clusters": \[\n {4}\{\n {6}"cluster": "a",$/m);
});

test('rotate writes the new external id in front of the old, until it is finished', async (t) => {
  const { run, written } = await hub(t);
  await run('add', 'a');
  const [first] = written().clusters[0]!.externalIds;
  const { out } = await run('rotate', 'a');
  const [second, ...older] = written().clusters[0]!.externalIds;
  assert.deepEqual(older, [first]);
  assert.match(out, /deploy: npx cdk deploy Cinderblock-Prod-ClusterAccess/);
  assert.ok(out.includes(`externalId: ${second}`));
  assert.match(out, /cluster rotate a --finish/);
  await run('rotate', 'a', '--finish', '--yes');
  assert.deepEqual(written().clusters[0]!.externalIds, [second]);
});

test('remove takes the entry out, and says how its role goes too', async (t) => {
  const { run, written } = await hub(t);
  await run('add', 'a');
  await run('add', 'b');
  const { code, out } = await run('remove', 'a', '--yes');
  assert.equal(code, 0);
  assert.match(
    out,
    /refuses it from now on; its entry is gone from .*: npx cdk deploy Cinderblock-Prod-ClusterAccess/,
  );
  assert.deepEqual(
    written().clusters.map(({ cluster }) => cluster),
    ['b'],
  );
  const shown = JSON.parse((await run('show', 'b', '--output', 'json')).out);
  assert.equal(shown.role.externalIds.length, 1);
});

test('the printed values are those that the templates of a cluster take, in every mode', async (t) => {
  const { run } = await hub(t);
  for (const [mode, template] of spokeTemplates()) {
    const { out } = await run('add', `cluster-${mode}`, '--mode', mode);
    const [, given] = /--parameter-overrides (.*)$/m.exec(out)!;
    const names = [...given!.matchAll(/(?:^| )([A-Z]\w+)=/g)].map(([, name]) => name!);
    const { Parameters } = template as { Parameters: object };
    assert.deepEqual(names.sort(), Object.keys(Parameters).sort(), mode);
  }
});

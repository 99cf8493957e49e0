import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { openGate } from '../../functions/authorizer.ts';
import { openCompactor } from '../../functions/compaction-worker.ts';
import { openHub } from '../../functions/open-hub.ts';
import { defaultHubSettings } from '../../pipeline/hub.ts';

const VARIABLES = {
  AWS_REGION: 'eu-central-1',
  CINDERBLOCK_BUCKET: 'blocks',
  CINDERBLOCK_TABLE: 'hub',
  CINDERBLOCK_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/111111111111/batches',
  CINDERBLOCK_DEAD_LETTER_URL: 'https://sqs.eu-central-1.amazonaws.com/111111111111/dead',
  CINDERBLOCK_MAX_RECEIVES: '5',
  CINDERBLOCK_TENANT: 'acme',
  CINDERBLOCK_STAGE: 'prod',
  CINDERBLOCK_CLUSTER_ROLE_PREFIX: 'cinderblock-prod-cluster-',
};

test('a hub opens from its environment, and asks nobody', () => {
  const { hub, rolePrefix } = openHub({ service: 'ingest', variables: VARIABLES });
  assert.equal(hub.tenant, 'acme');
  assert.equal(rolePrefix, 'cinderblock-prod-cluster-');
  assert.throws(() => hub.compileRegex('.*'), /matches no labels/);
});

test('who merges blocks rolls labels up from 1 h on', () => {
  const openWith = (labels: string) => openCompactor({ ...VARIABLES, CINDERBLOCK_ROLL_UP_LABELS: labels });
  assert.deepEqual(openCompactor(VARIABLES).hub.settings, defaultHubSettings);
  const { resolutions } = openWith('pod,container_id').hub.settings.compaction;
  const rolledUp = resolutions.map(({ seconds, rollUp }) => [seconds, rollUp]);
  const labels = ['pod', 'container_id'];
  assert.deepEqual(rolledUp, [
    [300, undefined],
    [3600, labels],
    [86_400, labels],
  ]);
  assert.throws(() => openWith('cluster'), /cluster cannot be rolled up/);
});

test('each missing variable is named, and an empty one is missing', () => {
  for (const name of Object.keys(VARIABLES)) {
    for (const value of [undefined, '']) {
      const variables = { ...VARIABLES, [name]: value };
      assert.throws(() => openHub({ service: 'x', variables }), new RegExp(`lacks ${name};`));
    }
  }
  assert.throws(
    () => openHub({ service: 'x', variables: {} }),
    /CINDERBLOCK_BUCKET, CINDERBLOCK_TABLE, .*ROLE_PREFIX/,
  );
});

test('the admin function knows where clusters get in; it needs two variables more', () => {
  const admin = { CINDERBLOCK_INGEST_URL: 'https://in.example', CINDERBLOCK_ACCOUNT: '111111111111' };
  const { hub } = openHub({ service: 'admin', isAdmin: true, variables: { ...VARIABLES, ...admin } });
  assert.deepEqual(hub.access, {
    ...{ kind: 'role', region: 'eu-central-1', rolePrefix: 'cinderblock-prod-cluster-' },
    ...{ account: '111111111111', ingestUrl: 'https://in.example' },
  });
  assert.throws(
    () => openHub({ service: 'admin', isAdmin: true, variables: VARIABLES }),
    /lacks CINDERBLOCK_INGEST_URL, CINDERBLOCK_ACCOUNT;/,
  );
});

test('the authorizer names what it lacks', () => {
  assert.throws(() => openGate({ CINDERBLOCK_TABLE: 'hub' }), /CINDERBLOCK_STAGE, CINDERBLOCK_OIDC_ISSUER/);
});

test('AWS_ENDPOINT_URL stands in for AWS, with the bucket in the path', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
  Object.assign(process.env, credentials);
  t.after(() => {
    for (const name of Object.keys(credentials)) delete process.env[name];
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { hub } = openHub({ service: 'x', variables: { ...VARIABLES, AWS_ENDPOINT_URL: endpoint } });
  assert.equal(await hub.objects.get('a/b').catch(() => undefined), undefined);
  assert.deepEqual(asked.slice(0, 1), ['GET /blocks/a/b?x-id=GetObject']);
  server.closeAllConnections();
});

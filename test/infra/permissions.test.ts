// What each role may do, held against what the code asks of AWS: the adapters run on clients that note every command,
// and the policies of the templates have to allow each of them. Then what roles must not be able to do.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toItem } from '../../storage/aws/attribute-values.ts';
import { toContent } from '../../storage/aws/batch-messages.ts';
import { entryOf, rowFields } from '../../storage/aws/block-items.ts';
import { entryKey } from '../../storage/aws/block-spans.ts';
import { dynamodbBlockCatalog } from '../../storage/aws/dynamodb-block-catalog.ts';
import { dynamodbLeaseStore } from '../../storage/aws/dynamodb-lease-store.ts';
import { dynamodbRegistry } from '../../storage/aws/dynamodb-registry.ts';
import { dynamoTable } from '../../storage/aws/dynamodb-table.ts';
import { lambdaFunction } from '../../storage/aws/lambda-function.ts';
import {
  agentKey,
  apiTokenKey,
  blockKey as blockItemKey,
  clusterKey,
  credentialKey,
  leaseKey,
  rowPartKey,
  settingKey,
} from '../../storage/aws/names.ts';
import { s3ObjectStore } from '../../storage/aws/s3-object-store.ts';
import { sqsBatchQueue } from '../../storage/aws/sqs-batch-queue.ts';
import { sqsJobQueue } from '../../storage/aws/sqs-job-queue.ts';
import { blockKey, inboxKey, quarantineKeys, sealedKey } from '../../storage/names.ts';
import { aMessage } from '../contracts/batch-queue.contract.ts';
import { aBlockRow } from '../contracts/block-catalog.contract.ts';
import { awsError, type Command, scriptedClient } from '../storage/aws/command-clients.ts';
import { PORT_CALLS } from './port-calls.ts';
import { allows, nameOf, type Request, requestsOf, statementsOf } from './role-policies.ts';
import { type StackName, synthesizedHub } from './synthesized.ts';

const hub = synthesizedHub();

const BLOCK = blockKey('default', 0, '01J');
const INBOX = inboxKey('default', 'prod-eu-1', 'b1');
const QUARANTINED = quarantineKeys({ tenant: 'default', cluster: 'prod-eu-1', name: 'b1=1=2' }).batch;
const SEALED = sealedKey({ tenant: 'default', day: 1, family: '01J' });
const HOUR = 3_600_000;
const BYTES = Uint8Array.of(1);

const ROW = aBlockRow({ blockId: '01J', minTime: HOUR, maxTime: HOUR + 60_000 });
const CLUSTER = { cluster: 'prod-eu-1', displayName: 'p', status: 'active' as const, createdAt: 1 };
const TOKEN = { tokenHash: 'h', name: 'grafana', scopes: ['query'], createdAt: 1 };
/** Past the size of an item. */
const LONG = rowFields(ROW, 'nonce', 0);
const NEXT_ROW = aBlockRow({ blockId: '02J', minTime: HOUR, maxTime: HOUR + 60_000 });
const ASIDE = 'compaction-quarantine/default';
const REWRITES = 'block-rewrites/default';
const QUARANTINE = {
  ...{ remove: [], add: [], token: 't' },
  setAside: [{ blockId: '01J', aside: { reason: 'damaged', at: 1 } }],
};
const LEASE = 'compaction/default/hour-1';
const RECORD = {
  ...{ cluster: 'prod-eu-1', node: 'n', bootId: 'b', sequence: 0 },
  ...{ samplesTaken: 1, samplesLost: 0, samplesDropped: 0, samplesKept: 1 },
  ...{ firstWindow: HOUR, lastWindow: HOUR, receivedAt: HOUR },
};
const BOOT = { cluster: 'prod-eu-1', node: 'n', bootId: 'b', hour: HOUR };
const HEARTBEAT = {
  ...{ cluster: 'prod-eu-1', node: 'n', bootId: 'b', version: '1', engine: 'perf' },
  ...{ at: 1, clockSkewMs: 0, counters: {} },
};

/** The ports on clients that note what they are asked. */
function notingPorts() {
  const client = scriptedClient(answer);
  const table = dynamoTable(client, 'table');
  const clock = () => HOUR;
  return {
    commands: client.commands,
    objects: s3ObjectStore(client, 'bucket'),
    registry: dynamodbRegistry(table, clock),
    catalog: dynamodbBlockCatalog(table, clock),
    leases: dynamodbLeaseStore(table, clock),
    jobs: sqsJobQueue(client, 'jobs'),
    workers: { sum: lambdaFunction(client, 'query-worker', 1000) },
    queue: sqsBatchQueue(client, { queueUrl: 'queue', deadLetterUrl: 'dead-letters', waitSeconds: 0 }),
  };
}

type Ports = ReturnType<typeof notingPorts>;

/** Enough for every call to go its whole way; answers to puts get lost, so that they look whose object is there. */
function answer({ name, input }: Command): unknown {
  if (name === 'PutObject') {
    return awsError('PreconditionFailed', 412, 'taken', { $metadata: { httpStatusCode: 412, attempts: 2 } });
  }
  if (name === 'Invoke') return { Payload: BYTES };
  if (name === 'GetObject') return { Body: { transformToByteArray: async () => BYTES }, ContentLength: 1 };
  if (name === 'GetItem' && input.Key.pk.S === 'clusters') {
    return {
      Item: toItem({ pk: 'clusters', sk: 'prod-eu-1', displayName: 'p', status: 'active', createdAt: 1 }),
    };
  }
  if (name === 'Query') return { Items: itemsOf(input.ExpressionAttributeValues[':pk'].S) };
  if (name === 'GetItem' && input.Key.pk.S === 'block#marked') {
    const { minTime, maxTime, tenant } = ROW;
    const fields = {
      state: 'marked',
      markedAt: 1,
      minTime,
      maxTime,
      tenant,
      entry: 'e',
      digest: 'd',
      parts: 1,
    };
    return { Item: toItem({ pk: 'block#marked', sk: 'row', ...fields }) };
  }
  if (name === 'GetItem' && input.Key.pk.S === 'block#long')
    return { Item: toItem({ ...blockItemKey('long'), ...LONG.fields }) };
  if (name === 'BatchGetItem') {
    const keys: { pk: { S: string } }[] = input.RequestItems.table.Keys;
    const { fields } = rowFields(ROW, 'nonce');
    const items = [
      toItem({ ...blockItemKey('01J'), ...fields }),
      toItem({ ...blockItemKey('aside'), ...fields, state: 'aside', aside: '{}' }),
    ];
    return { Responses: { table: items.filter((one) => keys.some(({ pk }) => pk.S === one.pk!.S)) } };
  }
  if (name === 'ReceiveMessage') return { Messages: [letter()] };
  if (name === 'GetQueueAttributes') return { Attributes: { QueueArn: 'dead-letters' } };
  return {};
}

function itemsOf(pk: string) {
  const fields: Record<string, object> = {
    'agent-clusters': { sk: 'prod-eu-1' },
    'api-tokens': { sk: '1#h', tokenHash: 'h' },
    'credentials#prod-eu-1': { sk: '1#k', accessKeyId: 'k' },
    'ledger-hours': { sk: '0000000000000001' },
    'block#long': { sk: rowPartKey('long', LONG.digest, 0).sk, content: LONG.parts[0] },
    'marks#0': { sk: '1', markedAt: 1, blocks: JSON.stringify([['01J', 'acme', 0]]) },
    'agents#prod-eu-1#0': { ...HEARTBEAT, sk: 'n', counters: '{}', firstSeenAt: 1 },
  };
  if (fields[pk]) return [toItem({ pk, ...fields[pk] })];
  const { digest, fields: entry } = entryOf(ROW);
  const key = entryKey(ROW, digest);
  return key.pk === pk ? [toItem({ ...key, ...entry })] : [];
}

function letter() {
  const { body, attributes } = toContent(aMessage('b'));
  return { MessageId: 'm', ReceiptHandle: 'r', Body: body, MessageAttributes: attributes, Attributes: {} };
}

interface RoleCase {
  stack: StackName;
  /** Id of the function's construct. */
  name: string;
  /** Everything the function asks of its ports, by the names of PORT_CALLS. */
  uses: Record<string, (ports: Ports) => Promise<unknown>>;
  /** What somebody who took the function over must not be able to do. */
  mayNot: Request[];
}

const item = (action: string, { pk }: { pk: string }): Request => ({
  action: `dynamodb:${action}`,
  resource: 'table',
  partitions: [pk],
});
const object = (action: string, key: string): Request => ({
  action: `s3:${action}`,
  resource: `bucket/${key}`,
});

/** What a setting or a lease is told apart by: policies name the first part of its key. */
const named = (call: string, key: string) => `${call} ${key.split('/')[0]}`;

const reading = (...keys: string[]): RoleCase['uses'] =>
  Object.fromEntries(
    keys.map((key) => [named('registry.setting', key), ({ registry }) => registry.setting(key)]),
  );

const writing = (...keys: string[]): RoleCase['uses'] =>
  Object.fromEntries(
    keys.map((key) => [named('registry.putSetting', key), ({ registry }) => registry.putSetting(key, '[]')]),
  );

const leasing = (...names: string[]): RoleCase['uses'] =>
  Object.fromEntries(
    names.flatMap((name): [string, (ports: Ports) => Promise<unknown>][] => [
      [named('leases.acquire', name), ({ leases }) => leases.acquire(name, 'me', 1000)],
      [named('leases.renew', name), ({ leases }) => leases.renew(name, 'me', 1, 1000)],
      [named('leases.release', name), ({ leases }) => leases.release(name, 'me', 1)],
    ]),
  );

const ROLES: RoleCase[] = [
  {
    stack: 'ingest',
    name: 'Ingest',
    uses: {
      'registry.getCluster': ({ registry }) => registry.getCluster('prod-eu-1'),
      'registry.recordBatch': ({ registry }) => registry.recordBatch(RECORD),
      'registry.recordHeartbeat': ({ registry }) => registry.recordHeartbeat(HEARTBEAT),
      'objects.put inbox': ({ objects }) => objects.put(INBOX, BYTES),
      'queue.send': ({ queue }) => queue.send(aMessage('b')),
    },
    mayNot: [
      item('PutItem', clusterKey('prod-eu-1')),
      item('UpdateItem', clusterKey('prod-eu-1')),
      item('GetItem', apiTokenKey('h')),
      item('GetItem', blockItemKey('01J')),
      item('DeleteItem', agentKey('prod-eu-1', 'n')),
      object('GetObject', BLOCK),
      object('PutObject', BLOCK),
      object('DeleteObject', INBOX),
      { action: 'sqs:ReceiveMessage', resource: 'queue' },
      { action: 'sqs:SendMessage', resource: 'dead-letters' },
    ],
  },
  {
    stack: 'ingest',
    name: 'Processor',
    uses: {
      'objects.get inbox': ({ objects }) => objects.get(INBOX),
      'objects.delete inbox': ({ objects }) => objects.delete(INBOX),
      'objects.put blocks': ({ objects }) => objects.put(BLOCK, BYTES),
      'objects.put quarantine': ({ objects }) => objects.put(QUARANTINED, BYTES),
      'catalog.publish': ({ catalog }) => catalog.publish(ROW),
      'objects.list sealed': ({ objects }) => objects.list('sealed/default/1/', { limit: 10 }),
      'objects.get sealed': ({ objects }) => objects.get(SEALED),
      'catalog.find': ({ catalog }) => catalog.find({ tenant: ROW.tenant, from: HOUR, until: 2 * HOUR }),
      // Lambda itself receives and deletes, in the name of the function's role.
      'queue.receive': ({ queue }) => queue.receive({ max: 1, visibilityMs: 1000 }),
      'queue.acknowledge': ({ queue }) => queue.acknowledge(['r']),
    },
    mayNot: [
      item('PutItem', clusterKey('prod-eu-1')),
      item('GetItem', apiTokenKey('h')),
      item('PutItem', leaseKey('compaction')),
      item('DeleteItem', blockItemKey('01J')),
      object('DeleteObject', BLOCK),
      object('DeleteObject', QUARANTINED),
      object('PutObject', SEALED),
      object('DeleteObject', SEALED),
      { action: 'sqs:SendMessage', resource: 'queue' },
    ],
  },
  {
    stack: 'query',
    name: 'Query',
    uses: {
      'objects.getRange blocks': ({ objects }) => objects.getRange(BLOCK, 0, 1),
      'objects.getTail blocks': ({ objects }) => objects.getTail(BLOCK, 1),
      'catalog.find': async ({ catalog }) => {
        await catalog.find({ tenant: ROW.tenant, from: HOUR, until: 2 * HOUR });
        await catalog.find({ tenant: ROW.tenant, from: 0, until: 10_000 * HOUR });
      },
      ...reading('tombstones/default', 'loss/state'),
      'registry.listClusters': ({ registry }) => registry.listClusters(),
      'registry.listAgents': ({ registry }) => registry.listAgents(),
      'registry.listBatchSequences': ({ registry }) =>
        registry.listBatchSequences({ from: HOUR, until: 2 * HOUR }),
      'registry.listBootBatches': ({ registry }) => registry.listBootBatches(BOOT),
      'queue.depth': ({ queue }) => queue.depth(),
      'workers.sum': ({ workers }) => workers.sum('{}'),
    },
    mayNot: [
      { action: 'lambda:InvokeFunction', resource: 'another-function' },
      { action: 'lambda:UpdateFunctionCode', resource: 'query-worker' },
      item('GetItem', apiTokenKey('h')),
      item('GetItem', credentialKey('k')),
      item('PutItem', blockItemKey('01J')),
      item('UpdateItem', clusterKey('prod-eu-1')),
      object('PutObject', BLOCK),
      object('DeleteObject', BLOCK),
      object('GetObject', INBOX),
      object('GetObject', SEALED),
      { action: 'sqs:ReceiveMessage', resource: 'queue' },
      { action: 'sqs:ReceiveMessage', resource: 'dead-letters' },
    ],
  },
  {
    stack: 'query',
    name: 'QueryWorker',
    uses: {
      'objects.getRange blocks': ({ objects }) => objects.getRange(BLOCK, 0, 1),
      'objects.getTail blocks': ({ objects }) => objects.getTail(BLOCK, 1),
    },
    mayNot: [
      item('GetItem', blockItemKey('01J')),
      item('Query', { pk: 'clusters' }),
      item('GetItem', settingKey('tombstones/default')),
      object('PutObject', BLOCK),
      object('DeleteObject', BLOCK),
      object('GetObject', INBOX),
      object('GetObject', QUARANTINED),
      { action: 'sqs:GetQueueAttributes', resource: 'queue' },
      { action: 'lambda:InvokeFunction', resource: 'query-worker' },
    ],
  },
  {
    stack: 'query',
    name: 'Admin',
    uses: {
      'registry.createCluster': ({ registry }) => registry.createCluster(CLUSTER),
      'registry.getCluster': ({ registry }) => registry.getCluster('prod-eu-1'),
      'registry.replaceCluster': ({ registry }) => registry.replaceCluster(CLUSTER, 'active'),
      'registry.setClusterStatus': ({ registry }) => registry.setClusterStatus('prod-eu-1', 'removed'),
      'registry.listAgents': ({ registry }) => registry.listAgents('prod-eu-1'),
      'registry.listBatchSequences': ({ registry }) =>
        registry.listBatchSequences({ cluster: 'prod-eu-1', from: HOUR, until: 2 * HOUR }),
      'registry.listBootBatches': ({ registry }) => registry.listBootBatches(BOOT),
      'registry.listCredentials': ({ registry }) => registry.listCredentials('prod-eu-1'),
      'registry.addApiToken': ({ registry }) => registry.addApiToken(TOKEN),
      'registry.listApiTokens': ({ registry }) => registry.listApiTokens(),
      'registry.revokeApiToken': ({ registry }) => registry.revokeApiToken('h', 1),
      'registry.listClusters': ({ registry }) => registry.listClusters(),
      ...reading('tombstones/default', 'retention/default', 'loss/state', 'scrub/default', ASIDE, REWRITES),
      ...writing('tombstones/default', 'retention/default', 'scrub/default', ASIDE, REWRITES),
      ...leasing('tombstones/default', 'retention/default', 'sweep/default', 'scrub/default', REWRITES),
      'catalog.find': ({ catalog }) => catalog.find({ tenant: ROW.tenant, from: HOUR, until: 2 * HOUR }),
      'catalog.get': ({ catalog }) => catalog.get('01J'),
      'catalog.list': ({ catalog }) => catalog.list({ tenant: ROW.tenant, limit: 10 }),
      'catalog.swap': async ({ catalog }) => {
        await catalog.swap(QUARANTINE);
        await catalog.swap({ remove: ['01J'], add: [], putBack: ['aside'], token: 't' });
        await catalog.swap({ remove: [], add: [], removeAside: ['aside'], token: 't' });
      },
      'catalog.listDeletionMarks': ({ catalog }) => catalog.listDeletionMarks(HOUR),
      'objects.list blocks': ({ objects }) => objects.list('blocks/default/', { limit: 10 }),
      'objects.list sealed': ({ objects }) => objects.list('sealed/default/', { limit: 10 }),
      'objects.list inbox': ({ objects }) => objects.list('inbox/default/', { limit: 10 }),
      'objects.getTail blocks': ({ objects }) => objects.getTail(BLOCK, 1),
      'objects.getRange blocks': ({ objects }) => objects.getRange(BLOCK, 0, 1),
      'objects.list quarantine': ({ objects }) => objects.list('quarantine/default/', { limit: 10 }),
      'objects.get quarantine': ({ objects }) => objects.get(QUARANTINED),
      'objects.delete quarantine': ({ objects }) => objects.delete(QUARANTINED),
      'objects.put inbox': ({ objects }) => objects.put(INBOX, BYTES),
      'queue.send': ({ queue }) => queue.send(aMessage('b')),
      'queue.depth': ({ queue }) => queue.depth(),
      'queue.deadLetters': ({ queue }) => queue.deadLetters(1),
      'queue.redrive': async ({ queue }) => {
        await queue.redrive(['m']);
        await queue.redrive('all');
      },
      'queue.discard': ({ queue }) => queue.discard(['m']),
    },
    mayNot: [
      item('PutItem', blockItemKey('01J')),
      item('DeleteItem', blockItemKey('01J')),
      item('UpdateItem', leaseKey(LEASE)),
      item('DeleteItem', clusterKey('prod-eu-1')),
      object('PutObject', BLOCK),
      object('DeleteObject', BLOCK),
      { action: 'sqs:ReceiveMessage', resource: 'queue' },
    ],
  },
  {
    stack: 'compaction',
    name: 'CompactionPlanner',
    uses: {
      'catalog.find': ({ catalog }) => catalog.find({ tenant: ROW.tenant, from: HOUR, until: 2 * HOUR }),
      ...reading(ASIDE, REWRITES),
      ...writing(ASIDE),
      'jobs.send': ({ jobs }) => jobs.send(['job']),
      'jobs.waiting': ({ jobs }) => jobs.waiting(),
    },
    mayNot: [
      item('GetItem', apiTokenKey('h')),
      item('PutItem', blockItemKey('01J')),
      item('UpdateItem', blockItemKey('01J')),
      item('PutItem', settingKey('anything')),
      object('GetObject', BLOCK),
      object('DeleteObject', BLOCK),
      { action: 'sqs:ReceiveMessage', resource: 'jobs' },
      { action: 'sqs:SendMessage', resource: 'queue' },
    ],
  },
  {
    stack: 'compaction',
    name: 'CompactionWorker',
    uses: {
      'objects.getTail blocks': ({ objects }) => objects.getTail(BLOCK, 1),
      'objects.getRange blocks': ({ objects }) => objects.getRange(BLOCK, 0, 1),
      'objects.put blocks': ({ objects }) => objects.put(BLOCK, BYTES),
      'objects.delete blocks': ({ objects }) => objects.delete(BLOCK),
      'objects.list sealed': ({ objects }) => objects.list('sealed/default/1/', { limit: 10 }),
      'objects.get sealed': ({ objects }) => objects.get(SEALED),
      'objects.put sealed': ({ objects }) => objects.put(SEALED, BYTES),
      'catalog.find': ({ catalog }) => catalog.find({ tenant: ROW.tenant, from: HOUR, until: 2 * HOUR }),
      'catalog.get': async ({ catalog }) => {
        assert.equal((await catalog.get('long'))?.blockId, 'long');
      },
      'catalog.swap': async ({ catalog }) => {
        await catalog.swap({ remove: ['01J'], add: [NEXT_ROW], token: 't' });
        // A repeat whose first answer was lost reads what it did.
        await catalog.swap({ remove: ['gone'], add: [NEXT_ROW], token: 't' });
      },
      ...reading('tombstones/default', 'retention/default', ASIDE, REWRITES),
      ...writing('tombstones/default', ASIDE, REWRITES),
      ...leasing(LEASE, 'tombstones/default', REWRITES),
    },
    mayNot: [
      item('GetItem', apiTokenKey('h')),
      item('PutItem', clusterKey('prod-eu-1')),
      item('UpdateItem', leaseKey('another')),
      item('PutItem', settingKey('anything')),
      item('DeleteItem', blockItemKey('01J')),
      object('DeleteObject', INBOX),
      object('GetObject', INBOX),
      object('PutObject', QUARANTINED),
      object('DeleteObject', SEALED),
      { action: 'sqs:SendMessage', resource: 'jobs' },
      { action: 'sqs:ReceiveMessage', resource: 'queue' },
    ],
  },
  {
    stack: 'compaction',
    name: 'CompactionHousekeeper',
    uses: {
      'objects.delete blocks': ({ objects }) => objects.delete(BLOCK),
      'catalog.listDeletionMarks': ({ catalog }) => catalog.listDeletionMarks(HOUR),
      'catalog.forget': ({ catalog }) => catalog.forget('marked'),
      'catalog.find': ({ catalog }) => catalog.find({ tenant: ROW.tenant, from: HOUR, until: 2 * HOUR }),
      'catalog.get': ({ catalog }) => catalog.get('01J'),
      'catalog.list': ({ catalog }) => catalog.list({ tenant: ROW.tenant, limit: 10 }),
      'catalog.swap': ({ catalog }) => catalog.swap({ remove: ['01J'], add: [NEXT_ROW], token: 't' }),
      'objects.list blocks': ({ objects }) => objects.list('blocks/default/', { limit: 10 }),
      'objects.list inbox': ({ objects }) => objects.list('inbox/default/', { limit: 10 }),
      'objects.list sealed': ({ objects }) => objects.list('sealed/default/', { limit: 10 }),
      'objects.delete sealed': ({ objects }) => objects.delete(SEALED),
      'objects.delete inbox': ({ objects }) => objects.delete(INBOX),
      'objects.getTail blocks': ({ objects }) => objects.getTail(BLOCK, 1),
      'objects.getRange blocks': ({ objects }) => objects.getRange(BLOCK, 0, 1),
      'objects.put blocks': ({ objects }) => objects.put(BLOCK, BYTES),
      ...reading('tombstones/default', 'retention/default', 'scrub/default', 'loss/state', ASIDE),
      ...writing('tombstones/default', 'scrub/default', 'loss/state', ASIDE),
      'registry.listBatchSequences': ({ registry }) =>
        registry.listBatchSequences({ from: HOUR, until: 2 * HOUR }),
      ...leasing(
        LEASE,
        'tombstones/default',
        'retention/default',
        'sum-loss',
        'sweep/default',
        'scrub/default',
      ),
      'registry.listBootBatches': ({ registry }) => registry.listBootBatches(BOOT),
      'registry.listAgents': ({ registry }) => registry.listAgents(),
      'registry.recordBatch': ({ registry }) => registry.recordBatch(RECORD),
      'registry.forgetAgents': ({ registry }) => registry.forgetAgents(HOUR),
    },
    mayNot: [
      item('GetItem', apiTokenKey('h')),
      item('DeleteItem', clusterKey('prod-eu-1')),
      item('PutItem', clusterKey('prod-eu-1')),
      item('PutItem', settingKey('retention/default')),
      object('GetObject', INBOX),
      object('DeleteObject', QUARANTINED),
      object('PutObject', SEALED),
      { action: 'sqs:SendMessage', resource: 'jobs' },
    ],
  },
  {
    stack: 'query',
    name: 'Authorizer',
    uses: { 'registry.findApiToken': ({ registry }) => registry.findApiToken('h') },
    mayNot: [
      item('PutItem', apiTokenKey('h')),
      item('Query', { pk: 'api-tokens' }),
      item('GetItem', clusterKey('prod-eu-1')),
      item('GetItem', credentialKey('k')),
      object('GetObject', BLOCK),
      { action: 'sqs:SendMessage', resource: 'queue' },
    ],
  },
];

for (const { stack, name, uses, mayNot } of ROLES) {
  describe(`the role of ${name}`, () => {
    const statements = statementsOf(hub[stack], name);

    test('may do what each call of a port asks of AWS', async () => {
      for (const [call, use] of Object.entries(uses)) {
        const requests = await requestsBy(use);
        assert.ok(requests.length > 0, call);
        const refused = requests.filter((request) => !allows(statements, request));
        assert.deepEqual(refused, [], call);
      }
    });

    test('is held to all calls that the function makes', async (t) => {
      const calls = await PORT_CALLS[name]!(t);
      assert.deepEqual(
        [...calls].filter((call) => !(call in uses)),
        [],
        'Add the call to `uses` here, and what it asks of AWS to lib/hub-functions.ts.',
      );
    });

    test('may not do what others are for', () => {
      assert.deepEqual(
        mayNot.filter((request) => allows(statements, request)),
        [],
      );
    });

    test('may do no action that nothing asks for', async () => {
      const requests = (await Promise.all(Object.values(uses).map(requestsBy))).flat();
      const asked = new Set(requests.map(({ action }) => action));
      const granted = new Set(statements.flatMap(({ Action }) => Action));
      assert.deepEqual(
        [...granted].filter(
          (action) => !asked.has(action) && !BESIDES[name]?.includes(action) && !LOGS.test(action),
        ),
        [],
      );
    });
  });
}

async function requestsBy(use: (ports: Ports) => Promise<unknown>): Promise<Request[]> {
  const ports = notingPorts();
  await use(ports);
  return ports.commands.flatMap(requestsOf);
}

const LOGS = /^logs:(CreateLogStream|PutLogEvents)$/;

const TAKES_MESSAGES = [
  ...['sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:ReceiveMessage'],
];

/** What is asked in a role's name by others than our code. */
const BESIDES: Record<string, string[]> = {
  // Event source mapping; 404 and not 403 for what is not there.
  Processor: [...TAKES_MESSAGES, 's3:ListBucket'],
  Query: ['s3:ListBucket'],
  QueryWorker: ['s3:ListBucket'],
  CompactionWorker: [...TAKES_MESSAGES, 's3:ListBucket'],
  // Lambda tells in its name which events were in vain.
  CompactionHousekeeper: ['sqs:SendMessage'],
};

test('no policy names an action by a wildcard, and no resource but objects below a prefix', () => {
  for (const [name, stack] of Object.entries(hub)) {
    for (const { id, Properties } of [
      ...stack.all('AWS::IAM::Policy'),
      ...stack.all('AWS::IAM::ManagedPolicy'),
    ]) {
      for (const { Action, Resource } of Properties.PolicyDocument.Statement) {
        for (const action of [Action].flat()) assert.doesNotMatch(action, /\*/, `${name} ${id}`);
        for (const resource of [Resource].flat().map(nameOf)) {
          const isFine = !resource.includes('*') || WILDCARDS.some((pattern) => pattern.test(resource));
          assert.ok(isFine, `${name} ${id}: ${resource}`);
        }
      }
    }
  }
});

const WILDCARDS = [
  /^bucket\/(blocks|inbox|quarantine|sealed)\/\*$/,
  // The boundary of all cluster roles.
  /\/\$default\/POST\/v1\/clusters\/\*\/(batches|heartbeat)$/,
  // What uploads the page: from the CDK's bucket to the page's.
  /^arn:aws:s3:::cdk-hnb659fds-assets-111111111111-eu-central-1\/\*$/,
  /^<WebPage\w+>\/\*$/,
];

test('no role has a managed policy of AWS', () => {
  for (const stack of Object.values(hub)) {
    for (const { id, Properties } of stack.all('AWS::IAM::Role')) {
      assert.equal(Properties.ManagedPolicyArns, undefined, id);
    }
  }
});

describe('the role of a cluster', () => {
  const roleOf = (cluster: string) =>
    hub.clusterAccess
      .all('AWS::IAM::Role')
      .find(({ Properties }) => Properties.RoleName === `cinderblock-prod-cluster-${cluster}`)!;

  test('may send to its own two paths and do nothing else', () => {
    const { Policies, PermissionsBoundary } = roleOf('prod-eu-1').Properties;
    assert.equal(Policies.length, 1);
    const [statement, another] = Policies[0].PolicyDocument.Statement;
    assert.equal(another, undefined);
    assert.deepEqual(statement.Action, ['execute-api:Invoke']);
    assert.deepEqual(statement.Resource.map(nameOf), [
      'arn:aws:execute-api:eu-central-1:111111111111:<ApiF70053CD>/$default/POST/v1/clusters/prod-eu-1/batches',
      'arn:aws:execute-api:eu-central-1:111111111111:<ApiF70053CD>/$default/POST/v1/clusters/prod-eu-1/heartbeat',
    ]);
    assert.equal(PermissionsBoundary.Ref, hub.clusterAccess.one('AWS::IAM::ManagedPolicy').id);
  });

  test('is assumed by one role, of one organization, that shows an external id of the hub', () => {
    const { Statement } = roleOf('prod-eu-1').Properties.AssumeRolePolicyDocument;
    assert.deepEqual(Statement, [
      {
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::222222222222:root' },
        Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
        Condition: {
          ArnEquals: { 'aws:PrincipalArn': 'arn:aws:iam::222222222222:role/cinderblock-agent-prod-eu-1' },
          StringEquals: {
            'sts:ExternalId': ['new-external-id', 'old-external-id'],
            'aws:PrincipalOrgID': 'o-a1b2c3d4e5',
          },
        },
      },
    ]);
  });

  test('or by who holds a certificate of one trust anchor and name', () => {
    const { Statement } = roleOf('cellar').Properties.AssumeRolePolicyDocument;
    assert.equal(Statement.length, 1);
    assert.deepEqual(Statement[0].Principal, { Service: 'rolesanywhere.amazonaws.com' });
    assert.deepEqual(Statement[0].Condition, {
      ArnEquals: { 'aws:SourceArn': 'arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/0f1e2d3c' },
      StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'cellar-agents' },
    });
    const { RoleArns } = hub.clusterAccess.one('AWS::RolesAnywhere::Profile').Properties;
    assert.deepEqual(RoleArns, [{ 'Fn::GetAtt': [roleOf('cellar').id, 'Arn'] }]);
  });
});

// What a batch costs on AWS: how many requests of which kind the functions make, counted on scripted clients.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ingestHandler } from '../../functions/ingest.ts';
import { processorHandler } from '../../functions/processor.ts';
import { dynamodbBlockCatalog } from '../../storage/aws/dynamodb-block-catalog.ts';
import { dynamodbRegistry } from '../../storage/aws/dynamodb-registry.ts';
import { dynamoTable } from '../../storage/aws/dynamodb-table.ts';
import { s3ObjectStore } from '../../storage/aws/s3-object-store.ts';
import { sqsBatchQueue } from '../../storage/aws/sqs-batch-queue.ts';
import type { BatchMessage } from '../../storage/batch-queue.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import { type Command, scriptedClient, tally } from '../storage/aws/command-clients.ts';
import { agentOf, contextOf, httpEvent, openFunctionHub, sqsEvent } from './function-events.ts';

const HOUR = 3_600_000;

/** A hub on the adapters of AWS; `client` keeps what they ask. Its cluster c is active, its objects are `bytes`. */
async function openOnScript(t: TestContext, bytes: Uint8Array = new Uint8Array()) {
  const client = scriptedClient(({ name }: Command) => {
    if (name === 'GetItem') return { Item: { cluster: { S: 'c' }, status: { S: 'active' } } };
    if (name === 'GetObject') return { Body: { transformToByteArray: async () => bytes } };
    return {};
  });
  const under = await openFunctionHub(t);
  const table = dynamoTable(client, 'hub');
  const hub = {
    ...under.hub,
    objects: s3ObjectStore(client, 'blocks'),
    catalog: dynamodbBlockCatalog(table, () => NOW),
    queue: sqsBatchQueue(client, { queueUrl: 'q', deadLetterUrl: 'd' }),
    registry: dynamodbRegistry(table, () => NOW),
  };
  const asked = () => tally(client.commands.splice(0));
  return { open: () => ({ ...under.open(), hub }), asked };
}

const batch = (sequence: number, start = NOW - 60_000) =>
  batchOf(sequence, [{ stacks: { main: sequence }, samples: 1, start }]);

const head = (sequence: number) => ({
  ...{ batchId: `c/n/b/${sequence}`, tenant: 'default', cluster: 'c', receivedAt: NOW },
});

const inline = (sequence: number, start?: number): BatchMessage => ({
  ...head(sequence),
  payload: batch(sequence, start),
});
const pointed = (sequence: number): BatchMessage => ({
  ...head(sequence),
  objectKey: `inbox/default/c/c=n=b=${sequence}=00000000.batch`,
});
const times = <T>(count: number, make: (sequence: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i + 1));

test('ingest, batch inside its message: one read, one message, one item; one more item per process and hour', async (t) => {
  const { open, asked } = await openOnScript(t);
  const handler = ingestHandler(open);
  const send = async (sequence: number) => {
    const event = httpEvent('/v1/clusters/c/batches', { body: batch(sequence), authorizer: agentOf('c') });
    assert.equal((await handler(event, contextOf())).statusCode, 202);
    return asked();
  };
  assert.equal(await send(1), '1 GetItem, 1 PutItem, 1 SendMessage, 1 UpdateItem');
  assert.equal(await send(2), '1 GetItem, 1 SendMessage, 1 UpdateItem');
});

test('ingest, batch as an object: a put more', async (t) => {
  const { open, asked } = await openOnScript(t);
  const stacks = Object.fromEntries(
    times(30_000, (i) => [`main;${(i * 2654435761) >>> 0}-${Math.sin(i)}`, i]),
  );
  const body = batchOf(1, [{ stacks }]);
  assert.ok(body.length > 300 * 1024);
  const event = httpEvent('/v1/clusters/c/batches', { body, authorizer: agentOf('c') });
  assert.equal((await ingestHandler(open)(event, contextOf())).statusCode, 202);
  assert.equal(asked(), '1 GetItem, 1 PutItem, 1 PutObject, 1 SendMessage, 1 UpdateItem');
});

test('heartbeat: one read and one item; one more item per process', async (t) => {
  const { open, asked } = await openOnScript(t);
  const body = JSON.stringify({ node: 'n', bootId: 'b', version: '1', engine: 'perf' });
  const event = () => httpEvent('/v1/clusters/c/heartbeat', { body, authorizer: agentOf('c') });
  await ingestHandler(open)(event(), contextOf());
  asked();
  assert.equal((await ingestHandler(open)(event(), contextOf())).statusCode, 200);
  assert.equal(asked(), '1 GetItem, 1 UpdateItem');
});

test('processor: an event of 45 batches is one object and two items, and nothing is asked of the queue', async (t) => {
  const { open, asked } = await openOnScript(t);
  const handler = processorHandler(open);
  const round = async (messages: BatchMessage[]) => {
    assert.deepEqual(await handler(sqsEvent(messages), contextOf()), { batchItemFailures: [] });
    return asked();
  };
  assert.equal(
    await round(times(45, (i) => inline(i))),
    '3 PutItem, 1 PutObject',
    'the first of a time bucket',
  );
  assert.equal(await round(times(45, (i) => inline(i))), '2 PutItem, 1 PutObject');
  // Each hour that the batches of an event are of is a block.
  const twoHours = times(45, (i) => inline(i, i === 1 ? NOW - HOUR - 60_000 : NOW - 60_000));
  assert.equal(await round(twoHours), '4 PutItem, 2 PutObject');
});

test('processor: a batch that came as an object is read and deleted', async (t) => {
  const { open, asked } = await openOnScript(t, batch(1));
  await processorHandler(open)(sqsEvent(times(5, pointed)), contextOf());
  assert.equal(asked(), '5 DeleteObject, 5 GetObject, 3 PutItem, 1 PutObject');
});

test('processor: poison is two objects, its bytes and its reason', async (t) => {
  const { open, asked } = await openOnScript(t);
  const poison = { ...head(1), payload: batch(1).slice(0, 40) };
  assert.deepEqual(await processorHandler(open)(sqsEvent([poison]), contextOf()), { batchItemFailures: [] });
  assert.equal(asked(), '2 PutObject');
});

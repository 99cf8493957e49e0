// What DynamoDB says under load, which no stand-in says: throttles, conflicts, parts of a batch left over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError, RetryableError } from '../../../core/errors.ts';
import { dynamodbBlockCatalog } from '../../../storage/aws/dynamodb-block-catalog.ts';
import { dynamodbLeaseStore } from '../../../storage/aws/dynamodb-lease-store.ts';
import { dynamodbRegistry } from '../../../storage/aws/dynamodb-registry.ts';
import { dynamoTable } from '../../../storage/aws/dynamodb-table.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';
import { awsError, type Command, scriptedClient, tally } from './command-clients.ts';

const NOW = Date.UTC(2026, 0, 1);

function on(answer: (command: Command, ordinal: number) => unknown) {
  const client = scriptedClient(answer);
  const table = dynamoTable(client, 'hub');
  const clock = () => NOW;
  return {
    client,
    table,
    catalog: dynamodbBlockCatalog(table, clock),
    registry: dynamodbRegistry(table, clock),
    leases: dynamodbLeaseStore(table, clock),
  };
}

const cancelled = (...codes: string[]) =>
  awsError('TransactionCanceledException', 400, 'cancelled', {
    CancellationReasons: codes.map((Code) => ({ Code })),
  });

/** A swap of one live block for none, on a table that answers the transaction as given. */
function swapOn(transact: (ordinal: number) => unknown, token?: object) {
  let transactions = 0;
  const ports = on(({ name, input }) => {
    if (name === 'TransactWriteItems') return transact(transactions++);
    if (name === 'GetItem') return { Item: token };
    const [key] = input.RequestItems.hub.Keys.filter((key: { pk: { S: string } }) =>
      key.pk.S.startsWith('block#'),
    );
    return {
      Responses: { hub: [{ ...key, state: { S: 'live' }, tenant: { S: 'acme' }, level: { N: '0' } }] },
    };
  });
  return { ...ports, swap: () => ports.catalog.swap({ remove: ['a'], add: [], token: 't' }) };
}

test('throttling that outlasts the repeats of the SDK is told as retryable, at once', async () => {
  for (const name of ['ProvisionedThroughputExceededException', 'ThrottlingException', 'TimeoutError']) {
    const { client, catalog, registry, leases } = on(() => awsError(name, 400));
    await assert.rejects(catalog.publish(aBlockRow({ blockId: 'a' })), RetryableError);
    await assert.rejects(catalog.get('a'), RetryableError);
    await assert.rejects(catalog.find({ tenant: 't', from: 0, until: 1 }), RetryableError);
    await assert.rejects(catalog.swap({ remove: ['a'], add: [], token: 't' }), RetryableError);
    await assert.rejects(registry.nextCount('n'), RetryableError);
    await assert.rejects(leases.acquire('n', 'o', 1), RetryableError);
    assert.ok(client.commands.length < 12, tally(client.commands));
  }
});

test('a write that meets a transaction is made again', async () => {
  const { client, registry } = on((_, ordinal) =>
    ordinal < 2 ? awsError('TransactionConflictException', 400) : { Attributes: { value: { N: '7' } } },
  );
  assert.equal(await registry.nextCount('n'), 7);
  assert.equal(client.commands.length, 3);
});

test('a transaction that collides is sent again under the same token, and then done', async () => {
  const { client, swap } = swapOn((n) => (n < 3 ? cancelled('None', 'TransactionConflict') : {}));
  assert.equal(await swap(), 'done');
  const sent = client.commands.filter(({ name }) => name === 'TransactWriteItems');
  assert.equal(sent.length, 4);
  const tokens = new Set(sent.map(({ input }) => input.ClientRequestToken));
  assert.equal(tokens.size, 1);
  assert.equal([...tokens][0].length, 36);
});

test('a transaction that collides for good, or is throttled, is retryable', async () => {
  for (const code of ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']) {
    await assert.rejects(swapOn(() => cancelled(code)).swap(), RetryableError);
  }
});

test('a condition that fails is a conflict, unless this very swap was done before', async () => {
  const failed = () => cancelled('TransactionConflict', 'ConditionalCheckFailed');
  const other = swapOn(failed);
  assert.equal(await other.swap(), 'conflict');
  assert.match(tally(other.client.commands), /1 TransactWriteItems/);

  // The token that an earlier try, whose answer got lost, left behind.
  const first = swapOn(() => ({}));
  await first.swap();
  const [{ input }] = first.client.commands.filter(({ name }) => name === 'TransactWriteItems');
  const token = input.TransactItems.find((item: { Put?: { Item: { pk: { S: string } } } }) =>
    item.Put?.Item.pk.S.startsWith('swap#'),
  ).Put.Item;
  assert.equal(await swapOn(failed, token).swap(), 'done');
  await assert.rejects(
    swapOn(failed, { ...token, effect: { S: 'another' } }).swap(),
    (error) => error instanceof RejectedError && error.reason === 'invalid',
  );
  const expired = { ...token, expires: { N: String(NOW / 1000 - 1) } };
  assert.equal(await swapOn(failed, expired).swap(), 'conflict', 'an expired token is none');
});

test('a faulty transaction is a bug, not something to repeat', async () => {
  const { client, swap } = swapOn(() => cancelled('ValidationError'));
  await assert.rejects(swap(), (error) => !(error instanceof RetryableError));
  assert.match(tally(client.commands), /1 TransactWriteItems/);
});

test('keys that a batch left over are asked for again, until all are there or it takes too long', async () => {
  const keys = Array.from({ length: 5 }, (_, i) => ({ pk: `block#${i}`, sk: 'row' }));
  const one = on(({ input }) => {
    const [first, ...rest] = input.RequestItems.hub.Keys;
    return {
      Responses: { hub: [first] },
      UnprocessedKeys: rest.length > 0 ? { hub: { Keys: rest } } : {},
    };
  });
  assert.equal((await one.table.getMany(keys)).length, 5);
  assert.equal(tally(one.client.commands), '5 BatchGetItem');
  const none = on(({ input }) => ({ UnprocessedKeys: input.RequestItems }));
  await assert.rejects(none.table.getMany(keys), RetryableError);
  const left = on(({ input }) => ({ UnprocessedItems: input.RequestItems }));
  await assert.rejects(left.table.deleteMany(keys), RetryableError);
});

test('an own write that stands in its own way is known by its nonce', async () => {
  let item: Record<string, { S?: string }> = {};
  const { catalog, leases } = on(({ name, input }) => {
    if (name === 'PutItem' && input.ConditionExpression === undefined) return {};
    const nonce = input.Item?.nonce ?? input.ExpressionAttributeValues[':nonce'];
    item = { nonce, token: { N: '4' } as object };
    return awsError('ConditionalCheckFailedException', 400, 'failed', { Item: item });
  });
  assert.equal(await catalog.publish(aBlockRow({ blockId: 'a' })), 'published');
  assert.deepEqual(await leases.acquire('n', 'o', 1000), { token: 4 });
  const foreign = on(({ input }) =>
    input.ConditionExpression === undefined
      ? {}
      : awsError('ConditionalCheckFailedException', 400, 'failed', { Item: { nonce: { S: 'x' } } }),
  );
  assert.equal(await foreign.catalog.publish(aBlockRow({ blockId: 'a' })), 'exists');
  assert.equal(await foreign.leases.acquire('n', 'o', 1000), undefined);
});

test('a search that swaps overtake starts over, and gives up in the end', async () => {
  let swaps = 0;
  const moving = (until: number) =>
    on(({ name }) =>
      name === 'GetItem' ? { Item: { swaps: { N: String(Math.min(until, swaps++)) } } } : {},
    );
  const settles = moving(3);
  assert.deepEqual(await settles.catalog.find({ tenant: 't', from: 0, until: 1 }), []);
  assert.ok(swaps > 3);
  swaps = 0;
  await assert.rejects(
    moving(Infinity).catalog.find({ tenant: 't', from: 0, until: 1 }),
    (error) => error instanceof RetryableError && /swapped during each of 12/.test(error.message),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import { toContent } from '../../../storage/aws/batch-messages.ts';
import { sqsBatchQueue } from '../../../storage/aws/sqs-batch-queue.ts';
import { assertRejected } from '../../contracts/adapter.ts';
import { aMessage } from '../../contracts/batch-queue.contract.ts';
import { awsError, type Command, scriptedClient, tally } from './command-clients.ts';

const URLS = { queueUrl: 'https://sqs/1/batches', deadLetterUrl: 'https://sqs/1/batches-dead' };

function on(
  answer: (command: Command, ordinal: number) => unknown,
  options: Partial<Parameters<typeof sqsBatchQueue>[1]> = {},
) {
  const client = scriptedClient(answer);
  return { client, queue: sqsBatchQueue(client, { ...URLS, ...options }) };
}

/** A queue of `count` messages, delivered in full requests. */
function queueOf(count: number) {
  let left = count;
  return on(({ name, input }) => {
    if (name !== 'ReceiveMessage') return {};
    const taken = Math.min(left, input.MaxNumberOfMessages);
    left -= taken;
    const { body, attributes } = toContent(aMessage('b'));
    const message = { Body: body, MessageAttributes: attributes };
    return {
      Messages: Array.from({ length: taken }, (_, i) => ({ ...message, ReceiptHandle: `r${left}-${i}` })),
    };
  });
}

test('send: one request, with the batch as it is', async () => {
  const { client, queue } = on(() => ({}));
  await queue.send(aMessage('b', Uint8Array.of(1, 2)));
  assert.deepEqual(client.commands, [
    {
      name: 'SendMessage',
      input: {
        QueueUrl: URLS.queueUrl,
        MessageBody: '{"v":1,"b":"b","t":"acme","c":"prod","r":1000}',
        MessageAttributes: { payload: { DataType: 'Binary', BinaryValue: Uint8Array.of(1, 2) } },
      },
    },
  ]);
});

test('send: the tenant is the group where tenants share a queue', async () => {
  const { client, queue } = on(() => ({}), { tenantGroups: true });
  await queue.send(aMessage('b'));
  assert.equal(client.commands[0]?.input.MessageGroupId, 'acme');
});

test('receive: ten per request, first one that waits, then several that do not, never more than wanted', async () => {
  const { client, queue } = queueOf(60);
  assert.equal((await queue.receive({ max: 45, visibilityMs: 60_000 })).length, 45);
  const asked = client.commands.map(({ input }) => [input.MaxNumberOfMessages, input.WaitTimeSeconds]);
  assert.deepEqual(asked, [
    [10, 1],
    [10, 0],
    [10, 0],
    [10, 0],
    [5, 0],
  ]);
});

test('receive: an empty queue costs one request', async () => {
  const { client, queue } = queueOf(0);
  assert.deepEqual(await queue.receive({ max: 500, visibilityMs: 1 }), []);
  assert.equal(tally(client.commands), '1 ReceiveMessage');
});

test('receive: what arrived is not lost to a later request that fails', async () => {
  const { body } = toContent(aMessage('b'));
  const ten = Array.from({ length: 10 }, (_, i) => ({ Body: body, ReceiptHandle: `r${i}` }));
  const { queue } = on((_, ordinal) =>
    ordinal === 0 ? { Messages: ten } : awsError('RequestThrottled', 403),
  );
  assert.equal((await queue.receive({ max: 100, visibilityMs: 1000 })).length, 10);
  const { queue: down } = on(() => awsError('RequestThrottled', 403));
  await assert.rejects(down.receive({ max: 100, visibilityMs: 1000 }), RetryableError);
});

test('receive: visibility in whole seconds, rounded up, up to twelve hours', async () => {
  const { client, queue } = queueOf(0);
  for (const visibilityMs of [1, 1000, 1001, 43_200_000]) await queue.receive({ max: 1, visibilityMs });
  assert.deepEqual(
    client.commands.map(({ input }) => input.VisibilityTimeout),
    [1, 1, 2, 43_200],
  );
  await assertRejected(queue.receive({ max: 1, visibilityMs: 43_200_001 }), 'invalid');
});

test('receive: a message that is not ours is left to become a dead letter', async () => {
  const { queue } = on(() => ({ Messages: [{ Body: 'hello', ReceiptHandle: 'r' }] }));
  assert.deepEqual(await queue.receive({ max: 1, visibilityMs: 1 }), []);
});

test('acknowledge: ten per request, failures by entry', async () => {
  const { client, queue } = on(({ input }) => ({
    Failed: input.Entries.filter(
      ({ ReceiptHandle }: { ReceiptHandle: string }) => ReceiptHandle === 'r7',
    ).map(({ Id }: { Id: string }) => ({ Id, SenderFault: true, Code: 'ReceiptHandleIsInvalid' })),
  }));
  const outcomes = await queue.acknowledge(Array.from({ length: 45 }, (_, i) => `r${i}`));
  assert.deepEqual(
    outcomes.flatMap((outcome, i) => (outcome === 'stale' ? i : [])),
    [7],
  );
  assert.equal(tally(client.commands), '5 DeleteMessageBatch');
});

test('an entry that fails by no fault of ours is retryable', async () => {
  const { queue } = on(({ input }) => ({
    Failed: [{ Id: input.Entries[0].Id, SenderFault: false, Code: 'InternalError' }],
  }));
  await assert.rejects(queue.acknowledge(['r']), RetryableError);
  await assert.rejects(queue.extend(['r'], 1000), RetryableError);
});

test('45 batches: requests from send to acknowledgement', async () => {
  const { client, queue } = queueOf(45);
  for (let i = 0; i < 45; i++) await queue.send(aMessage(`b${i}`));
  const received = await queue.receive({ max: 45, visibilityMs: 60_000 });
  await queue.acknowledge(received.map(({ receipt }) => receipt));
  assert.equal(tally(client.commands), '5 DeleteMessageBatch, 5 ReceiveMessage, 45 SendMessage');
});

test('redrive of all: moved by SQS in one request where it can, sent again where not', async () => {
  const moving = on(({ name }, ordinal) => {
    if (name === 'GetQueueAttributes') return { Attributes: { QueueArn: 'arn:dead' } };
    if (name !== 'ListMessageMoveTasks') return {};
    return {
      Results: [{ Status: ordinal < 4 ? 'RUNNING' : 'COMPLETED', ApproximateNumberOfMessagesMoved: 12 }],
    };
  });
  assert.equal(await moving.queue.redrive('all'), 12);
  assert.match(
    tally(moving.client.commands),
    /1 GetQueueAttributes, \d ListMessageMoveTasks, 1 StartMessageMoveTask/,
  );

  let dead = 12;
  const sending = on(({ name, input }) => {
    if (name === 'StartMessageMoveTask') return awsError('InvalidAction', 400);
    if (name !== 'ReceiveMessage') return {};
    const taken = Math.min(dead, input.MaxNumberOfMessages);
    dead -= taken;
    const Messages = Array.from({ length: taken }, (_, i) => ({
      Body: toContent(aMessage('b')).body,
      MessageId: `m${dead}-${i}`,
      ReceiptHandle: `r${dead}-${i}`,
    }));
    return { Messages };
  });
  assert.equal(await sending.queue.redrive('all'), 12);
  const names = sending.client.commands.map(({ name }) => name);
  assert.equal(names.filter((name) => name === 'SendMessage').length, 12);
  assert.ok(names.indexOf('SendMessage') < names.indexOf('DeleteMessageBatch'), 'sent before it is removed');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../core/errors.ts';
import { eventQueue } from '../../functions/event-queue.ts';
import { NOW } from '../pipeline/fixtures.ts';
import { sqsEvent } from './function-events.ts';

const messageOf = (sequence: number, payload: Uint8Array) => ({
  ...{ batchId: `c/n/b/${sequence}`, tenant: 'default', cluster: 'c', receivedAt: NOW },
  payload,
});

test('each message is delivered once, bytes and all', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const { Records } = sqsEvent([1, 2, 3].map((sequence) => messageOf(sequence, bytes)));
  Records[1]!.attributes.ApproximateReceiveCount = '4';
  const queue = eventQueue(Records);
  const first = await queue.receive({ max: 2, visibilityMs: 1 });
  assert.deepEqual(
    first.map(({ message, receiveCount }) => [message.batchId, receiveCount, message.payload]),
    [
      ['c/n/b/1', 1, bytes],
      ['c/n/b/2', 4, bytes],
    ],
  );
  assert.equal(queue.undelivered(), 1);
  assert.equal((await queue.receive({ max: 2, visibilityMs: 1 })).length, 1);
  assert.deepEqual(await queue.receive({ max: 2, visibilityMs: 1 }), []);
});

test('what is not acknowledged remains; acknowledging twice is stale', async () => {
  const { Records } = sqsEvent([1, 2].map((sequence) => messageOf(sequence, Uint8Array.of(1))));
  const queue = eventQueue(Records);
  const [one] = await queue.receive({ max: 2, visibilityMs: 1 });
  assert.deepEqual(await queue.acknowledge([one!.receipt, one!.receipt]), ['done', 'stale']);
  assert.deepEqual(queue.remaining(), [Records[1]!.messageId]);
});

test('what polling hosts ask of a queue is refused, by name', async () => {
  const queue = eventQueue([]);
  for (const method of ['send', 'extend', 'release', 'deadLetters', 'redrive', 'discard', 'depth'] as const) {
    const call = queue[method] as () => Promise<unknown>;
    await assert.rejects(
      call(),
      (error: RejectedError) => error instanceof RejectedError && error.message.includes(method),
    );
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  billedRequests,
  fromEventRecord,
  fromMessage,
  messageBytes,
  toContent,
} from '../../../storage/aws/batch-messages.ts';
import { QUEUE_MESSAGE_BYTES } from '../../../storage/aws/names.ts';
import { type BatchMessage, MAX_INLINE_BYTES } from '../../../storage/batch-queue.ts';
import { aMessage } from '../../contracts/batch-queue.contract.ts';

const KIB = 1024;

/** As long as names come in practice: a node of EKS, a boot id (UUID), a sequence. */
const realistic = (bytes: number): BatchMessage => ({
  batchId:
    'production-eu/ip-10-0-123-234.eu-central-1.compute.internal/6f9619ff-8b86-d011-b42d-00cf4fc964ff/123456',
  tenant: 'acme',
  cluster: 'production-eu',
  receivedAt: 1_790_000_000_000,
  payload: new Uint8Array(bytes),
});

const readBack = ({ body, attributes }: ReturnType<typeof toContent>) =>
  fromMessage({ Body: body, MessageAttributes: attributes });

test('a message comes back as it was sent', () => {
  const far = { batchId: 'b', tenant: 't', cluster: 'c', receivedAt: 1, objectKey: 'inbox/t/c/b.batch' };
  for (const message of [aMessage('a'), aMessage('ü"\\', new Uint8Array()), far]) {
    assert.deepEqual(readBack(toContent(message)), message);
  }
});

test('a message comes to a function as it was sent', () => {
  const far = { batchId: 'b', tenant: 't', cluster: 'c', receivedAt: 1, objectKey: 'inbox/t/c/b.batch' };
  const large = aMessage(
    'a',
    new Uint8Array(100_000).map((_, i) => i),
  );
  for (const message of [large, aMessage('b', new Uint8Array()), far]) {
    const { body, attributes } = toContent(message);
    const messageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([name, { BinaryValue = [] }]) => {
        return [name, { binaryValue: Buffer.from(BinaryValue).toString('base64') }];
      }),
    );
    assert.deepEqual(fromEventRecord({ body, messageAttributes }), message);
  }
});

test('what is no message of ours is none', () => {
  for (const Body of [undefined, '', 'hello', '{}', 'null', '[1]', '{"v":2,"b":"a"}', '{"v":1,"b":"a"}']) {
    assert.equal(fromMessage({ Body }), undefined, Body);
  }
});

test('the batch counts as it is, with some 200 bytes around it', () => {
  const overhead = messageBytes(toContent(realistic(1000))) - 1000;
  assert.ok(overhead > 0 && overhead < 256, `${overhead} bytes`);
});

test('the largest message fits, also with the longest names', () => {
  const longest = {
    batchId: 'b'.repeat(512),
    tenant: 't'.repeat(255),
    cluster: 'c'.repeat(255),
    receivedAt: Number.MAX_SAFE_INTEGER,
    payload: new Uint8Array(MAX_INLINE_BYTES),
  };
  assert.ok(messageBytes(toContent(longest)) < QUEUE_MESSAGE_BYTES);
});

test('billing steps: batches that just fit, and how many requests they are billed as', () => {
  const steps = (kib: number) => billedRequests(messageBytes(toContent(realistic(kib * KIB))));
  assert.deepEqual(
    [0, 48, 63.7, 64, 96, 100, 127.7, 128, 191.7, 255.7, 300].map(steps),
    [1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5],
  );
  // The same batch as base64 in the body: a third more.
  assert.equal(billedRequests((100 * KIB * 4) / 3 + 200), 3);
  assert.equal(billedRequests((300 * KIB * 4) / 3 + 200), 7);
});

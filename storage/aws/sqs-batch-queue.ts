import type { Message } from '@aws-sdk/client-sqs';
import { GetQueueAttributesCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { RejectedError } from '../../core/errors.ts';
import type { BatchQueue, ReceivedBatch } from '../batch-queue.ts';
import { checkBatchMessage, checkMs, DEFAULT_MAX_RECEIVES, MAX_RECEIVE } from '../batch-queue.ts';
import { checkCount } from '../object-store.ts';
import { answered } from './aws-errors.ts';
import { fromMessage, toContent } from './batch-messages.ts';
import { sqsDeadLetters } from './sqs-dead-letters.ts';
import { groupOf, receiveUpTo, removeMessages, type SqsCaller, setVisibility } from './sqs-requests.ts';

export interface SqsQueueOptions {
  queueUrl: string;
  deadLetterUrl: string;
  /** maxReceiveCount of the queue's redrive policy. */
  maxReceives?: number;
  /**
   * How long the first request of `receive` waits for messages, in seconds. With 0 it asks only some of the servers and
   * may miss a few messages of a short queue; from 1 on it asks all.
   */
  waitSeconds?: number;
  /**
   * Whether messages name their tenant as group, so that one tenant's backlog does not hold up another's (fair queues).
   * SQS bills a quarter more for that, so a hub of one tenant, where it does nothing, goes without.
   */
  tenantGroups?: boolean;
}

/** Longest time for which SQS hides a message, in seconds. */
const MAX_VISIBILITY_SECONDS = 43_200;

/**
 * BatchQueue on an SQS standard queue with a redrive policy to a dead-letter queue. Times are SQS's own and in whole
 * seconds, rounded up. Where SQS knows less than the port asks: it does not tell a receipt that is stale because its message
 * was delivered again from one that is good, so acknowledging late work removes the message all the same; counts are
 * approximate; and the age of the oldest message is only in its metrics, so `depth` says 0.
 */
export function sqsBatchQueue(client: SqsCaller, options: SqsQueueOptions): BatchQueue {
  const { queueUrl, deadLetterUrl, maxReceives = DEFAULT_MAX_RECEIVES } = options;
  const { tenantGroups = false, waitSeconds = 1 } = options;
  checkCount('maxReceives', maxReceives);
  return {
    async send(message) {
      checkBatchMessage(message);
      const { body, attributes } = toContent(message);
      const group = tenantGroups ? { MessageGroupId: groupOf(message.tenant) } : {};
      const command = { QueueUrl: queueUrl, MessageBody: body, MessageAttributes: attributes, ...group };
      await answered(`send batch ${message.batchId}`, () => client.send(new SendMessageCommand(command)));
    },
    async receive({ max, visibilityMs }) {
      checkCount('max', max, MAX_RECEIVE);
      checkCount('visibilityMs', visibilityMs);
      const messages = await receiveUpTo(client, queueUrl, max, toSeconds(visibilityMs), waitSeconds);
      return messages.flatMap(toReceived);
    },
    acknowledge: (receipts) => removeMessages(client, queueUrl, receipts),
    async extend(receipts, ms) {
      checkMs('extension', ms);
      return setVisibility(client, queueUrl, receipts, toSeconds(ms));
    },
    async release(receipt, delayMs) {
      checkMs('delayMs', delayMs);
      const [outcome] = await setVisibility(client, queueUrl, [receipt], toSeconds(delayMs));
      return outcome;
    },
    ...sqsDeadLetters(client, { queueUrl, deadLetterUrl, maxReceives, tenantGroups, waitSeconds }),
    async depth() {
      const [queue, dead] = await Promise.all([counts(client, queueUrl), counts(client, deadLetterUrl)]);
      return { ...queue, dead: dead.visible + dead.inFlight, oldestMs: 0 };
    },
  };
}

function toSeconds(ms: number): number {
  const seconds = Math.ceil(ms / 1000);
  if (seconds <= MAX_VISIBILITY_SECONDS) return seconds;
  throw new RejectedError('invalid', `${ms} ms is past the 12 hours for which SQS hides a message`);
}

/** A message that is not ours is left to become a dead letter. */
function toReceived(received: Message): ReceivedBatch[] {
  const message = fromMessage(received);
  if (message === undefined || received.ReceiptHandle === undefined) return [];
  const receiveCount = Number(received.Attributes?.ApproximateReceiveCount ?? 1);
  return [{ message, receipt: received.ReceiptHandle, receiveCount }];
}

async function counts(client: SqsCaller, queueUrl: string): Promise<{ visible: number; inFlight: number }> {
  const { Attributes = {} } = await answered('count batches', () =>
    client.send(
      new GetQueueAttributesCommand({
        QueueUrl: queueUrl,
        AttributeNames: [
          'ApproximateNumberOfMessages',
          'ApproximateNumberOfMessagesNotVisible',
          'ApproximateNumberOfMessagesDelayed',
        ],
      }),
    ),
  );
  const hidden = Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0);
  return {
    visible: Number(Attributes.ApproximateNumberOfMessages ?? 0),
    inFlight: hidden + Number(Attributes.ApproximateNumberOfMessagesDelayed ?? 0),
  };
}

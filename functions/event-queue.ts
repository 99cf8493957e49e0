import { RejectedError } from '../core/errors.ts';
import { type EventRecord, fromEventRecord } from '../storage/aws/batch-messages.ts';
import type { BatchQueue, ReceiptOutcome, ReceivedBatch } from '../storage/batch-queue.ts';

/** A message of the queue as its event source mapping hands it over. */
export interface SqsRecord extends EventRecord {
  messageId: string;
  attributes: { ApproximateReceiveCount: string };
}

/** The messages of one event as the queue that they came from. */
export interface EventQueue extends BatchQueue {
  /** How many messages no call of `receive` has delivered yet. */
  undelivered(): number;
  /** Ids of the messages that are not acknowledged: Lambda gives these back to the queue, and deletes the others. */
  remaining(): string[];
  /** Ids of messages that are not ours, or of another version of this code. They are never delivered. */
  readonly foreign: readonly string[];
}

/**
 * BatchQueue over one event: `receive` delivers each message once, `acknowledge` notes what Lambda shall delete when
 * the function answers. Until then nothing is final: if the function dies, all of them are delivered again. The rest
 * of the port is for hosts that poll.
 */
export function eventQueue(records: readonly SqsRecord[]): EventQueue {
  const remaining = new Set(records.map(({ messageId }) => messageId));
  const foreign: string[] = [];
  const waiting = records.flatMap((record): ReceivedBatch[] => {
    const message = fromEventRecord(record);
    if (message === undefined) foreign.push(record.messageId);
    const receiveCount = Number(record.attributes.ApproximateReceiveCount);
    return message === undefined ? [] : [{ message, receipt: record.messageId, receiveCount }];
  });
  return {
    foreign,
    undelivered: () => waiting.length,
    remaining: () => [...remaining],
    receive: async ({ max }) => waiting.splice(0, max),
    acknowledge: async (receipts) =>
      receipts.map((receipt): ReceiptOutcome => (remaining.delete(receipt) ? 'done' : 'stale')),
    send: () => refuse('send'),
    extend: () => refuse('extend'),
    release: () => refuse('release'),
    deadLetters: () => refuse('deadLetters'),
    redrive: () => refuse('redrive'),
    discard: () => refuse('discard'),
    depth: () => refuse('depth'),
  };
}

async function refuse(method: string): Promise<never> {
  throw new RejectedError('invalid', `the messages of one event cannot ${method}`);
}

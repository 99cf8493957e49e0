import type { Message, SQSClient } from '@aws-sdk/client-sqs';
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs';
import type { ReceiptOutcome } from '../batch-queue.ts';
import { answered } from './aws-errors.ts';
import { chunks, inParallel } from './in-parallel.ts';
import { PAYLOAD_ATTRIBUTE } from './names.ts';

/** What the adapter needs of a client; tests put a scripted one in its place. */
export type SqsCaller = Pick<SQSClient, 'send'>;

/** Messages per request, a limit of the API. */
const MAX_MESSAGES = 10;

/** Requests of one `receiveUpTo` under way at once. */
const PARALLEL_RECEIVES = 8;

/** A group's name may have 128 characters; a tenant's 255. A shared prefix only makes two tenants share their turn. */
export function groupOf(tenant: string): string {
  return tenant.slice(0, 128);
}

/**
 * Up to `max` messages, ten per request: one request at first, then several at once, until one round brings none.
 * What arrived is answered even when a later request fails: it would stay hidden otherwise.
 */
export async function receiveUpTo(
  client: SqsCaller,
  queueUrl: string,
  max: number,
  visibilitySeconds: number,
  waitSeconds: number,
): Promise<Message[]> {
  const messages: Message[] = [];
  const ask = async (count: number, wait: number) => {
    const answer = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: count,
        VisibilityTimeout: visibilitySeconds,
        WaitTimeSeconds: wait,
        MessageSystemAttributeNames: [
          'ApproximateReceiveCount',
          'SentTimestamp',
          'ApproximateFirstReceiveTimestamp',
        ],
        MessageAttributeNames: [PAYLOAD_ATTRIBUTE],
      }),
    );
    messages.push(...(answer.Messages ?? []));
  };
  await answered('receive batches', () => ask(Math.min(MAX_MESSAGES, max), waitSeconds));
  for (let before = 0; messages.length > before && messages.length < max; ) {
    before = messages.length;
    const asked = roundOf(max - messages.length);
    const round = await Promise.allSettled(asked.map((count) => ask(count, 0)));
    if (round.some(({ status }) => status === 'rejected')) break;
  }
  return messages;
}

/** How many messages each request of a round asks for: together no more than are wanted. */
function roundOf(wanted: number): number[] {
  const requests = Math.min(PARALLEL_RECEIVES, Math.ceil(wanted / MAX_MESSAGES));
  return Array.from({ length: requests }, (_, i) => Math.min(MAX_MESSAGES, wanted - i * MAX_MESSAGES));
}

/** Deletes messages, ten per request. Of equal receipts the first counts. */
export function removeMessages(
  client: SqsCaller,
  queueUrl: string,
  receipts: string[],
): Promise<ReceiptOutcome[]> {
  return perReceipt(receipts, async (entries) => {
    const { Failed } = await client.send(
      new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }),
    );
    return Failed ?? [];
  });
}

/** Hides messages for so many seconds from now, ten per request; 0 gives them back. */
export function setVisibility(
  client: SqsCaller,
  queueUrl: string,
  receipts: string[],
  seconds: number,
): Promise<ReceiptOutcome[]> {
  return perReceipt(receipts, async (entries) => {
    const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: seconds }));
    const { Failed } = await client.send(
      new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }),
    );
    return Failed ?? [];
  });
}

type Entry = { Id: string; ReceiptHandle: string };
type Failure = { Id?: string; SenderFault?: boolean; Code?: string; Message?: string };

/** Entries that fail by no fault of ours are errors of the service; the others name deliveries that are over. */
async function perReceipt(
  receipts: string[],
  call: (entries: Entry[]) => Promise<Failure[]>,
): Promise<ReceiptOutcome[]> {
  const outcomes: ReceiptOutcome[] = receipts.map(() => 'stale');
  const wanted = receipts
    .map((ReceiptHandle, at): Entry => ({ Id: String(at), ReceiptHandle }))
    .filter(({ ReceiptHandle }, at) => ReceiptHandle !== '' && receipts.indexOf(ReceiptHandle) === at);
  await inParallel(chunks(wanted, MAX_MESSAGES), async (entries) => {
    const failures = await answered('settle batches', async () => {
      const failed = await call(entries);
      const ours = failed.find(({ SenderFault }) => SenderFault === false);
      if (ours) throw Object.assign(new Error(ours.Message), { name: 'InternalError' });
      return failed;
    });
    const failed = new Set(failures.map(({ Id }) => Id));
    for (const { Id } of entries) if (!failed.has(Id)) outcomes[Number(Id)] = 'done';
  });
  return outcomes;
}

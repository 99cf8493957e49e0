import { setTimeout as sleep } from 'node:timers/promises';
import type { Message } from '@aws-sdk/client-sqs';
import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  SendMessageCommand,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import type { BatchQueue, DeadLetter } from '../batch-queue.ts';
import { MAX_RECEIVE } from '../batch-queue.ts';
import { checkCount } from '../object-store.ts';
import { answered } from './aws-errors.ts';
import { fromMessage, toContent } from './batch-messages.ts';
import type { SqsQueueOptions } from './sqs-batch-queue.ts';
import { groupOf, receiveUpTo, removeMessages, type SqsCaller, setVisibility } from './sqs-requests.ts';

/** For how long a dead letter is hidden while it is looked at, in seconds; it is given back at once after. */
const LOOK_SECONDS = 30;

/** Dead letters that are looked at in one go, and hidden meanwhile. */
const LOOK_PAGE = 100;

/** Most dead letters that are gone through to find some by id. */
const MAX_LOOKED_AT = 10_000;

/** How long `redrive('all')` waits for SQS to move them, and how often it asks. */
const MOVE_WAIT_MS = 20_000;
const MOVE_ASK_MS = 200;

type Options = Required<SqsQueueOptions>;

/**
 * Dead letters are messages of the dead-letter queue. SQS has no way to look at a message without receiving it, so each
 * look hides them for a moment, and two who look at once see a part each. For operators and tools, not for a hot path.
 */
export function sqsDeadLetters(
  client: SqsCaller,
  options: Options,
): Pick<BatchQueue, 'deadLetters' | 'redrive' | 'discard'> {
  const { deadLetterUrl } = options;
  return {
    async deadLetters(limit) {
      checkCount('limit', limit, MAX_RECEIVE);
      const received = await receiveUpTo(client, deadLetterUrl, limit, LOOK_SECONDS, options.waitSeconds);
      await giveBack(client, deadLetterUrl, received);
      return received
        .flatMap((message) => toDeadLetter(message, options.maxReceives))
        .sort((a, b) => a.deadAt - b.deadAt);
    },
    async redrive(ids) {
      if (ids === 'all') return (await moveAll(client, options)) ?? sendAllAgain(client, options);
      return withLetters(client, options, new Set(ids), (letters) => sendAgain(client, options, letters));
    },
    async discard(ids) {
      return withLetters(client, options, new Set(ids), (letters) =>
        removeMessages(client, deadLetterUrl, letters.map(receiptOf)),
      );
    },
  };
}

/** Goes through dead letters until those of the ids are found, gives back the others, and answers how many there were. */
async function withLetters(
  client: SqsCaller,
  options: Options,
  ids: Set<string>,
  use: (letters: Message[]) => Promise<unknown>,
): Promise<number> {
  const wanted: Message[] = [];
  const others: Message[] = [];
  try {
    while (wanted.length < ids.size && wanted.length + others.length < MAX_LOOKED_AT) {
      const page = await receiveUpTo(
        client,
        options.deadLetterUrl,
        LOOK_PAGE,
        LOOK_SECONDS,
        options.waitSeconds,
      );
      if (page.length === 0) break;
      for (const letter of page) (ids.has(letter.MessageId ?? '') ? wanted : others).push(letter);
    }
    await use(wanted);
  } finally {
    await giveBack(client, options.deadLetterUrl, others);
  }
  return wanted.length;
}

/** Sent first and removed then: a crash in between leaves two, of which merge drops one. */
async function sendAgain(client: SqsCaller, options: Options, letters: Message[]): Promise<void> {
  for (const letter of letters) {
    const message = fromMessage(letter);
    const content = message && toContent(message);
    await answered(`redrive ${letter.MessageId}`, () =>
      client.send(
        new SendMessageCommand({
          QueueUrl: options.queueUrl,
          MessageBody: content?.body ?? letter.Body,
          MessageAttributes: content?.attributes ?? letter.MessageAttributes,
          ...(message && options.tenantGroups ? { MessageGroupId: groupOf(message.tenant) } : {}),
        }),
      ),
    );
  }
  await removeMessages(client, options.deadLetterUrl, letters.map(receiptOf));
}

async function sendAllAgain(client: SqsCaller, options: Options): Promise<number> {
  let count = 0;
  for (;;) {
    const page = await receiveUpTo(
      client,
      options.deadLetterUrl,
      LOOK_PAGE,
      LOOK_SECONDS,
      options.waitSeconds,
    );
    if (page.length === 0) return count;
    await sendAgain(client, options, page);
    count += page.length;
  }
}

/** Lets SQS move them, one request for all. Undefined when this server knows no such thing. */
async function moveAll(client: SqsCaller, { deadLetterUrl }: Options): Promise<number | undefined> {
  const arn = await answered('read the dead-letter queue', async () => {
    const command = new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ['QueueArn'] });
    return (await client.send(command)).Attributes?.QueueArn;
  });
  try {
    await client.send(new StartMessageMoveTaskCommand({ SourceArn: arn }));
  } catch {
    // Not there, not allowed, or one is under way: sending them again does without.
    return undefined;
  }
  return answered('redrive dead letters', async () => {
    for (let waited = 0; waited < MOVE_WAIT_MS; waited += MOVE_ASK_MS) {
      const { Results = [] } = await client.send(
        new ListMessageMoveTasksCommand({ SourceArn: arn, MaxResults: 1 }),
      );
      const [task] = Results;
      if (task?.Status !== 'RUNNING') return task?.ApproximateNumberOfMessagesMoved ?? 0;
      await sleep(MOVE_ASK_MS);
    }
    // It goes on by itself; how many there will be is not known yet.
    return 0;
  });
}

async function giveBack(client: SqsCaller, deadLetterUrl: string, letters: Message[]): Promise<void> {
  await setVisibility(client, deadLetterUrl, letters.map(receiptOf), 0);
}

function receiptOf({ ReceiptHandle = '' }: Message): string {
  return ReceiptHandle;
}

/** A message in the dead-letter queue that is none of ours has nothing to show; it still counts in `depth`. */
function toDeadLetter(letter: Message, receiveCount: number): DeadLetter[] {
  const message = fromMessage(letter);
  if (message === undefined || letter.MessageId === undefined) return [];
  // SQS does not say when it set a message aside, nor how often it was delivered before: the policy says that.
  const deadAt = Number(letter.Attributes?.ApproximateFirstReceiveTimestamp ?? 0);
  return [{ id: letter.MessageId, message, receiveCount, deadAt }];
}

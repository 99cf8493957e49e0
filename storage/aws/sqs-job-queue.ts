import { GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { RetryableError } from '../../core/errors.ts';
import type { JobQueue } from '../job-queue.ts';
import { answered } from './aws-errors.ts';
import { type AwsPlace, clientOptions } from './client-options.ts';
import { chunks } from './in-parallel.ts';
import type { SqsCaller } from './sqs-requests.ts';

/** Messages per request, a limit of the API. */
const MAX_MESSAGES = 10;

/** JobQueue on an SQS standard queue; an event source mapping takes the messages. */
export function sqsJobQueue(client: SqsCaller, queueUrl: string): JobQueue {
  return {
    async send(messages) {
      for (const part of chunks([...messages], MAX_MESSAGES)) {
        const Entries = part.map((MessageBody, at) => ({ Id: String(at), MessageBody }));
        const { Failed = [] } = await answered('send jobs', () =>
          client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries })),
        );
        if (Failed.length > 0) throw new RetryableError(`cannot send jobs: ${Failed[0]!.Message}`);
      }
    },
    async waiting() {
      const { Attributes = {} } = await answered('count jobs', () =>
        client.send(
          new GetQueueAttributesCommand({
            QueueUrl: queueUrl,
            AttributeNames: ['ApproximateNumberOfMessages'],
          }),
        ),
      );
      return Number(Attributes.ApproximateNumberOfMessages ?? 0);
    },
  };
}

/** Opens a client; nothing is asked of AWS before the first call. */
export function openJobQueue(place: AwsPlace, queueUrl: string): JobQueue {
  const client = new SQSClient({
    ...clientOptions(place),
    useQueueUrlAsEndpoint: place.endpoint === undefined,
  });
  return sqsJobQueue(client, queueUrl);
}

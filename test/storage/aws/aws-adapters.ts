// Adapters on a stand-in, each on a bucket, table or pair of queues of its own.
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type DynamoTable, dynamoTable } from '../../../storage/aws/dynamodb-table.ts';
import { PARTITION_KEY, QUEUE_MESSAGE_BYTES, SORT_KEY } from '../../../storage/aws/names.ts';
import { s3ObjectStore } from '../../../storage/aws/s3-object-store.ts';
import { sqsBatchQueue } from '../../../storage/aws/sqs-batch-queue.ts';
import type { BatchQueue } from '../../../storage/batch-queue.ts';
import type { ObjectStore } from '../../../storage/object-store.ts';
import { type MakeAdapter, TestClock } from '../../contracts/adapter.ts';
import type { QueueOptions } from '../../contracts/batch-queue.contract.ts';
import { ACCESS_KEY_ID, REGION, SECRET_KEY } from './stand-ins.ts';

/** What every client of a stand-in is opened with. */
export function clientOptions(endpoint: string) {
  const credentials = { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET_KEY };
  const requestHandler = { connectionTimeout: 5_000, requestTimeout: 20_000 };
  return { region: REGION, endpoint, credentials, maxAttempts: 2, requestHandler };
}

let made = 0;

/** A name that no other bucket, table or queue of this run has. */
export function freshName(): string {
  return `cinderblock-${process.pid}-${made++}`;
}

export function onDynamoDb<Port>(
  endpoint: () => string,
  wrap: (table: DynamoTable, clock: () => number) => Port,
): MakeAdapter<Port> {
  return async (clock) => {
    const name = freshName();
    const clients: DynamoDBClient[] = [];
    const connect = async () => {
      const client = new DynamoDBClient(clientOptions(endpoint()));
      clients.push(client);
      return client;
    };
    await createTable(await connect(), name);
    const open = async (client: DynamoDBClient) => wrap(dynamoTable(client, name), clock.read);
    return {
      port: await open(clients[0]),
      another: async () => open(await connect()),
      close: async () => destroyAll(clients),
    };
  };
}

export async function createTable(client: DynamoDBClient, name: string): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [PARTITION_KEY, SORT_KEY].map((key) => ({
        AttributeName: key,
        AttributeType: 'S',
      })),
      KeySchema: [
        { AttributeName: PARTITION_KEY, KeyType: 'HASH' },
        { AttributeName: SORT_KEY, KeyType: 'RANGE' },
      ],
    }),
  );
}

export function onS3(endpoint: () => string): MakeAdapter<ObjectStore> {
  return async () => {
    const bucket = freshName();
    const clients: S3Client[] = [];
    const connect = () => {
      const client = new S3Client({ ...clientOptions(endpoint()), forcePathStyle: true });
      clients.push(client);
      return client;
    };
    await connect().send(new CreateBucketCommand({ Bucket: bucket }));
    return {
      port: s3ObjectStore(clients[0], bucket),
      another: async () => s3ObjectStore(connect(), bucket),
      close: async () => destroyAll(clients),
    };
  };
}

export function onSqs(endpoint: () => string, tenantGroups: boolean): MakeAdapter<BatchQueue, QueueOptions> {
  const make: MakeAdapter<BatchQueue, QueueOptions> = async (_clock, { maxReceives }) => {
    const clients: SQSClient[] = [];
    const connect = () => {
      const client = new SQSClient(clientOptions(endpoint()));
      clients.push(client);
      return client;
    };
    const urls = await createQueues(connect(), maxReceives);
    const open = (client: SQSClient) =>
      sqsBatchQueue(client, { ...urls, maxReceives, tenantGroups, waitSeconds: 0 });
    return {
      port: open(clients[0]),
      another: async () => open(connect()),
      close: async () => destroyAll(clients),
    };
  };
  make.newClock = () => new WaitingClock();
  return make;
}

/** A queue and its dead-letter queue, as infrastructure code makes them. */
export async function createQueues(
  client: SQSClient,
  maxReceives: number,
): Promise<{ queueUrl: string; deadLetterUrl: string }> {
  const MaximumMessageSize = String(QUEUE_MESSAGE_BYTES);
  const create = async (QueueName: string, attributes: Record<string, string> = {}) => {
    const command = { QueueName, Attributes: { MaximumMessageSize, ...attributes } };
    return String((await client.send(new CreateQueueCommand(command))).QueueUrl);
  };
  const name = freshName();
  const deadLetterUrl = await create(`${name}-dead`);
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ['QueueArn'] }),
  );
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: Attributes?.QueueArn,
    maxReceiveCount: String(maxReceives),
  });
  return { queueUrl: await create(name, { RedrivePolicy }), deadLetterUrl };
}

function destroyAll(clients: { destroy(): void }[]): void {
  for (const client of clients) client.destroy();
}

/** For servers with a time of their own, which counts in whole seconds: waits, with a margin for slow answers. */
class WaitingClock extends TestClock {
  override async advance(ms: number): Promise<void> {
    if (ms > 0) await sleep(Math.ceil(ms / 1000) * 1000 + 400);
  }
  override async almost(ms: number): Promise<void> {
    await sleep(ms * 0.4);
  }
  override async rest(ms: number): Promise<void> {
    await sleep(ms * 0.6 + 500);
  }
}

import {
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { PurgeQueueCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Credentials } from '../../agent/upload/credentials.ts';
import type { Lane } from './lane.ts';
import { REGION } from './stand-in-cloud.ts';

type ObjectAct = 'PutObject' | 'OverwriteObject' | 'GetObject' | 'DeleteObject' | 'ListObjects';
type ItemAct = 'GetItem' | 'PutItem' | 'UpdateItem' | 'DeleteItem' | 'Query' | 'Scan';
type QueueAct = 'SendMessage' | 'ReceiveMessage' | 'PurgeQueue';
export type RoleAct = `${ObjectAct | ItemAct | QueueAct} ${string}`;

type Verdict = 'allowed' | 'denied';

/** Errors of requests that were let in: nothing is there, or the condition of a write does not hold. */
const LET_IN = /NoSuchKey|PreconditionFailed|ConditionalCheckFailed/;

/** Does one thing with the credentials of a role; none of them changes what the hub holds. */
export async function openRole(
  lane: Lane,
  credentials: Credentials,
): Promise<(name: RoleAct) => Promise<Verdict>> {
  const options = { region: REGION, credentials, maxAttempts: 1 };
  const acts: Record<string, (target: string) => Promise<unknown>> = {
    ...objectActs(new S3Client(options), lane.fresh.output('Data', 'BucketName')),
    ...itemActs(new DynamoDBClient(options), lane.fresh.output('Data', 'TableName')),
    ...queueActs(new SQSClient({ ...options, useQueueUrlAsEndpoint: false }), {
      batches: lane.fresh.output('Data', 'QueueUrl'),
      dead: lane.fresh.output('Data', 'DeadLetterUrl'),
      jobs: await lane.physicalId('Compaction', /^CompactionJobs[0-9A-F]{8}$/),
      missed: await lane.physicalId('Compaction', /^CompactionMissed[0-9A-F]{8}$/),
    }),
  };
  return async (name) => {
    const [action, target] = name.split(' ');
    try {
      await acts[action](target);
    } catch (error) {
      const { name: kind, Code = '', message } = error as Error & { Code?: string };
      if (/AccessDenied/.test(`${kind} ${Code}`)) return 'denied';
      if (!LET_IN.test(kind)) throw new Error(`${name}: ${kind} ${message}`, { cause: error });
    }
    return 'allowed';
  };
}

function objectActs(s3: S3Client, Bucket: string): Record<ObjectAct, (prefix: string) => Promise<unknown>> {
  const keyOf = (prefix: string) => ({ Bucket, Key: `${prefix}/role-test/0/x.block` });
  return {
    PutObject: (prefix) => s3.send(new PutObjectCommand({ ...keyOf(prefix), Body: 'x', IfNoneMatch: '*' })),
    OverwriteObject: (prefix) => s3.send(new PutObjectCommand({ ...keyOf(prefix), Body: 'x' })),
    GetObject: (prefix) => s3.send(new GetObjectCommand(keyOf(prefix))),
    DeleteObject: (prefix) => s3.send(new DeleteObjectCommand(keyOf(prefix))),
    ListObjects: () => s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 })),
  };
}

function itemActs(
  dynamodb: DynamoDBClient,
  TableName: string,
): Record<ItemAct, (partition: string) => Promise<unknown>> {
  const Key = (partition: string) => ({ pk: { S: partition }, sk: { S: 'role-test' } });
  // There is no such item: what is let in changes nothing.
  const ConditionExpression = 'attribute_exists(pk)';
  return {
    GetItem: (partition) => dynamodb.send(new GetItemCommand({ TableName, Key: Key(partition) })),
    PutItem: (partition) =>
      dynamodb.send(new PutItemCommand({ TableName, Item: Key(partition), ConditionExpression })),
    UpdateItem: (partition) =>
      dynamodb.send(
        new UpdateItemCommand({
          ...{ TableName, Key: Key(partition), ConditionExpression },
          UpdateExpression: 'SET x = :x',
          ExpressionAttributeValues: { ':x': { N: '1' } },
        }),
      ),
    DeleteItem: (partition) => dynamodb.send(new DeleteItemCommand({ TableName, Key: Key(partition) })),
    Query: (partition) =>
      dynamodb.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: partition } },
        }),
      ),
    Scan: () => dynamodb.send(new ScanCommand({ TableName, Limit: 1 })),
  };
}

function queueActs(
  sqs: SQSClient,
  urls: Record<string, string>,
): Record<QueueAct, (queue: string) => Promise<unknown>> {
  return {
    // Nobody gets it for as long as the lane runs.
    SendMessage: (queue) =>
      sqs.send(new SendMessageCommand({ QueueUrl: urls[queue], MessageBody: 'x', DelaySeconds: 900 })),
    ReceiveMessage: (queue) =>
      sqs.send(new ReceiveMessageCommand({ QueueUrl: urls[queue], WaitTimeSeconds: 0 })),
    PurgeQueue: (queue) => sqs.send(new PurgeQueueCommand({ QueueUrl: urls[queue] })),
  };
}

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { BatchQueue } from '../batch-queue.ts';
import type { BlockCatalog } from '../block-catalog.ts';
import type { LeaseStore } from '../lease.ts';
import type { ObjectStore } from '../object-store.ts';
import type { Registry } from '../registry.ts';
import { type AwsPlace, clientOptions } from './client-options.ts';
import { dynamodbBlockCatalog } from './dynamodb-block-catalog.ts';
import { dynamodbLeaseStore } from './dynamodb-lease-store.ts';
import { dynamodbRegistry } from './dynamodb-registry.ts';
import { dynamoTable } from './dynamodb-table.ts';
import { s3ObjectStore } from './s3-object-store.ts';
import { sqsBatchQueue } from './sqs-batch-queue.ts';

/** Every port, on S3, DynamoDB and SQS. */
export interface AwsStorage {
  objects: ObjectStore;
  catalog: BlockCatalog;
  queue: BatchQueue;
  registry: Registry;
  leases: LeaseStore;
  /** Closes the connections. */
  close(): Promise<void>;
}

export interface AwsOptions extends AwsPlace {
  bucket: string;
  table: string;
  queueUrl: string;
  deadLetterUrl: string;
  /** Now, in ms since epoch. */
  clock: () => number;
  /** maxReceiveCount of the queue's redrive policy. */
  maxReceives?: number;
}

/** Opens clients; nothing is asked of AWS before the first call. Credentials come from the environment, as the SDK finds them. */
export function openAwsStorage(options: AwsOptions): AwsStorage {
  const { endpoint, bucket, clock } = options;
  const common = clientOptions(options);
  const s3 = new S3Client({ ...common, forcePathStyle: endpoint !== undefined });
  const dynamodb = new DynamoDBClient(common);
  const sqs = new SQSClient({ ...common, useQueueUrlAsEndpoint: endpoint === undefined });
  const table = dynamoTable(dynamodb, options.table);
  return {
    objects: s3ObjectStore(s3, bucket),
    catalog: dynamodbBlockCatalog(table, clock),
    queue: sqsBatchQueue(sqs, options),
    registry: dynamodbRegistry(table, clock),
    leases: dynamodbLeaseStore(table, clock),
    async close() {
      for (const client of [s3, dynamodb, sqs]) client.destroy();
    },
  };
}

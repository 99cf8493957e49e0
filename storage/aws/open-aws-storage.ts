import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { BatchQueue } from '../batch-queue.ts';
import type { BlockCatalog } from '../block-catalog.ts';
import type { LeaseStore } from '../lease.ts';
import type { ObjectStore } from '../object-store.ts';
import type { Registry } from '../registry.ts';
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

export interface AwsOptions {
  region: string;
  bucket: string;
  table: string;
  queueUrl: string;
  deadLetterUrl: string;
  /** Now, in ms since epoch. */
  clock: () => number;
  /** maxReceiveCount of the queue's redrive policy. */
  maxReceives?: number;
  /** Of a server that stands in for all three services; then buckets are named in paths and not in host names. */
  endpoint?: string;
}

/** A connection is made within this time or not at all, in ms. */
const CONNECTION_TIMEOUT_MS = 2_000;

/** A request is answered within this time or made again, in ms: the slowest is a put or read of many MB. */
const REQUEST_TIMEOUT_MS = 15_000;

/** How often the SDK makes a request that was throttled or not answered, the first time included. */
const MAX_ATTEMPTS = 4;

/** Opens clients; nothing is asked of AWS before the first call. Credentials come from the environment, as the SDK finds them. */
export function openAwsStorage(options: AwsOptions): AwsStorage {
  const { region, endpoint, bucket, clock } = options;
  const common = {
    region,
    endpoint,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECTION_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  };
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

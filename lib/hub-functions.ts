import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type {
  AdminEnvironment,
  AuthorizerEnvironment,
  HubEnvironment,
  QueryEnvironment,
} from '../functions/environment.ts';
import { BLOCKS, INBOX, QUARANTINE, SEALED } from '../storage/names.ts';
import { acknowledge } from './acknowledge.ts';
import { ALARM_PERIOD, addAlarm } from './alarms.ts';
import type { HubStorage } from './hub-environment.ts';
import { type FunctionDefaults, HubFunction } from './hub-function.ts';
import { TABLE_READS } from './hub-table.ts';

// The functions that agents, people and batches call: size, timeout, and exactly what each may do. Partition keys are
// spelled in storage/aws/names.ts; a test holds these patterns to it.

/** What a batch leaves in the table on its way in: that it came, and what its agent says of itself. */
const INGEST_PARTITIONS = ['agents#*', 'agent-clusters', 'ledger#*', 'ledger-hours'];

/** What an administrator changes, and what else is seen: blocks, agents, and what of their batches is missing. */
const ADMIN_PARTITIONS = [
  ...['clusters', 'api-token#*', 'api-tokens'],
  ...['setting#retention/*', 'lease#retention/*', 'setting#tombstones/*', 'lease#tombstones/*'],
  ...['setting#compaction-quarantine/*', 'setting#scrub/*', 'lease#scrub/*', 'lease#sweep/*'],
  ...['setting#block-rewrites/*', 'lease#block-rewrites/*'],
];
const SEEN_PARTITIONS = [
  ...['block#*', 'spans#*', 'buckets#*', 'tenant#*', 'marks#*', 'swap#*', 'setting#*'],
  ...['agents#*', 'agent-clusters', 'ledger#*', 'ledger-hours', 'credential#*', 'credentials#*'],
];

/** What answers are made of; no token, no key. */
const QUERY_PARTITIONS = [
  ...['block#*', 'spans#*', 'buckets#*', 'tenant#*'],
  ...['clusters', 'agents#*', 'agent-clusters', 'ledger#*', 'ledger-hours'],
  // What was deleted, and what was lost. No setting is a secret.
  'setting#*',
];

/** What a new block is found by; and, for batches that come after their day was sealed, which blocks it has. */
const PROCESSOR_PARTITIONS = ['block#*', 'spans#*', 'buckets#*'];
const PROCESSOR_READS = [...PROCESSOR_PARTITIONS, 'tenant#*'];

export interface HubFunctionsProps extends FunctionDefaults {
  readonly storage: HubStorage;
  /**
   * Executions set aside.
   * @default 0: shared with the account
   */
  readonly reservedConcurrency?: number;
}

/** Takes batches, heartbeats and pushes. API Gateway gives up after 30 s; a batch takes milliseconds. */
export class IngestFunction extends HubFunction {
  constructor(scope: Construct, id: string, props: HubFunctionsProps & { environment: HubEnvironment }) {
    super(scope, id, {
      ...props,
      bundle: 'ingest',
      description: 'Takes batches and heartbeats of agents, and pushes of SDKs',
      environment: { ...props.environment },
      memoryMiB: 512,
      timeout: Duration.seconds(10),
    });
    const { blocks, table, queue } = props.storage;
    // Reads only what it wrote itself, when an answer was lost.
    blocks.allow(this.role, INBOX, 's3:PutObject', 's3:GetObject');
    queue.allow(this.role, 'sqs:SendMessage');
    // May a cluster send? Nothing here could change that.
    table.allow(this.role, ['dynamodb:GetItem'], ['clusters', ...INGEST_PARTITIONS]);
    table.allow(this.role, ['dynamodb:PutItem', 'dynamodb:UpdateItem'], INGEST_PARTITIONS);
  }
}

/** Of the metrics that functions count. */
export const METRICS_NAMESPACE = 'Cinderblock';

/** Timeout of the processor; the queue hides batches for six times as long. */
export const PROCESSOR_TIMEOUT = Duration.seconds(60);

/** Most processors at once, unless fewer are reserved. */
const PROCESSORS_MAX = 50;

/** Merges waiting batches into blocks, as many at a time as Lambda hands over: 100, or 6 MB. */
export class ProcessorFunction extends HubFunction {
  constructor(scope: Construct, id: string, props: HubFunctionsProps & { environment: HubEnvironment }) {
    super(scope, id, {
      ...props,
      bundle: 'processor',
      description: 'Merges waiting batches into blocks',
      environment: { ...props.environment },
      memoryMiB: 1769,
      timeout: PROCESSOR_TIMEOUT,
    });
    const { blocks, table, queue } = props.storage;
    blocks.allow(this.role, INBOX, 's3:GetObject', 's3:DeleteObject');
    blocks.allow(this.role, BLOCKS, 's3:GetObject', 's3:PutObject');
    blocks.allow(this.role, QUARANTINE, 's3:GetObject', 's3:PutObject');
    blocks.allowList(this.role);
    blocks.allow(this.role, SEALED, 's3:GetObject');
    table.allow(this.role, ['dynamodb:PutItem'], PROCESSOR_PARTITIONS);
    table.allow(this.role, TABLE_READS, PROCESSOR_READS);
    queue.allow(
      this.role,
      ...['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
    );
    this.#takeFrom(props);
    this.#addAlarm(props);
  }

  #addAlarm({ environment, alarms: topic }: HubFunctionsProps & { environment: HubEnvironment }): void {
    const metric = new Metric({
      namespace: METRICS_NAMESPACE,
      metricName: 'quarantined_batches_total',
      dimensionsMap: { service: 'processor', stage: environment.CINDERBLOCK_STAGE },
      statistic: 'Sum',
      period: ALARM_PERIOD,
    });
    addAlarm(this, 'Quarantined', 'quarantined-batches', { metric, above: 0, topic });
  }

  #takeFrom({ storage, reservedConcurrency = 0 }: HubFunctionsProps): void {
    const mapping = new EventSourceMapping(this, 'Batches', {
      target: this.function,
      eventSourceArn: storage.queue.queue.queueArn,
      batchSize: 100,
      // Every block costs a PUT and nine write units; at 1,000 nodes 10 s gather twice the batches that 5 s do.
      maxBatchingWindow: Duration.seconds(10),
      reportBatchItemFailures: true,
      // Pollers beyond the reserved executions would be throttled, and throttles use up deliveries.
      maxConcurrency: Math.max(2, Math.min(PROCESSORS_MAX, reservedConcurrency || PROCESSORS_MAX)),
    });
    acknowledge(mapping, {
      'Serverless-LambdaEventSourceMappingDestination':
        'Queues have dead letters of their own; destinations are for streams.',
    });
  }
}

/** Answers queries. API Gateway gives up after 30 s. */
export class QueryFunction extends HubFunction {
  constructor(scope: Construct, id: string, props: HubFunctionsProps & { environment: QueryEnvironment }) {
    super(scope, id, {
      ...props,
      bundle: 'query',
      description: 'Answers queries',
      environment: { ...props.environment },
      memoryMiB: 1769,
      timeout: Duration.seconds(29),
    });
    const { blocks, table, queue } = props.storage;
    blocks.allow(this.role, BLOCKS, 's3:GetObject');
    blocks.allowList(this.role);
    table.allow(this.role, TABLE_READS, QUERY_PARTITIONS);
    queue.allow(this.role, 'sqs:GetQueueAttributes');
    queue.allowOnDeadLetters(this.role, 'sqs:GetQueueAttributes');
  }
}

/** Clusters, tokens, dead letters, quarantine, and what is kept and deleted, for administrators. It writes no blocks. */
export class AdminFunction extends HubFunction {
  constructor(scope: Construct, id: string, props: HubFunctionsProps & { environment: AdminEnvironment }) {
    super(scope, id, {
      ...props,
      bundle: 'admin',
      description: 'Clusters, tokens, dead letters, quarantine, retention and deletion',
      environment: { ...props.environment },
      // Status and plans go through the catalog.
      memoryMiB: 1769,
      timeout: Duration.seconds(29),
    });
    const { blocks, table, queue } = props.storage;
    blocks.allow(this.role, QUARANTINE, 's3:GetObject', 's3:PutObject', 's3:DeleteObject');
    blocks.allow(this.role, INBOX, 's3:GetObject', 's3:PutObject');
    blocks.allow(this.role, BLOCKS, 's3:GetObject');
    blocks.allowList(this.role);
    // Listing marks removes lists that are done with in passing.
    table.allow(this.role, ['dynamodb:BatchWriteItem'], ['marks#*']);
    // Blocks are set aside, put back and given up; none is added.
    table.allow(this.role, ['dynamodb:UpdateItem'], ['block#*', 'tenant#*']);
    table.allow(this.role, ['dynamodb:PutItem'], ['swap#*', 'marks#*']);
    table.allow(this.role, TABLE_READS, [...ADMIN_PARTITIONS, ...SEEN_PARTITIONS]);
    table.allow(this.role, ['dynamodb:PutItem', 'dynamodb:UpdateItem'], ADMIN_PARTITIONS);
    queue.allow(this.role, 'sqs:SendMessage', 'sqs:GetQueueAttributes');
    queue.allowOnDeadLetters(
      this.role,
      ...['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
      ...['sqs:StartMessageMoveTask', 'sqs:ListMessageMoveTasks'],
    );
  }
}

/** Says who calls the query API. API Gateway waits 10 s for it. */
export class AuthorizerFunction extends HubFunction {
  constructor(
    scope: Construct,
    id: string,
    props: HubFunctionsProps & { environment: AuthorizerEnvironment },
  ) {
    super(scope, id, {
      ...props,
      bundle: 'authorizer',
      description: 'Checks API tokens and the tokens of people who signed in',
      environment: { ...props.environment },
      memoryMiB: 512,
      timeout: Duration.seconds(8),
    });
    // Looks a token up by its hash: it can neither list tokens nor read anything else.
    props.storage.table.allow(this.role, ['dynamodb:GetItem'], ['api-token#*']);
  }
}

import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { CompactorEnvironment, HubEnvironment, PlannerEnvironment } from '../functions/environment.ts';
import { BLOCKS, INBOX, SEALED } from '../storage/names.ts';
import { acknowledge } from './acknowledge.ts';
import { HubFunction } from './hub-function.ts';
import type { HubFunctionsProps } from './hub-functions.ts';
import { TABLE_READS } from './hub-table.ts';
import type { JobQueue } from './job-queue.ts';

// The functions of compaction: size, timeout, and exactly what each may do, as in hub-functions.ts.

/** The catalog. */
const BLOCK_PARTITIONS = ['block#*', 'spans#*', 'buckets#*', 'tenant#*'];

/** Which groups are set aside. */
const QUARANTINE_PARTITION = 'setting#compaction-quarantine/*';

/** Which blocks are to be rewritten, and what came of it. */
const REWRITES_PARTITION = 'setting#block-rewrites/*';

/** What merging touches: the catalog, what was deleted, who works on what, and which groups are set aside. */
const MERGE_READS = [
  ...[...BLOCK_PARTITIONS, 'swap#*', QUARANTINE_PARTITION, 'setting#tombstones/*', 'setting#retention/*'],
];
const MERGE_WRITES = [
  ...[...BLOCK_PARTITIONS, 'swap#*', 'marks#*', 'lease#compaction/*', QUARANTINE_PARTITION],
  ...['setting#tombstones/*', 'lease#tombstones/*'],
];

export interface ScheduledFunctionProps extends HubFunctionsProps {
  /** Where events go whose invocations failed. */
  readonly missed: IQueue;
}

/** Says every few minutes what there is to compact. It touches no block. */
export class PlannerFunction extends HubFunction {
  constructor(
    scope: Construct,
    id: string,
    props: ScheduledFunctionProps & { environment: PlannerEnvironment; jobs: JobQueue },
  ) {
    super(scope, id, {
      ...props,
      bundle: 'compaction-planner',
      description: 'Plans what to compact',
      environment: { ...props.environment },
      // It holds the rows of a day with the batches that may come again: docs/design/0004, Bounds.
      memoryMiB: 3008,
      timeout: Duration.seconds(120),
    });
    const { table } = props.storage;
    table.allow(this.role, TABLE_READS, [...BLOCK_PARTITIONS, QUARANTINE_PARTITION, REWRITES_PARTITION]);
    table.allow(this.role, ['dynamodb:PutItem'], [QUARANTINE_PARTITION]);
    props.jobs.allow(this.role, 'sqs:SendMessage', 'sqs:GetQueueAttributes');
  }
}

/** Timeout of the worker: what Lambda allows. A job of 320 MiB takes a minute or two. */
export const WORKER_TIMEOUT = Duration.minutes(15);

/** Most workers at once, unless fewer are reserved. */
const WORKERS_MAX = 20;

/** Merges and downsamples the blocks of one job at a time. */
export class WorkerFunction extends HubFunction {
  constructor(
    scope: Construct,
    id: string,
    props: HubFunctionsProps & { environment: CompactorEnvironment; jobs: JobQueue },
  ) {
    super(scope, id, {
      ...props,
      bundle: 'compaction-worker',
      description: 'Merges and downsamples blocks',
      environment: { ...props.environment },
      // A whole core, which is all that a job uses; and nearly twice the bound of docs/design/0004-compaction-and-resolutions.md.
      memoryMiB: 1769,
      timeout: WORKER_TIMEOUT,
    });
    const { blocks, table } = props.storage;
    // Deletes only what it stored itself, when it could not be swapped in.
    blocks.allow(this.role, BLOCKS, 's3:GetObject', 's3:PutObject', 's3:DeleteObject');
    blocks.allow(this.role, SEALED, 's3:GetObject', 's3:PutObject');
    blocks.allowList(this.role);
    const rewrites = [REWRITES_PARTITION, 'lease#block-rewrites/*'];
    table.allow(this.role, TABLE_READS, [...MERGE_READS, REWRITES_PARTITION]);
    table.allow(this.role, ['dynamodb:PutItem', 'dynamodb:UpdateItem'], [...MERGE_WRITES, ...rewrites]);
    props.jobs.allow(
      this.role,
      ...['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
    );
    this.#takeFrom(props);
  }

  #takeFrom({ jobs, reservedConcurrency = 0 }: HubFunctionsProps & { jobs: JobQueue }): void {
    const mapping = new EventSourceMapping(this, 'Jobs', {
      target: this.function,
      eventSourceArn: jobs.queue.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      // Pollers beyond the reserved executions would be throttled, and throttles use up deliveries.
      maxConcurrency: Math.max(2, Math.min(WORKERS_MAX, reservedConcurrency || WORKERS_MAX)),
    });
    acknowledge(mapping, {
      'Serverless-LambdaEventSourceMappingDestination':
        'Queues have dead letters of their own; destinations are for streams.',
    });
  }
}

/** Deletes what was merged away, what is too old, and what nobody refers to. */
export class HousekeeperFunction extends HubFunction {
  constructor(scope: Construct, id: string, props: ScheduledFunctionProps & { environment: HubEnvironment }) {
    super(scope, id, {
      ...props,
      bundle: 'housekeeper',
      description: 'Deletes what was merged away, what is too old, and what nobody refers to',
      environment: { ...props.environment },
      // Blocks are rewritten without what was deleted, as workers merge them.
      memoryMiB: 3008,
      timeout: Duration.minutes(15),
    });
    const { blocks, table } = props.storage;
    blocks.allow(this.role, BLOCKS, 's3:GetObject', 's3:PutObject', 's3:DeleteObject');
    blocks.allow(this.role, INBOX, 's3:DeleteObject');
    blocks.allow(this.role, SEALED, 's3:DeleteObject');
    blocks.allowList(this.role);
    const seen = ['agents#*', 'agent-clusters', 'ledger#*', 'ledger-hours'];
    const own = ['setting#scrub/*', 'setting#loss/*'];
    table.allow(this.role, TABLE_READS, [...MERGE_READS, 'marks#*', ...own, ...seen]);
    const turns = ['lease#retention/*', 'lease#sum-loss', 'lease#sweep/*', 'lease#scrub/*'];
    // Agents that are gone: what was on their disks is entered in the ledger.
    const forgotten = ['agents#*', 'ledger#*', 'ledger-hours'];
    const writes = [...MERGE_WRITES, ...own, ...turns, ...forgotten];
    table.allow(this.role, ['dynamodb:PutItem', 'dynamodb:UpdateItem'], writes);
    table.allow(this.role, ['dynamodb:DeleteItem'], ['block#*', 'agents#*']);
    table.allow(this.role, ['dynamodb:BatchWriteItem'], ['block#*', 'spans#*', 'marks#*']);
  }
}

import type { HubEnvironment } from '../functions/environment.ts';
import type { BatchQueue } from './batch-queue.ts';
import type { BlockStore } from './block-store.ts';
import { clusterRolePrefix, type HubConfig } from './config.ts';
import type { HubTable } from './hub-table.ts';

/** Where a hub keeps things: what every function works on. */
export interface HubStorage {
  readonly blocks: BlockStore;
  readonly table: HubTable;
  readonly queue: BatchQueue;
}

/** What every function that opens the hub is told. */
export function hubEnvironment(config: HubConfig, { blocks, table, queue }: HubStorage): HubEnvironment {
  return {
    CINDERBLOCK_BUCKET: blocks.bucket.bucketName,
    CINDERBLOCK_TABLE: table.table.tableName,
    CINDERBLOCK_QUEUE_URL: queue.queue.queueUrl,
    CINDERBLOCK_DEAD_LETTER_URL: queue.deadLetters.queueUrl,
    CINDERBLOCK_MAX_RECEIVES: String(queue.maxReceives),
    CINDERBLOCK_TENANT: config.tenant,
    CINDERBLOCK_STAGE: config.stage,
    CINDERBLOCK_CLUSTER_ROLE_PREFIX: clusterRolePrefix(config),
  };
}

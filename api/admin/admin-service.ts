import type { ServiceImpl } from '@connectrpc/connect';
import type { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import { blockCalls } from './block-calls.ts';
import { clusterCalls } from './cluster-calls.ts';
import { quarantineCalls } from './quarantine-calls.ts';
import { queueCalls } from './queue-calls.ts';
import { retentionCalls } from './retention-calls.ts';
import { tokenCalls } from './token-calls.ts';

/** Clusters, tokens, queues, retention and blocks, for operators. */
export const adminService: ServiceImpl<typeof AdminService> = {
  ...clusterCalls,
  ...tokenCalls,
  ...queueCalls,
  ...retentionCalls,
  ...blockCalls,
  ...quarantineCalls,
};

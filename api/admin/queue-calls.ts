import type { ServiceImpl } from '@connectrpc/connect';
import { RejectedError } from '../../core/errors.ts';
import { discardDeadLetters, inspectQueue, redriveDeadLetters } from '../../pipeline/inspect-queue.ts';
import { discardQuarantined, listQuarantine, requeueQuarantined } from '../../pipeline/quarantine.ts';
import { callOf } from '../connect-call.ts';
import type { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import { whole } from '../whole-number.ts';

const LIMIT_DEFAULT = 100;

type QueueCalls = Pick<
  ServiceImpl<typeof AdminService>,
  | 'getQueue'
  | 'redriveDeadLetters'
  | 'discardDeadLetters'
  | 'listQuarantine'
  | 'requeueQuarantined'
  | 'discardQuarantined'
>;

export const queueCalls: QueueCalls = {
  async getQueue({ limit = LIMIT_DEFAULT }, context) {
    const { depth, deadLetters, nowMs } = await inspectQueue(callOf(context).hub, limit);
    return {
      visible: whole(depth.visible),
      inFlight: whole(depth.inFlight),
      dead: whole(depth.dead),
      oldestMs: whole(depth.oldestMs),
      nowMs: whole(nowMs),
      deadLetters: deadLetters.map(({ id, message, receiveCount, deadAt }) => ({
        id,
        batchId: message.batchId,
        cluster: message.cluster,
        receivedAtMs: whole(message.receivedAt),
        deadAtMs: whole(deadAt),
        receiveCount,
        bytes: whole(message.payload?.length ?? 0),
      })),
    };
  },

  async redriveDeadLetters(request, context) {
    return { redriven: whole(await redriveDeadLetters(callOf(context).hub, idsOf(request))) };
  },

  async discardDeadLetters(request, context) {
    return { discarded: whole(await discardDeadLetters(callOf(context).hub, idsOf(request))) };
  },

  async listQuarantine({ limit = LIMIT_DEFAULT }, context) {
    const batches = await listQuarantine(callOf(context).hub, limit);
    return {
      batches: batches.map(({ id, batchId, cluster, receivedAt, quarantinedAt, size, reason }) => ({
        ...{ id, batchId, cluster, reason },
        receivedAtMs: whole(receivedAt),
        quarantinedAtMs: whole(quarantinedAt),
        bytes: whole(size),
      })),
    };
  },

  async requeueQuarantined({ id }, context) {
    await requeueQuarantined(callOf(context).hub, id);
    return {};
  },

  async discardQuarantined({ id }, context) {
    await discardQuarantined(callOf(context).hub, id);
    return {};
  },
};

/** Which are meant. Saying nothing must not mean all. @throws RejectedError */
function idsOf({ ids, all }: { ids: string[]; all: boolean }): string[] | 'all' {
  if (all && ids.length === 0) return 'all';
  if (!all && ids.length > 0) return ids;
  throw new RejectedError('invalid', 'name dead letters by their ids, or all of them, and not both');
}

import type { ServiceImpl } from '@connectrpc/connect';
import { RejectedError } from '../../core/errors.ts';
import { listRewrites, type RewriteRecord, requestRewrite, toRecord } from '../../pipeline/block-rewrites.ts';
import {
  discardBlock,
  listQuarantinedBlocks,
  type QuarantinedBlock,
  quarantineBlock,
  REASON_LENGTH_MAX,
  restoreBlock,
} from '../../pipeline/quarantine-blocks.ts';
import { planRewrite } from '../../pipeline/rewrite-block.ts';
import { callOf } from '../connect-call.ts';
import type { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import { whole } from '../whole-number.ts';

type QuarantineCalls = Pick<
  ServiceImpl<typeof AdminService>,
  | 'quarantineBlock'
  | 'listQuarantinedBlocks'
  | 'restoreBlock'
  | 'discardBlock'
  | 'rewriteBlock'
  | 'listBlockRewrites'
>;

/** What is done with single blocks: set aside, put back, given up, written anew. */
export const quarantineCalls: QuarantineCalls = {
  async quarantineBlock({ blockId, reason, dryRun }, context) {
    if (reason.length > REASON_LENGTH_MAX) {
      const seen = `the reason has ${reason.length} characters, the limit is ${REASON_LENGTH_MAX}`;
      throw new RejectedError('invalid', `${seen}: say it in fewer`);
    }
    const request = { blockId, dryRun, ...(reason !== '' && { reason }) };
    return { block: quarantinedFields(await quarantineBlock(callOf(context).hub, request)) };
  },

  async listQuarantinedBlocks(_request, context) {
    const { hub } = callOf(context);
    const blocks = await listQuarantinedBlocks(hub);
    return { blocks: blocks.map(quarantinedFields), nowMs: whole(hub.clock()) };
  },

  async restoreBlock({ blockId }, context) {
    const { problem = '', replaced } = await restoreBlock(callOf(context).hub, blockId);
    return { problem, replaced: [...replaced] };
  },

  async discardBlock({ blockId, dryRun }, context) {
    return { block: quarantinedFields(await discardBlock(callOf(context).hub, { blockId, dryRun })) };
  },

  async rewriteBlock({ blockId, salvage, dryRun }, context) {
    const { hub } = callOf(context);
    if (!dryRun) return { rewrite: rewriteFields(await requestRewrite(hub, { blockId, salvage })) };
    const report = toRecord(await planRewrite(hub, { blockId, salvage }));
    return { rewrite: rewriteFields({ blockId, salvage, requestedAt: hub.clock(), report }) };
  },

  async listBlockRewrites(_request, context) {
    const { hub } = callOf(context);
    return { rewrites: (await listRewrites(hub)).map(rewriteFields), nowMs: whole(hub.clock()) };
  },
};

function quarantinedFields({ aside, ...row }: QuarantinedBlock) {
  const { blockId, level, resolutionSeconds } = row;
  return {
    ...{ blockId, level, resolutionSeconds },
    minTime: whole(row.minTime),
    maxTime: whole(row.maxTime),
    bytes: whole(row.size),
    services: row.datasets.map(({ service }) => service),
    reason: aside.reason,
    quarantinedAtMs: whole(aside.at),
  };
}

function rewriteFields({ blockId, salvage, requestedAt, doneAt, ...outcome }: RewriteRecord) {
  const { problem = '', isDamaged: damaged = false, report } = outcome;
  return {
    ...{ blockId, salvage, problem, damaged },
    requestedAtMs: whole(requestedAt),
    doneAtMs: doneAt === undefined ? undefined : whole(doneAt),
    newBlockId: report?.newBlockId ?? '',
    bytesBefore: whole(report?.bytesBefore ?? 0),
    bytesAfter: whole(report?.bytesAfter ?? 0),
    current: report?.isCurrent ?? false,
    lost: (report?.lost ?? []).map(({ rows, samples, minTime, maxTime, ...lost }) => ({
      ...lost,
      rows: whole(rows),
      samples: whole(samples),
      minTime: whole(minTime),
      maxTime: whole(maxTime),
    })),
  };
}

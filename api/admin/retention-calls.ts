import type { ServiceImpl } from '@connectrpc/connect';
import { RejectedError } from '../../core/errors.ts';
import type { KeepTimes } from '../../core/retention/retention-policy.ts';
import { type DeletionProgress, deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { getRetention, type RetentionSettings, setRetention } from '../../pipeline/retention-policies.ts';
import { callOf } from '../connect-call.ts';
import type { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import type { KeepTimes as KeepTimesMessage } from '../gen/cinderblock/v1/retention_pb.js';
import { whole } from '../whole-number.ts';

type RetentionCalls = Pick<
  ServiceImpl<typeof AdminService>,
  'getRetention' | 'setRetention' | 'applyRetention' | 'deleteProfiles' | 'listDeletions'
>;

export const retentionCalls: RetentionCalls = {
  async getRetention(_request, context) {
    return retentionFields(await getRetention(callOf(context).hub));
  },

  async setRetention({ policies }, context) {
    const wanted = policies.map(({ selector, keep }) => ({ selector, keepMs: keepTimesOf(selector, keep) }));
    return retentionFields(await setRetention(callOf(context).hub, wanted));
  },

  async applyRetention({ dryRun }, context) {
    const report = await enforceRetention(callOf(context).hub, { dryRun });
    return {
      expiredBlocks: whole(report.expired),
      expiredBytes: whole(report.expiredBytes),
      partlyBlocks: whole(report.partly),
      partlyBytes: whole(report.partlyBytes),
      rewrittenBlocks: whole(report.rewritten),
      skipped: report.skipped,
    };
  },

  async deleteProfiles({ selector, start, end, reason, dryRun }, context) {
    const request = { selector, start: Number(start), end: Number(end), reason, dryRun };
    const { tombstone, samples, blocks, complete, outOfReachBlocks } = await deleteProfiles(
      callOf(context).hub,
      request,
    );
    return {
      id: dryRun ? '' : tombstone.id,
      samples: whole(samples),
      blocks: whole(blocks),
      complete,
      outOfReachBlocks: whole(outOfReachBlocks),
    };
  },

  async listDeletions({ verify }, context) {
    const { hub } = callOf(context);
    const deletions = await listDeletions(hub, { verify: verify === '' ? undefined : verify });
    return { deletions: deletions.map(deletionFields) };
  },
};

function keepTimesOf(selector: string, keep: KeepTimesMessage | undefined): KeepTimes {
  if (keep === undefined) throw new RejectedError('invalid', `policy ${selector} does not say what it keeps`);
  return { raw: Number(keep.rawMs), fiveMinutes: Number(keep.fiveMinutesMs), hour: Number(keep.hourMs) };
}

function retentionFields({ policies, fallback, rawKeepMsMin }: RetentionSettings) {
  return {
    policies: policies.map(({ selector, keepMs }) => ({ selector, keep: keepFields(keepMs) })),
    fallback: keepFields(fallback),
    rawKeepMinMs: whole(rawKeepMsMin),
  };
}

function keepFields({ raw, fiveMinutes, hour }: KeepTimes) {
  return { rawMs: whole(raw), fiveMinutesMs: whole(fiveMinutes), hourMs: whole(hour) };
}

function deletionFields(deletion: DeletionProgress) {
  const { id, selector, reason, start, end, createdAt, doneAt, pendingBlocks, deleted, check } = deletion;
  return {
    ...{ id, selector, reason },
    start: whole(start),
    end: whole(end),
    createdAtMs: whole(createdAt),
    doneAtMs: doneAt === undefined ? undefined : whole(doneAt),
    pendingBlocks: whole(pendingBlocks),
    outOfReachBlocks: whole(deletion.outOfReachBlocks),
    rewrittenBlocks: whole(deleted.blocks),
    deletedRows: whole(deleted.rows),
    deletedSamples: whole(deleted.samples),
    check: check && {
      blocks: whole(check.blocks),
      rows: whole(check.rows),
      samples: whole(check.samples),
      unread: check.unread,
    },
  };
}

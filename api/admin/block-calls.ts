import type { ServiceImpl } from '@connectrpc/connect';
import { RejectedError } from '../../core/errors.ts';
import { runCompactionJobs } from '../../pipeline/compact-blocks.ts';
import { type QuarantinedGroup, releaseGroup } from '../../pipeline/compaction-quarantine.ts';
import { compactionStatus } from '../../pipeline/compaction-status.ts';
import { LISTED_BLOCKS_MAX, type ListedBlock, listBlocks } from '../../pipeline/list-blocks.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { SCRUB_BYTES_MAX, scrubBlocks } from '../../pipeline/scrub-blocks.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { callOf } from '../connect-call.ts';
import type { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import { allWhole, whole } from '../whole-number.ts';

type BlockCalls = Pick<
  ServiceImpl<typeof AdminService>,
  | 'listBlocks'
  | 'sweepOrphans'
  | 'scrubBlocks'
  | 'planCompaction'
  | 'runCompaction'
  | 'getCompactionStatus'
  | 'releaseCompactionGroup'
>;

const LISTED_DEFAULT = 100;
const SCRUB_BYTES_DEFAULT = 256 * 1024 * 1024;
const JOBS_DEFAULT = 10;
const JOBS_MAX = 100;
/** Keys of one answer. */
const ORPHANS_LISTED_MAX = 1000;

export const blockCalls: BlockCalls = {
  async listBlocks({ from, until, service, level, resolutionSeconds, limit }, context) {
    const most = limited('limit', limit ?? LISTED_DEFAULT, LISTED_BLOCKS_MAX);
    const filter = {
      ...(from !== undefined && { from: Number(from) }),
      ...(until !== undefined && { until: Number(until) }),
      ...{ level, resolutionSeconds, limit: most },
      service: service === '' ? undefined : service,
    };
    const { blocks, matching } = await listBlocks(callOf(context).hub, filter);
    return { blocks: blocks.map(blockFields), matching: whole(matching) };
  },

  async sweepOrphans({ dryRun }, context) {
    const report = await sweepOrphans(callOf(context).hub, { dryRun });
    return {
      objects: whole(report.objects),
      rows: whole(report.rows),
      orphanCount: whole(report.orphans.length),
      orphanBytes: whole(report.orphanBytes),
      orphans: report.orphans.slice(0, ORPHANS_LISTED_MAX),
      missing: report.missing,
      postponed: report.postponed,
    };
  },

  async scrubBlocks({ bytesMax }, context) {
    const most = limited('bytes_max', Number(bytesMax ?? SCRUB_BYTES_DEFAULT), SCRUB_BYTES_MAX);
    const { blocks, bytes, damaged, finished } = await scrubBlocks(callOf(context).hub, most);
    return {
      blocks: whole(blocks),
      bytes: whole(bytes),
      finished,
      damaged: damaged.map(({ minTime, maxTime, ...damage }) => ({
        ...damage,
        minTime: whole(minTime),
        maxTime: whole(maxTime),
      })),
    };
  },

  async planCompaction({ all }, context) {
    const { jobs, quarantined, blocks, backlogAgeMs } = await planJobs(callOf(context).hub, scopeOf(all));
    return {
      jobs: jobs.map(({ blockIds, versionIds, downsampleTo, ...job }) => ({
        ...job,
        blockIds: [...blockIds],
        versionIds: [...versionIds],
        downsampleTo: [...downsampleTo],
      })),
      quarantined: quarantined.map(quarantinedFields),
      blocks: whole(blocks),
      backlogAgeMs: whole(backlogAgeMs),
    };
  },

  async runCompaction({ all, group, jobsMax }, context) {
    const { hub } = callOf(context);
    const most = limited('jobs_max', jobsMax ?? JOBS_DEFAULT, JOBS_MAX);
    const planned = (await planJobs(hub, scopeOf(all))).jobs;
    const jobs = planned.filter((job) => group === '' || job.group === group);
    const { peakDatasetBytes: _, ...report } = await runCompactionJobs(hub, jobs.slice(0, most));
    return { ...allWhole(report), left: whole(Math.max(0, jobs.length - most)) };
  },

  async getCompactionStatus(_request, context) {
    const status = await compactionStatus(callOf(context).hub);
    return {
      counts: status.counts.map(({ level, resolutionSeconds, ...counts }) => ({
        ...{ level, resolutionSeconds },
        ...allWhole(counts),
      })),
      quarantined: status.quarantined.map(quarantinedFields),
      backlogAgeMs: whole(status.backlogAgeMs),
      plannedJobs: whole(status.plannedJobs),
      markedBlocks: whole(status.markedBlocks),
      nowMs: whole(status.nowMs),
    };
  },

  async releaseCompactionGroup({ group }, context) {
    if (await releaseGroup(callOf(context).hub, group)) return {};
    throw new RejectedError('not-found', `no group ${JSON.stringify(group)} is in quarantine`);
  },
};

function blockFields({
  blockId,
  level,
  resolutionSeconds,
  services,
  samples,
  problem,
  ...block
}: ListedBlock) {
  return {
    ...{ blockId, level, resolutionSeconds },
    services: [...services],
    minTime: whole(block.minTime),
    maxTime: whole(block.maxTime),
    bytes: whole(block.bytes),
    createdAtMs: whole(block.createdAt),
    samples: samples === undefined ? undefined : whole(samples),
    problem: problem ?? '',
  };
}

function scopeOf(all: boolean): 'recent' | 'all' {
  return all ? 'all' : 'recent';
}

function limited(name: string, value: number, most: number): number {
  if (value >= 1 && value <= most) return value;
  throw new RejectedError('invalid', `${name} is ${value}, it must be from 1 to ${most}`);
}

function quarantinedFields({ group, reason, blockIds, failures, since, until }: QuarantinedGroup) {
  return {
    ...{ group, reason, failures },
    blockIds: [...blockIds],
    sinceMs: whole(since),
    untilMs: whole(until),
  };
}

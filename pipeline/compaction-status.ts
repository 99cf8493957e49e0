import { type BlockRow, MAX_CATALOG_PAGE } from '../storage/block-catalog.ts';
import type { QuarantinedGroup } from './compaction-quarantine.ts';
import type { Hub } from './hub.ts';
import { planJobs } from './plan-jobs.ts';

/** Live blocks of one level and resolution; [minTime, maxTime) in ms. */
export interface BlockCounts {
  readonly level: number;
  readonly resolutionSeconds: number;
  blocks: number;
  bytes: number;
  minTime: number;
  maxTime: number;
}

export interface CompactionStatus {
  /** By resolution and level. */
  readonly counts: readonly BlockCounts[];
  readonly quarantined: readonly QuarantinedGroup[];
  readonly backlogAgeMs: number;
  readonly plannedJobs: number;
  /** Merged blocks whose objects wait for their deletion; not more than one page is counted. */
  readonly markedBlocks: number;
  readonly nowMs: number;
}

/** How compaction is doing. Goes through the whole catalog. */
export async function compactionStatus(hub: Hub): Promise<CompactionStatus> {
  const { jobs, quarantined, backlogAgeMs } = await planJobs(hub, 'recent');
  const marks = await hub.catalog.listDeletionMarks(Number.MAX_SAFE_INTEGER, MAX_CATALOG_PAGE);
  return {
    counts: await countBlocks(hub),
    quarantined,
    backlogAgeMs,
    plannedJobs: jobs.length,
    markedBlocks: marks.length,
    nowMs: hub.clock(),
  };
}

async function countBlocks(hub: Hub): Promise<BlockCounts[]> {
  const counts = new Map<string, BlockCounts>();
  let after: BlockRow | undefined;
  for (;;) {
    const page = await hub.catalog.list({ tenant: hub.tenant, after, limit: MAX_CATALOG_PAGE });
    for (const row of page) addTo(counts, row);
    after = page.at(-1);
    if (page.length === MAX_CATALOG_PAGE) continue;
    return [...counts.values()].sort(
      (a, b) => a.resolutionSeconds - b.resolutionSeconds || a.level - b.level,
    );
  }
}

function addTo(counts: Map<string, BlockCounts>, row: BlockRow): void {
  const { level, resolutionSeconds, size, minTime, maxTime } = row;
  const key = `${resolutionSeconds} ${level}`;
  const known = counts.get(key);
  if (known === undefined) {
    counts.set(key, { level, resolutionSeconds, blocks: 1, bytes: size, minTime, maxTime });
    return;
  }
  known.blocks++;
  known.bytes += size;
  known.minTime = Math.min(known.minTime, minTime);
  known.maxTime = Math.max(known.maxTime, maxTime);
}

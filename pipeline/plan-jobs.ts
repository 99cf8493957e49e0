import { checkCompactionRules } from '../core/compaction/compaction-rules.ts';
import { dueSince } from '../core/compaction/due-time.ts';
import { type CompactionJob, planCompaction } from '../core/compaction/plan-compaction.ts';
import { planCopies } from './block-rewrites.ts';
import { listQuarantinedGroups, type QuarantinedGroup } from './compaction-quarantine.ts';
import type { Hub } from './hub.ts';
import type { PlannedJob } from './job-message.ts';

/** What there is to compact. */
export interface CompactionPlan {
  /** Jobs that can run now; first those that somebody wishes. */
  readonly jobs: PlannedJob[];
  /** Groups in quarantine, those left out of `jobs` among them. */
  readonly quarantined: QuarantinedGroup[];
  readonly blocks: number;
  /** How long the job that waits longest could have been done, ms; 0 when there is no job. */
  readonly backlogAgeMs: number;
}

const DAY_MS = 24 * 3_600_000;

/**
 * Plans what to compact.
 * @param scope `recent` looks at what batches can still come for, and is cheap; `all` also at what came too late for
 *   that, and at long ranges to join
 * @throws RejectedError('invalid') when the settings contradict each other
 */
export async function planJobs(hub: Hub, scope: 'recent' | 'all'): Promise<CompactionPlan> {
  const { compaction, lateWindowMs } = hub.settings;
  checkCompactionRules(compaction, lateWindowMs);
  const now = hub.clock();
  const joined = compaction.resolutions.reduce((most, { joinMs }) => Math.max(most, joinMs), 0);
  const horizon = compaction.sealAfterMs + 2 * DAY_MS + (scope === 'all' ? 2 * joined + 30 * DAY_MS : 0);
  const range = { from: Math.max(0, now - horizon), until: now + 2 * DAY_MS };
  const rows = await hub.catalog.find({ tenant: hub.tenant, ...range, withAside: true });
  const quarantined = await listQuarantinedGroups(hub);
  const resting = new Set(quarantined.filter(({ until }) => until > now).map(({ group }) => group));
  // What a short look back sees of a long range is not all of it.
  const isPlanned = ({ group, step }: PlannedJob) =>
    !resting.has(group) && (scope === 'all' || step !== 'join');
  const jobs = planCompaction(rows, now, compaction).filter(isPlanned);
  const rowOf = new Map(rows.map((row) => [row.blockId, row]));
  const inputsOf = ({ blockIds }: CompactionJob) => blockIds.map((id) => rowOf.get(id)!);
  const oldest = jobs.reduce((at, job) => Math.min(at, dueSince(job, inputsOf(job), compaction)), now);
  const copies = (await planCopies(hub)).filter(isPlanned);
  const aside = rows.filter((row) => row.aside !== undefined).length;
  const blocks = rows.length - aside;
  const plan = { jobs: [...copies, ...jobs], quarantined, blocks, backlogAgeMs: now - oldest };
  hub.telemetry.gauge('blocks_aside', aside);
  hub.telemetry.gauge('compaction_planned_jobs', plan.jobs.length);
  hub.telemetry.gauge('compaction_backlog_seconds', plan.backlogAgeMs / 1000);
  hub.telemetry.gauge('compaction_quarantined_groups', quarantined.length);
  return plan;
}

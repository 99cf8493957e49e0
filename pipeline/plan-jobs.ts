import { type CompactionRules, checkCompactionRules } from '../core/compaction/compaction-rules.ts';
import { planCopies } from './block-rewrites.ts';
import { dropGoneGroups, listQuarantinedGroups, type QuarantinedGroup } from './compaction-quarantine.ts';
import type { Hub } from './hub.ts';
import type { PlannedJob } from './job-message.ts';
import { planDays } from './plan-days.ts';

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

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What a fresh plan looks back at least. */
const FRESH_MS = 6 * HOUR_MS;

/**
 * How far back a plan looks. `fresh`: at the newest hours, where nearly all there is to do comes up; `recent`: at all that
 * batches can still come for; `all`: also at what came too late for that, and at long ranges to join. A plan reads the rows of
 * its time with all batches that they name, so how often which is made is what planning costs.
 */
export type PlanScope = 'fresh' | 'recent' | 'all';

/**
 * Plans what to compact.
 * @throws RejectedError('invalid') when the settings contradict each other
 */
export async function planJobs(hub: Hub, scope: PlanScope): Promise<CompactionPlan> {
  const { compaction, lateWindowMs } = hub.settings;
  checkCompactionRules(compaction, lateWindowMs);
  const now = hub.clock();
  const from = Math.max(0, beginOf(scope, compaction, now));
  const before = await listQuarantinedGroups(hub);
  const named = new Set(before.flatMap(({ blockIds }) => blockIds));
  const there = new Set<string>();
  // What a short look back sees of a long range is not all of it.
  const days = await planDays(hub, { from, joins: scope === 'all' }, (row) => {
    if (named.has(row.blockId)) there.add(row.blockId);
  });
  const quarantined = await dropGoneGroups(hub, before, there);
  const resting = new Set(quarantined.filter(({ until }) => until > now).map(({ group }) => group));
  const isPlanned = ({ group }: PlannedJob) => !resting.has(group);
  const planned = days.jobs.filter(({ job }) => isPlanned(job));
  const oldest = planned.reduce((at, { due }) => Math.min(at, due), now);
  const copies = (await planCopies(hub)).filter(isPlanned);
  const jobs = [...copies, ...planned.map(({ job }) => job)];
  const plan = { jobs, quarantined, blocks: days.blocks, backlogAgeMs: now - oldest };
  hub.telemetry.gauge('blocks_aside', days.aside);
  hub.telemetry.gauge('compaction_planned_jobs', plan.jobs.length);
  hub.telemetry.gauge('compaction_backlog_seconds', plan.backlogAgeMs / 1000);
  hub.telemetry.gauge('compaction_quarantined_groups', quarantined.length);
  return plan;
}

/** At the beginning of an hour or a day: a plan sees these whole. */
function beginOf(scope: PlanScope, { resolutions, sealAfterMs }: CompactionRules, now: number): number {
  if (scope === 'fresh') return Math.floor((now - FRESH_MS) / HOUR_MS) * HOUR_MS;
  const recent = sealAfterMs + 2 * DAY_MS;
  const joined = resolutions.reduce((most, { joinMs }) => Math.max(most, joinMs), 0);
  const horizon = scope === 'recent' ? recent : recent + 2 * joined + 30 * DAY_MS;
  return Math.floor((now - horizon) / DAY_MS) * DAY_MS;
}

import type { CompactionRules } from '../../../core/compaction/compaction-rules.ts';
import {
  type CompactionInput,
  type CompactionJob,
  groupedBy,
  isUnsealed,
  planDay,
} from '../../../core/compaction/plan-compaction.ts';
import { planJoins } from '../../../core/compaction/plan-joins.ts';

const DAY = 24 * 3_600_000;

/** All jobs of all days, as pipeline/plan-days.ts plans them one by one. */
export function planCompaction(
  rows: readonly CompactionInput[],
  now: number,
  rules: CompactionRules,
): CompactionJob[] {
  const days = [...groupedBy(rows, DAY)].sort(([a], [b]) => a - b);
  const unsealed = new Set(days.filter(([, ofDay]) => ofDay.some(isUnsealed)).map(([day]) => day));
  return [
    ...days.flatMap(([, ofDay]) => planDay(ofDay, now, rules)),
    ...planJoins(rows, unsealed, now, rules),
  ];
}

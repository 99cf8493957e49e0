import { clustersOf, isBatchId } from '../block/batch-table.ts';
import type { RetentionRules } from './retention-policy.ts';

// Planning is pure: index rows in, what to drop out. A block ages as a whole, by its end, so that none is rewritten more
// than once per policy that touches it.

/**
 * What was put back from among dead letters is stored when raw windows of its time are kept no more. It is kept this long
 * all the same, ms, so that it is sealed and coarser blocks have it; no longer, since retention waits for nobody.
 */
export const SEALED_WITHIN_MS = 24 * 3_600_000;

/** What planning needs of a block's index row. Times are ms, half-open. */
export interface RetentionRow {
  readonly blockId: string;
  readonly createdAt: number;
  readonly maxTime: number;
  readonly resolutionSeconds: number;
  readonly batchIds: readonly string[];
  readonly datasets: readonly { readonly service: string }[];
}

export interface RetentionPlan<Row extends RetentionRow = RetentionRow> {
  /** Nothing of these is kept. */
  readonly expired: readonly Row[];
  /** Some services or clusters of these are past their time, others are not: they are rewritten without the former. */
  readonly partly: readonly Row[];
}

export function planRetention<Row extends RetentionRow>(
  rows: readonly Row[],
  rules: RetentionRules,
  nowMs: number,
): RetentionPlan<Row> {
  const expired: Row[] = [];
  const partly: Row[] = [];
  for (const row of rows) {
    const outcomes = outcomesOf(row, rules, nowMs);
    if (!outcomes.has(true) || isToBeSealed(row, nowMs)) continue;
    (outcomes.has(false) ? partly : expired).push(row);
  }
  return { expired, partly };
}

/** Whether windows of a series are past their time, in a block that ends at `maxTime`. */
export function isExpired(
  { maxTime, resolutionSeconds }: Pick<RetentionRow, 'maxTime' | 'resolutionSeconds'>,
  cluster: string,
  service: string,
  rules: RetentionRules,
  nowMs: number,
): boolean {
  return maxTime <= nowMs - rules.keepMs(cluster, service, resolutionSeconds);
}

function isToBeSealed({ batchIds, createdAt }: RetentionRow, nowMs: number): boolean {
  return nowMs < createdAt + SEALED_WITHIN_MS && batchIds.some(isBatchId);
}

function outcomesOf(row: RetentionRow, rules: RetentionRules, nowMs: number): Set<boolean> {
  const named = clustersOf(row.batchIds);
  // A block that does not say whose it is falls under what holds for no cluster.
  const clusters = named.length > 0 ? named : [''];
  const outcomes = new Set<boolean>();
  for (const { service } of row.datasets)
    for (const cluster of clusters) outcomes.add(isExpired(row, cluster, service, rules, nowMs));
  return outcomes;
}

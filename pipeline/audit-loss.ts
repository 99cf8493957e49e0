import { readExtents } from './boot-extents.ts';
import type { Hub } from './hub.ts';
import {
  HOUR_MS,
  type LossSums,
  periodStart,
  readLossState,
  readSums,
  SLOT_MS,
  type SumsByCluster,
} from './loss-sums.ts';
import { mapConcurrently } from './read-blocks.ts';
import { sumBatches } from './sum-batches.ts';
import { FRESH_MS } from './sum-loss.ts';

/** What became of the samples of one cluster in one hour. */
export interface LossHour {
  cluster: string;
  /** Start of the hour, ms since epoch. */
  hourMs: number;
  taken: number;
  lostByKernel: number;
  droppedByAgent: number;
  stored: number;
  /** Sequence numbers that were never seen between two that were: late, or given up by the agent. */
  missingBatches: number;
  /** Times that a batch came again: an answer was lost, or somebody replays. They change no other number. */
  duplicateBatches: number;
}

interface AuditRequest {
  start: number;
  end: number;
  cluster?: string;
}

/**
 * Reconciles what agents counted with what arrived, per cluster and hour of [start, end). Hours that were over when they
 * were summed are read as sums, and told whole; the newest come from the ledger, up to this moment.
 */
export async function auditLoss(hub: Hub, request: AuditRequest): Promise<LossHour[]> {
  const state = await readLossState(hub);
  const { start, end } = request;
  // Where nothing was summed yet, all is in the ledger.
  const freshFrom = state === undefined ? start : periodStart('hour', state.at - FRESH_MS);
  const since = state === undefined ? start : Math.max(start, state.since);
  const summed = await summedHours(hub, periodStart('hour', since), Math.min(end, freshFrom));
  const fresh = await freshHours(hub, { ...request, start: Math.max(start, freshFrom) });
  return [...summed, ...fresh]
    .flatMap(([hour, clusters]) => lossOf(hour, clusters, request.cluster))
    .sort((a, b) => a.hourMs - b.hourMs || (a.cluster < b.cluster ? -1 : 1));
}

async function summedHours(hub: Hub, start: number, end: number): Promise<[number, SumsByCluster][]> {
  const hours: number[] = [];
  for (let hour = start; hour < end; hour += HOUR_MS) hours.push(hour);
  return mapConcurrently(hours, hub.settings.queryConcurrency, async (hour) => [
    hour,
    (await readSums(hub, 'hour', hour)) ?? new Map(),
  ]);
}

async function freshHours(
  hub: Hub,
  { start, end, cluster }: AuditRequest,
): Promise<Iterable<[number, SumsByCluster]>> {
  if (start >= end) return [];
  const boots = await hub.registry.listBatchSequences({ cluster, from: start, until: end, stepMs: SLOT_MS });
  // What came earlier in the hour is no gap.
  const isWhole = start % HOUR_MS === 0;
  const extents = isWhole ? await readExtents(hub, start - HOUR_MS) : new Map();
  return sumBatches(boots, extents);
}

function lossOf(hourMs: number, clusters: SumsByCluster, only: string | undefined): LossHour[] {
  return [...clusters]
    .filter(([cluster]) => only === undefined || cluster === only)
    .map(([cluster, sums]) => ({ cluster, hourMs, ...lossCounts(sums) }));
}

function lossCounts(sums: LossSums): Omit<LossHour, 'cluster' | 'hourMs'> {
  const { taken, lostByKernel, droppedByAgent, stored, duplicateBatches } = sums;
  const missingBatches = Math.max(0, sums.missingBatches);
  return { taken, lostByKernel, droppedByAgent, stored, missingBatches, duplicateBatches };
}

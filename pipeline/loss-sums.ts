import type { Hub } from './hub.ts';

// What the ledger of batches says, summed: small values in the registry's settings, one per hour, day and month, each of
// all clusters. docs/design/0007-loss-sums.md says why so.

export const HOUR_MS = 3_600_000;

/** Within an hour, what is gone is known to these steps: a query of minutes is not told of the loss of its whole hour. */
export const SLOT_MS = 300_000;

const VERSION = 1;

/** What became of the samples of one cluster in an hour, day or month. */
export interface LossSums {
  batches: number;
  taken: number;
  lostByKernel: number;
  droppedByAgent: number;
  /** In batches that arrived. */
  acknowledged: number;
  /** May be less than none in one hour, for what an earlier one counted too many; never in the sum of all hours. */
  missingBatches: number;
  duplicateBatches: number;
  /** Arrival of the newest batch, ms since epoch. */
  lastReceivedAt: number;
  /** What is gone, by the start of its step of SLOT_MS; of hours only. */
  slots: Map<number, LossSlot>;
}

export interface LossSlot {
  /** Lost by the kernel or dropped by the agent. */
  samples: number;
  missingBatches: number;
}

/** By cluster. */
export type SumsByCluster = Map<string, LossSums>;

export type Period = 'hour' | 'day' | 'month';

/** How far the sums are. */
export interface LossState {
  /** First hour that was ever summed, ms since epoch. */
  since: number;
  /** When the newest hours were summed last, ms since epoch. */
  at: number;
  /** Hours that are to be summed again. */
  due: number[];
}

const STATE_KEY = 'loss/state';

const COUNTS = [
  'batches',
  'taken',
  'lostByKernel',
  'droppedByAgent',
  'acknowledged',
  'missingBatches',
  'duplicateBatches',
  'lastReceivedAt',
] as const;

export function newSums(): LossSums {
  return {
    ...{ batches: 0, taken: 0, lostByKernel: 0, droppedByAgent: 0, acknowledged: 0 },
    ...{ missingBatches: 0, duplicateBatches: 0, lastReceivedAt: 0, slots: new Map() },
  };
}

/** Adds counts, not slots. */
export function addSums(to: LossSums, from: LossSums): void {
  const newest = Math.max(to.lastReceivedAt, from.lastReceivedAt);
  for (const count of COUNTS) to[count] += from[count];
  to.lastReceivedAt = newest;
}

export function sumsOf(clusters: SumsByCluster, cluster: string): LossSums {
  let sums = clusters.get(cluster);
  if (sums === undefined) clusters.set(cluster, (sums = newSums()));
  return sums;
}

/** Start of the hour, day or month (UTC) that `time` lies in. */
export function periodStart(period: Period, time: number): number {
  const date = new Date(time);
  if (period === 'hour') return Math.floor(time / HOUR_MS) * HOUR_MS;
  const day = period === 'day' ? date.getUTCDate() : 1;
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day);
}

/** End of the period that begins at `start`, exclusive. */
export function periodEnd(period: Period, start: number): number {
  if (period === 'hour') return start + HOUR_MS;
  if (period === 'day') return start + 24 * HOUR_MS;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}

/** Undefined when the period was never summed. */
export async function readSums(hub: Hub, period: Period, start: number): Promise<SumsByCluster | undefined> {
  const text = await hub.registry.setting(sumsKey(period, start));
  return text === undefined ? undefined : decodeSums(text, start);
}

export async function writeSums(
  hub: Hub,
  period: Period,
  start: number,
  clusters: SumsByCluster,
): Promise<void> {
  await hub.registry.putSetting(sumsKey(period, start), encodeSums(clusters, start));
}

/** Undefined when nothing was ever summed. */
export async function readLossState(hub: Hub): Promise<LossState | undefined> {
  const text = await hub.registry.setting(STATE_KEY);
  if (text === undefined) return undefined;
  const { since, at, due } = parse(text) as unknown as LossState;
  return { since, at, due };
}

export async function writeLossState(hub: Hub, state: LossState): Promise<void> {
  await hub.registry.putSetting(STATE_KEY, JSON.stringify({ v: VERSION, ...state }));
}

/** `loss/hour/2026-11-22T02`, `loss/day/2026-11-22`, `loss/month/2026-11` */
function sumsKey(period: Period, start: number): string {
  const length = { hour: 13, day: 10, month: 7 }[period];
  return `loss/${period}/${new Date(start).toISOString().slice(0, length)}`;
}

/** Per cluster one list: the counts in their order, then (number of the slot, samples, missing batches) of each slot. */
function encodeSums(clusters: SumsByCluster, start: number): string {
  const lists: Record<string, number[]> = {};
  for (const [cluster, sums] of clusters) {
    const slots = [...sums.slots].sort(([a], [b]) => a - b);
    lists[cluster] = [
      ...COUNTS.map((count) => sums[count]),
      ...slots.flatMap(([at, slot]) => [(at - start) / SLOT_MS, slot.samples, slot.missingBatches]),
    ];
  }
  return JSON.stringify({ v: VERSION, clusters: lists });
}

function decodeSums(text: string, start: number): SumsByCluster {
  const { clusters } = parse(text) as { clusters: Record<string, number[]> };
  return new Map(
    Object.entries(clusters).map(([cluster, list]) => {
      const sums = newSums();
      for (const [i, count] of COUNTS.entries()) sums[count] = list[i]!;
      for (let i = COUNTS.length; i < list.length; i += 3) {
        sums.slots.set(start + list[i]! * SLOT_MS, { samples: list[i + 1]!, missingBatches: list[i + 2]! });
      }
      return [cluster, sums];
    }),
  );
}

function parse(text: string): Record<string, unknown> {
  const value = JSON.parse(text);
  if (value.v !== VERSION)
    throw new Error(`sums of loss are of version ${value.v}, this hub reads ${VERSION}`);
  return value;
}

import type { SpooledHour } from '../core/batch/spool-account.ts';
import type { BootSequences } from '../storage/registry.ts';
import { type ArrivedBoots, arrivedBoots, awaitedOf } from './awaited-batches.ts';
import { readExtents } from './boot-extents.ts';
import type { Hub } from './hub.ts';
import {
  HOUR_MS,
  type LossSums,
  newSums,
  periodStart,
  readLossState,
  readSums,
  SLOT_MS,
  type SumsByCluster,
} from './loss-sums.ts';
import { mapConcurrently } from './read-blocks.ts';
import { readSpoolWords, type SpoolStanding, type SpoolWord } from './spool-words.ts';
import { sumBatches } from './sum-batches.ts';
import { FRESH_MS, LEDGER_MS } from './sum-loss.ts';

/**
 * What became of the samples of one cluster in one hour:
 *
 *     taken = droppedByAgent + spooled + acknowledged + unaccounted
 *
 * docs/design/0007-loss-sums.md says where each number comes from.
 */
export interface LossHour {
  cluster: string;
  /** Start of the hour, ms since epoch. */
  hourMs: number;
  /** In batches that arrived, and in those that agents said to have. */
  taken: number;
  /** No part of taken. */
  lostByKernel: number;
  droppedByAgent: number;
  /** On disks of nodes, as far as these were heard of. */
  spooled: number;
  /** In batches that the hub took, and stored where they cannot get lost. */
  acknowledged: number;
  /** Nowhere else: they were on a disk that is gone, or an agent's numbers do not add up. 0 when all is well. */
  unaccounted: number;
  /** Sequence numbers that were never seen between two that were: late, or given up by the agent. */
  missingBatches: number;
  /** Times that a batch came again: an answer was lost, or somebody replays. They change no other number. */
  duplicateBatches: number;
}

export interface AuditRequest {
  /** Whole hours are told, those that [start, end) touches. */
  start: number;
  end: number;
  cluster?: string;
}

/** Most spools of a cluster and an hour that are looked into one by one: of more, the ledger of the hour is cheaper. */
const LOOKED_INTO_MAX = 32;

/**
 * Reconciles what agents counted, and have on their disks, with what arrived, per cluster and hour. Hours that were over
 * when they were summed are read as sums. The newest, and those of which a spool holds something, come from the ledger,
 * up to this moment.
 * @param words read before the ledger is, so that what is sent meanwhile is counted as arrived
 */
export async function auditLoss(
  hub: Hub,
  request: AuditRequest,
  words?: readonly SpoolWord[],
): Promise<LossHour[]> {
  const told = words ?? (await readSpoolWords(hub, request.cluster)).words;
  const range = {
    ...request,
    start: periodStart('hour', request.start),
    end: Math.ceil(request.end / HOUR_MS) * HOUR_MS,
  };
  const spooled = spooledHours(told, range);
  const { hours, arrived } = await readHours(hub, range, spooled);
  await mapConcurrently(spooled, hub.settings.queryConcurrency, async ({ cluster, standing, hour }) => {
    const { kept, dropped, lost } = await awaitedOf(
      hub,
      cluster,
      hour,
      arrived.get(hour.hourMs) ?? new Map(),
    );
    if (kept + dropped + lost === 0) return;
    const loss = lossAt(hours, cluster, hour.hourMs);
    loss.taken += kept + dropped;
    loss.droppedByAgent += dropped;
    loss.lostByKernel += lost;
    if (standing === 'gone') loss.unaccounted += kept;
    else loss.spooled += kept;
  });
  return [...hours.values()].sort((a, b) => a.hourMs - b.hourMs || (a.cluster < b.cluster ? -1 : 1));
}

interface SpooledPart {
  readonly cluster: string;
  readonly standing: SpoolStanding;
  readonly hour: SpooledHour;
  /** Under which its batches are in the ledger; undefined where a folder may have been another node's before. */
  readonly node: string | undefined;
}

function spooledHours(
  words: readonly SpoolWord[],
  { start, end, cluster: only }: AuditRequest,
): SpooledPart[] {
  return words.flatMap(({ cluster, node, bootId, standing, hours }) =>
    hours
      .filter(({ hourMs }) => start <= hourMs && hourMs < end && (only === undefined || only === cluster))
      .map((hour) => ({ cluster, standing, hour, node: hour.bootId === bootId ? node : undefined })),
  );
}

interface ReadHours {
  /** By `cluster hour`. */
  readonly hours: Map<string, LossHour>;
  /** By hour, as far as the ledger was read. */
  readonly arrived: Map<number, ArrivedBoots>;
}

async function readHours(hub: Hub, range: AuditRequest, spooled: readonly SpooledPart[]): Promise<ReadHours> {
  const { start, end, cluster: only } = range;
  const state = await readLossState(hub);
  // Where nothing was summed yet, all is in the ledger.
  const freshFrom = state === undefined ? start : periodStart('hour', state.at - FRESH_MS);
  const since = state === undefined ? start : Math.max(start, state.since);
  const read: ReadHours = { hours: new Map(), arrived: new Map() };
  for (const [hour, clusters] of await summedHours(
    hub,
    periodStart('hour', since),
    Math.min(end, freshFrom),
  )) {
    for (const [cluster, sums] of clusters) noteHour(read, cluster, hour, sums, only);
  }
  await readFresh(hub, { ...range, start: Math.max(start, freshFrom) }, read);
  await readSpooled(hub, spooled, freshFrom, read);
  return read;
}

async function summedHours(hub: Hub, start: number, end: number): Promise<[number, SumsByCluster][]> {
  const hours: number[] = [];
  for (let hour = start; hour < end; hour += HOUR_MS) hours.push(hour);
  return mapConcurrently(hours, hub.settings.queryConcurrency, async (hour) => [
    hour,
    (await readSums(hub, 'hour', hour)) ?? new Map(),
  ]);
}

async function readFresh(hub: Hub, { start, end, cluster }: AuditRequest, read: ReadHours): Promise<void> {
  if (start >= end) return;
  const boots = await hub.registry.listBatchSequences({ cluster, from: start, until: end, stepMs: SLOT_MS });
  const arrived = arrivedBoots(boots);
  for (let hour = start; hour < end; hour += HOUR_MS) read.arrived.set(hour, arrived);
  // What came earlier is no gap.
  for (const [hour, clusters] of sumBatches(boots, await readExtents(hub, start - HOUR_MS)))
    for (const [name, sums] of clusters) noteHour(read, name, hour, sums, cluster);
}

/**
 * What was summed may be older than what a spool says. So of hours in which one holds something that has arrived since,
 * the ledger is read. What a silent node holds does not arrive: few such hours are looked into boot by boot first.
 */
async function readSpooled(
  hub: Hub,
  spooled: readonly SpooledPart[],
  before: number,
  read: ReadHours,
): Promise<void> {
  const oldest = hub.clock() - LEDGER_MS;
  const late = spooled.filter(({ hour: { hourMs } }) => hourMs < before && hourMs >= oldest);
  const groups = Map.groupBy(late, ({ cluster, hour }) => keyOf(cluster, hour.hourMs));
  await mapConcurrently([...groups.values()], hub.settings.queryConcurrency, async (parts) => {
    const { cluster, hour } = parts[0]!;
    if (await isAllAwaited(hub, parts)) return;
    await readSpooledHour(hub, cluster, hour.hourMs, read);
  });
}

async function isAllAwaited(hub: Hub, parts: readonly SpooledPart[]): Promise<boolean> {
  if (parts.length > LOOKED_INTO_MAX) return false;
  for (const { cluster, node, hour } of parts) {
    if (node === undefined) return false;
    const { bootId, hourMs, first, end } = hour;
    const arrived = await hub.registry.listBootBatches({ cluster, node, bootId, hour: hourMs });
    if (arrived.some(({ sequence }) => first <= sequence && sequence < end)) return false;
  }
  return true;
}

async function readSpooledHour(hub: Hub, cluster: string, hour: number, read: ReadHours): Promise<void> {
  const search = { cluster, from: hour, until: hour + HOUR_MS, stepMs: SLOT_MS };
  const boots: BootSequences[] = await hub.registry.listBatchSequences(search);
  const sums = sumBatches(boots, await readExtents(hub, hour - HOUR_MS));
  noteHour(read, cluster, hour, sums.get(hour)?.get(cluster) ?? newSums(), cluster);
  read.arrived.set(hour, new Map([...(read.arrived.get(hour) ?? []), ...arrivedBoots(boots)]));
}

function noteHour(
  { hours }: ReadHours,
  cluster: string,
  hourMs: number,
  sums: LossSums,
  only: string | undefined,
): void {
  if (only !== undefined && cluster !== only) return;
  hours.set(keyOf(cluster, hourMs), { cluster, hourMs, ...lossCounts(sums) });
}

function lossAt(hours: Map<string, LossHour>, cluster: string, hourMs: number): LossHour {
  const key = keyOf(cluster, hourMs);
  let loss = hours.get(key);
  if (loss === undefined) hours.set(key, (loss = { cluster, hourMs, ...lossCounts(newSums()) }));
  return loss;
}

function keyOf(cluster: string, hourMs: number): string {
  return `${cluster} ${hourMs}`;
}

function lossCounts(sums: LossSums): Omit<LossHour, 'cluster' | 'hourMs'> {
  const { taken, lostByKernel, droppedByAgent, acknowledged, duplicateBatches } = sums;
  const unaccounted = taken - droppedByAgent - acknowledged;
  const missingBatches = Math.max(0, sums.missingBatches);
  const counts = { taken, lostByKernel, droppedByAgent, spooled: 0, acknowledged, unaccounted };
  return { ...counts, missingBatches, duplicateBatches };
}

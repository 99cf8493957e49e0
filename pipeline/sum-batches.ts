import type { BootSequences, HourCounts } from '../storage/registry.ts';
import { type BootExtents, bootDigest, extentsOfCluster } from './boot-extents.ts';
import { periodStart, SLOT_MS, type SumsByCluster, sumsOf } from './loss-sums.ts';

/** Pushed profiles are numbered per hub process, which skips numbers of refused pushes; no batch can go missing there. */
export const PUSH_NODE = 'push';

/**
 * Sums batches per hour and cluster, and lets the extents of their boots grow by them. A batch is missing where the extent
 * of a boot grew by more numbers than came; it counts in the hour of the batch after the gap. So each counts exactly once,
 * however the ledger is cut into hours, as long as these are summed in order.
 * @param boots listed by steps of SLOT_MS
 */
export function sumBatches(
  boots: readonly BootSequences[],
  extents: BootExtents,
): Map<number, SumsByCluster> {
  const hours = new Map<number, SumsByCluster>();
  for (const boot of boots) {
    for (const counts of boot.hours) addCounts(hours, boot, counts);
    if (boot.node !== PUSH_NODE) addMissing(hours, boot, extents);
  }
  return hours;
}

function addCounts(hours: Map<number, SumsByCluster>, boot: BootSequences, counts: HourCounts): void {
  const sums = sumsOf(hourAt(hours, counts.hour), boot.cluster);
  sums.batches += counts.batches;
  sums.taken += counts.samplesTaken;
  sums.lostByKernel += counts.samplesLost;
  sums.droppedByAgent += counts.samplesDropped;
  sums.acknowledged += counts.samplesKept;
  sums.duplicateBatches += counts.duplicates;
  sums.lastReceivedAt = Math.max(sums.lastReceivedAt, boot.lastReceivedAt);
  const gone = counts.samplesLost + counts.samplesDropped;
  if (gone > 0) slotAt(hours, boot.cluster, counts.hour).samples += gone;
}

function addMissing(hours: Map<number, SumsByCluster>, boot: BootSequences, extents: BootExtents): void {
  const boots = extentsOfCluster(extents, boot.cluster);
  const digest = bootDigest(boot.node, boot.bootId);
  const hour = periodStart('hour', boot.hours.at(-1)?.hour ?? 0);
  const known = boots.get(digest);
  let { first, end } = known ?? { first: boot.sequences[0]!.first, end: boot.sequences[0]!.first };
  for (const range of boot.sequences) {
    const grownTo = { first: Math.min(first, range.first), end: Math.max(end, range.end) };
    const grown = grownTo.end - grownTo.first - (end - first);
    const missing = grown - (range.end - range.first);
    ({ first, end } = grownTo);
    if (missing === 0) continue;
    sumsOf(hourAt(hours, range.since), boot.cluster).missingBatches += missing;
    slotAt(hours, boot.cluster, range.since).missingBatches += missing;
  }
  boots.set(digest, { first, end, hour: Math.max(hour, known?.hour ?? 0) });
}

function hourAt(hours: Map<number, SumsByCluster>, time: number): SumsByCluster {
  const hour = periodStart('hour', time);
  let clusters = hours.get(hour);
  if (clusters === undefined) hours.set(hour, (clusters = new Map()));
  return clusters;
}

function slotAt(hours: Map<number, SumsByCluster>, cluster: string, time: number) {
  const { slots } = sumsOf(hourAt(hours, time), cluster);
  const start = time - (time % SLOT_MS);
  let slot = slots.get(start);
  if (slot === undefined) slots.set(start, (slot = { samples: 0, missingBatches: 0 }));
  return slot;
}

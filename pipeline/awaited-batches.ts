import type { SpooledHour } from '../core/batch/spool-account.ts';
import type { BootSequences } from '../storage/registry.ts';
import type { Hub } from './hub.ts';

/** Samples of batches that a spool held and that have not arrived. */
export interface AwaitedSamples {
  readonly kept: number;
  readonly dropped: number;
  readonly lost: number;
}

/** What arrived, by cluster and boot. Nodes are left out: a folder keeps its batches when its node gets another name. */
export type ArrivedBoots = ReadonlyMap<string, readonly BootSequences[]>;

export function arrivedBoots(boots: readonly BootSequences[]): ArrivedBoots {
  return Map.groupBy(boots, ({ cluster, bootId }) => `${cluster}/${bootId}`);
}

/**
 * What of an hour of a spool has not arrived as of a reading of the ledger: a heartbeat is older than what was sent since.
 * Batches leave a spool in order, so nearly always all of them or none arrived, which their numbers tell. Only the hour in
 * which the heartbeat and an upload met, or one with numbers of other batches between, is looked into, at one small read.
 * @param arrived read after the heartbeat, of that hour at least
 */
export async function awaitedOf(
  hub: Hub,
  cluster: string,
  hour: SpooledHour,
  arrived: ArrivedBoots,
): Promise<AwaitedSamples> {
  const { bootId, hourMs, first, end } = hour;
  let { kept, dropped, lost } = hour;
  for (const { node, sequences } of arrived.get(`${cluster}/${bootId}`) ?? []) {
    const came = sequences
      .map((range) => ({ first: Math.max(first, range.first), end: Math.min(end, range.end) }))
      .filter((range) => range.first < range.end);
    if (came.length === 0) continue;
    if (came[0]!.first === first && came[0]!.end === end) return { kept: 0, dropped: 0, lost: 0 };
    for (const record of await hub.registry.listBootBatches({ cluster, node, bootId, hour: hourMs })) {
      // Not those that came since: the sums that these are compared with do not have them.
      if (!came.some((range) => range.first <= record.sequence && record.sequence < range.end)) continue;
      kept -= record.samplesKept;
      dropped -= record.samplesDropped;
      lost -= record.samplesLost;
    }
  }
  // Less than none only where an agent says of a batch one thing in a heartbeat and another in the batch.
  return { kept: Math.max(0, kept), dropped: Math.max(0, dropped), lost: Math.max(0, lost) };
}

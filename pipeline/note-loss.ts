import type { Completeness } from '../core/query/completeness.ts';
import type { Hub } from './hub.ts';
import { goneWithin, readLoss } from './read-loss.ts';

/** Sums are made every few minutes. When they are older than this, ms, an answer says so. */
const SUMS_LATE_MS = 900_000;

/**
 * What is known to be lost in the clusters and time of a selection, and how far behind the newest data was when that was
 * summed. Reads sums of hours, days and months, never the ledger.
 */
export async function noteLoss(
  hub: Hub,
  range: { start: number; end: number },
  wantsCluster: ((cluster: string) => boolean) | undefined,
  completeness: Completeness,
): Promise<void> {
  const loss = await readLoss(hub, range);
  if (loss === undefined) {
    completeness.notes.push('what was lost is not known yet: it is summed every few minutes');
    return;
  }
  let missing = 0;
  let newest = -1;
  for (const read of loss.periods) {
    for (const [cluster, sums] of read.clusters) {
      if (wantsCluster !== undefined && !wantsCluster(cluster)) continue;
      const gone = goneWithin(read, sums, range);
      completeness.samplesLost += gone.samples;
      missing += gone.missingBatches;
      if (sums.batches > 0) newest = Math.max(newest, sums.lastReceivedAt);
    }
  }
  if (newest >= 0) completeness.lagMs = Math.max(0, loss.summedAt - newest);
  if (missing > 0) completeness.notes.push(`${missing} batches have not arrived: they are late or lost`);
  if (missing > 0 || completeness.samplesLost > 0) completeness.complete = false;
  noteFreshness(hub, range.end, loss, completeness);
}

function noteFreshness(
  hub: Hub,
  end: number,
  { summedAt, hoursUnknown }: { summedAt: number; hoursUnknown: number },
  { notes }: Completeness,
): void {
  if (end > summedAt && hub.clock() - summedAt > SUMS_LATE_MS)
    notes.push(`what was lost is known up to ${new Date(summedAt).toISOString()}`);
  if (hoursUnknown > 0) notes.push(`what was lost in ${hoursUnknown} hours of this time is not summed yet`);
}

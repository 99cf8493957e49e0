import type { BootSequences } from '../storage/registry.ts';
import type { Hub } from './hub.ts';

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

/** Pushed profiles are numbered per hub process, which skips numbers of refused pushes; no batch can go missing there. */
export const PUSH_NODE = 'push';

/** Reconciles what agents counted with what arrived, per cluster and hour of [start, end). */
export async function auditLoss(
  hub: Hub,
  request: { start: number; end: number; cluster?: string },
): Promise<LossHour[]> {
  const { start, end, cluster } = request;
  const boots = await hub.registry.listBatchSequences({ cluster, from: start, until: end });
  const hours = new Map<string, LossHour>();
  for (const boot of boots) {
    for (const counts of boot.hours) {
      const hour = hourOf(hours, boot.cluster, counts.hour);
      hour.taken += counts.samplesTaken;
      hour.lostByKernel += counts.samplesLost;
      hour.droppedByAgent += counts.samplesDropped;
      hour.stored += counts.samplesKept;
      hour.duplicateBatches += counts.duplicates;
    }
    const missing = missingBatches(boot);
    const last = boot.hours.at(-1);
    if (missing > 0 && last !== undefined) hourOf(hours, boot.cluster, last.hour).missingBatches += missing;
  }
  return [...hours.values()].sort((a, b) => a.hourMs - b.hourMs || (a.cluster < b.cluster ? -1 : 1));
}

/** Gaps between the sequence numbers of one boot that were seen. What came before the first may lie before the range asked for. */
export function missingBatches({ node, sequences }: BootSequences): number {
  if (node === PUSH_NODE) return 0;
  let missing = 0;
  for (let i = 1; i < sequences.length; i++) missing += sequences[i]!.first - sequences[i - 1]!.end;
  return missing;
}

function hourOf(hours: Map<string, LossHour>, cluster: string, hourMs: number): LossHour {
  const key = `${hourMs}|${cluster}`;
  let hour = hours.get(key);
  if (hour === undefined) {
    hour = {
      ...{ cluster, hourMs, taken: 0, lostByKernel: 0, droppedByAgent: 0, stored: 0 },
      ...{ missingBatches: 0, duplicateBatches: 0 },
    };
    hours.set(key, hour);
  }
  return hour;
}

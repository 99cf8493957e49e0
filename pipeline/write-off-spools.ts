import type { SpooledHour } from '../core/batch/spool-account.ts';
import type { BatchRecord } from '../storage/registry.ts';
import { arrivedBoots, awaitedOf } from './awaited-batches.ts';
import { GroupLease } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { HOUR_MS, periodStart, readLossState, writeLossState } from './loss-sums.ts';
import { newestWords, type SpoolWord, wordsOf } from './spool-words.ts';
import { LEDGER_MS } from './sum-loss.ts';

/** A boot of no agent, whose batches are written off: taken, and nowhere. */
export const WRITTEN_OFF = 'written-off:';

/**
 * Enters in the ledger what spools held that were heard of last before `before`, as taken and neither dropped nor
 * acknowledged, and has the sums of their hours made again: then the audit tells of it when the agents are forgotten.
 * Done again, it changes nothing. Answers false when sums are being made now: then nothing may be forgotten yet.
 */
export async function writeOffSpools(hub: Hub, before: number): Promise<boolean> {
  const agents = await hub.registry.listAgents();
  const words = newestWords(agents.flatMap((agent) => wordsOf(agent, before)));
  const old = words.filter(({ at, hours }) => at < before && hours.length > 0);
  if (old.length === 0) return true;
  const lease = await GroupLease.acquire(hub, 'sum-loss');
  if (lease === undefined) return false;
  try {
    const changed = new Set<number>();
    for (const word of old) {
      await lease.keep();
      for (const hour of await writeOff(hub, word)) changed.add(hour);
    }
    await lease.confirm();
    const state = await readLossState(hub);
    const due = [...new Set([...(state?.due ?? []), ...changed])].sort((a, b) => a - b);
    if (state !== undefined && changed.size > 0) await writeLossState(hub, { ...state, due });
    return true;
  } finally {
    await lease.release();
  }
}

/** Answers the hours that it changed. Of what heartbeats had no room for, the hours are not known: it is in no audit. */
async function writeOff(hub: Hub, word: SpoolWord): Promise<number[]> {
  const { cluster, node, spoolId, at } = word;
  const oldest = periodStart('hour', hub.clock() - LEDGER_MS);
  const records: BatchRecord[] = [];
  for (const hour of word.hours.toSorted((a, b) => a.hourMs - b.hourMs)) {
    if (hour.hourMs < oldest) continue;
    const { kept, dropped, lost } = await awaitedFromLedger(hub, cluster, hour);
    if (kept + dropped + lost === 0) continue;
    records.push({
      ...{ cluster, node, bootId: `${WRITTEN_OFF}${spoolId}`, sequence: records.length },
      ...{ samplesTaken: kept + dropped, samplesLost: lost, samplesDropped: dropped, samplesKept: 0 },
      ...{ firstWindow: hour.hourMs, lastWindow: hour.hourMs, receivedAt: at },
    });
  }
  for (const record of records) await hub.registry.recordBatch(record);
  const samples = records.reduce((sum, record) => sum + record.samplesTaken - record.samplesDropped, 0);
  if (samples > 0)
    hub.telemetry.log(
      'warn',
      `${samples} samples on the disk of ${node} of ${cluster} are given up: it was silent too long`,
    );
  return records.map(({ firstWindow }) => firstWindow);
}

async function awaitedFromLedger(hub: Hub, cluster: string, hour: SpooledHour) {
  const search = { cluster, from: hour.hourMs, until: hour.hourMs + HOUR_MS };
  return awaitedOf(hub, cluster, hour, arrivedBoots(await hub.registry.listBatchSequences(search)));
}

import type { SpoolAccount, SpooledHour } from '../core/batch/spool-account.ts';
import { RejectedError } from '../core/errors.ts';
import type { AgentRow, FormerSpool, Heartbeat } from './registry.ts';

// What every registry does with the spools that heartbeats tell of, and the text that they rest in.

const HOUR_MS = 3_600_000;

/** Most former spools that are kept of a node; of more, the oldest are forgotten. */
export const FORMER_SPOOLS_MAX = 8;

/** @throws RejectedError 'invalid' */
export function checkHeartbeat({ cluster, node, at, clockSkewMs, counters }: Heartbeat): void {
  const finite = [clockSkewMs, ...Object.values(counters)].every(Number.isFinite);
  if (cluster !== '' && node !== '' && Number.isSafeInteger(at) && finite) return;
  throw new RejectedError(
    'invalid',
    `heartbeat of ${cluster}/${node}: a name is empty or a number is not finite`,
  );
}

/**
 * The former spools of a node once `next` is its newest heartbeat: the one that it takes the place of joins them, unless
 * that was empty, and one that it names again leaves them. By age, oldest first.
 */
export function formerSpoolsAfter(
  kept: Pick<AgentRow, 'at' | 'bootId' | 'spool' | 'formerSpools'> | undefined,
  next: SpoolAccount | undefined,
): FormerSpool[] {
  const { formerSpools = [] } = kept ?? {};
  return [...formerSpools, ...(next === undefined ? [] : asFormer(kept))]
    .filter(({ spoolId }) => spoolId !== next?.spoolId)
    .slice(-FORMER_SPOOLS_MAX);
}

function asFormer(kept: Pick<AgentRow, 'at' | 'bootId' | 'spool'> | undefined): FormerSpool[] {
  if (kept?.spool === undefined || kept.spool.batches === 0) return [];
  return [{ ...kept.spool, at: kept.at, bootId: kept.bootId }];
}

/** An hour is [index of its boot, hours since epoch, first, end, batches, kept, dropped, lost]. */
interface SpoolText {
  readonly id: string;
  readonly batches: number;
  readonly samples: number;
  readonly boots?: readonly string[];
  readonly hours?: readonly (readonly number[])[];
}

/** Short, as what a heartbeat costs goes by the KB. */
export function encodeSpool({ spoolId, batches, samples, hours }: SpoolAccount): string {
  const boots = [...new Set(hours.map(({ bootId }) => bootId))];
  const lists = hours.map(({ bootId, hourMs, first, end, ...counts }) => {
    const { batches, kept, dropped, lost } = counts;
    return [boots.indexOf(bootId), hourMs / HOUR_MS, first, end, batches, kept, dropped, lost];
  });
  const text: SpoolText = { id: spoolId, batches, samples, ...(lists.length > 0 && { boots, hours: lists }) };
  return JSON.stringify(text);
}

export function decodeSpool(text: string): SpoolAccount {
  const { id, batches, samples, boots = [], hours = [] }: SpoolText = JSON.parse(text);
  return {
    spoolId: id,
    batches,
    samples,
    hours: hours.map(([boot, hour, first, end, batches, kept, dropped, lost]) => {
      const of = { bootId: boots[boot!]!, hourMs: hour! * HOUR_MS };
      return { ...of, first, end, batches, kept, dropped, lost } as SpooledHour;
    }),
  };
}

export function encodeFormerSpools(spools: readonly FormerSpool[]): string {
  return JSON.stringify(spools.map(({ at, bootId, ...spool }) => [at, bootId, encodeSpool(spool)]));
}

export function decodeFormerSpools(text: string): FormerSpool[] {
  const spools: [number, string, string][] = JSON.parse(text);
  return spools.map(([at, bootId, spool]) => ({ ...decodeSpool(spool), at, bootId }));
}

import { CLUSTER, labelValue } from '../core/labels/labels.ts';
import { selectRows } from '../core/query/select-rows.ts';
import type { Hub } from './hub.ts';
import { openParts, planRead, readParts } from './read-blocks.ts';

const HOUR_MS = 3_600_000;

export interface StoredCounts {
  /** Samples of all profile types that answers are made of, by cluster and start of the hour, as `storedKey` names them. */
  readonly samples: ReadonlyMap<string, number>;
  /** False when not all blocks could be read: there is more. */
  readonly complete: boolean;
}

export function storedKey(cluster: string, hourMs: number): string {
  return `${hourMs} ${cluster}`;
}

/**
 * Counts samples in blocks, per cluster and whole hour that [start, end) touches: what was deleted, or is past its time, is not there.
 * Reads totals only, hours where there are any. Each window counts once, however often it was delivered.
 */
export async function countStored(
  hub: Hub,
  { start, end, cluster }: { start: number; end: number; cluster?: string },
): Promise<StoredCounts> {
  const matchers = cluster === undefined ? [] : [{ name: CLUSTER, op: '=' as const, value: cluster }];
  const steps = { length: HOUR_MS, offset: 0, mayCut: false };
  const hours = { start: Math.floor(start / HOUR_MS) * HOUR_MS, end: Math.ceil(end / HOUR_MS) * HOUR_MS };
  const parts = await openParts(hub, await planRead(hub, { matchers, ...hours, steps }), 'totals');
  const samples = new Map<string, number>();
  await readParts(
    hub,
    parts,
    (part) => part.reader.totals(part.dataset, part.type),
    (part, { totals, labelSets }) => {
      const clusters = labelSets.map((labels) => labelValue(labels, CLUSTER));
      for (const row of selectRows(part.type.profileType, totals, labelSets, part.filter)) {
        const hourMs = Math.floor(totals.start[row]! / HOUR_MS) * HOUR_MS;
        const key = storedKey(clusters[totals.series[row]!]!, hourMs);
        samples.set(key, (samples.get(key) ?? 0) + totals.samples[row]!);
      }
    },
  );
  const { missingBlocks, corruptBlocks, asideBlocks, continueBefore } = parts.completeness;
  const lacked = missingBlocks + corruptBlocks + asideBlocks;
  return { samples, complete: lacked === 0 && continueBefore === undefined };
}

import type { TimeSpan } from '../core/query/time-span.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';

const DAY_MS = 24 * 3_600_000;

/**
 * All blocks of the time of deletions, and those that a joined block of that time sums.
 * @param withAside those that lie aside too: they may be put back
 */
export function blocksAround(hub: Hub, spans: readonly TimeSpan[], withAside = false): Promise<BlockRow[]> {
  const { resolutions } = hub.settings.compaction;
  const longest = resolutions.reduce((most, { joinMs }) => Math.max(most, joinMs), DAY_MS);
  const from = Math.min(...spans.map(({ start }) => start)) - longest;
  const until = Math.max(...spans.map(({ end }) => end)) + longest;
  return hub.catalog.find({ tenant: hub.tenant, from: Math.max(0, from), until, withAside });
}

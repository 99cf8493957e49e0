import type { SpoolAccount } from '../core/batch/spool-account.ts';
import type { AgentRow } from '../storage/registry.ts';
import type { Hub } from './hub.ts';

/** An agent that missed as many heartbeats is silent. */
export const SILENT_HEARTBEATS = 3;

/**
 * live: its agent was heard of lately; silent: it was not, and its last word stands; gone: the node has another spool
 * now, so what this one held and the hub did not get is lost.
 */
export type SpoolStanding = 'live' | 'silent' | 'gone';

/** What a spool held when it was heard of last. */
export interface SpoolWord extends SpoolAccount {
  readonly cluster: string;
  readonly node: string;
  /** When the hub heard it, ms since epoch, and of which boot. */
  readonly at: number;
  readonly bootId: string;
  readonly standing: SpoolStanding;
}

/** The last words of all spools, newest first, and how many agents never gave one. */
export interface SpoolWords {
  readonly words: readonly SpoolWord[];
  /** By cluster. Agents of before heartbeats told of spools. */
  readonly unknownAgents: ReadonlyMap<string, number>;
}

/** Reads one small record per agent of a cluster, or of all. */
export async function readSpoolWords(hub: Hub, cluster?: string): Promise<SpoolWords> {
  return spoolWordsOf(hub, await hub.registry.listAgents(cluster));
}

export function spoolWordsOf(hub: Hub, agents: readonly AgentRow[]): SpoolWords {
  const silentBefore = hub.clock() - SILENT_HEARTBEATS * hub.settings.heartbeatMs;
  const unknownAgents = new Map<string, number>();
  for (const { cluster, spool } of agents)
    if (spool === undefined) unknownAgents.set(cluster, (unknownAgents.get(cluster) ?? 0) + 1);
  return { words: newestWords(agents.flatMap((agent) => wordsOf(agent, silentBefore))), unknownAgents };
}

/** The word of an agent, and those of spools that it had before. */
export function wordsOf(agent: AgentRow, silentBefore: number): SpoolWord[] {
  const { cluster, node, at, bootId, spool, formerSpools = [] } = agent;
  const gone = formerSpools.map((former) => ({ ...former, cluster, node, standing: 'gone' as const }));
  if (spool === undefined) return gone;
  const standing = at < silentBefore ? ('silent' as const) : ('live' as const);
  return [...gone, { ...spool, cluster, node, at, bootId, standing }];
}

/**
 * Newest first, each spool and each batch once: a folder that moved to a node of another name, or that could not keep its
 * id, is not there twice.
 */
export function newestWords(words: readonly SpoolWord[]): SpoolWord[] {
  const spools = new Set<string>();
  const told = new Map<string, { first: number; end: number }[]>();
  return words
    .toSorted((a, b) => b.at - a.at)
    .flatMap((word) => {
      const spool = `${word.cluster}/${word.spoolId}`;
      if (spools.has(spool)) return [];
      spools.add(spool);
      const hours = word.hours.filter(({ bootId, hourMs, first, end }) => {
        const key = `${word.cluster}/${bootId}/${hourMs}`;
        const ranges = told.get(key) ?? [];
        told.set(key, [...ranges, { first, end }]);
        return !ranges.some((range) => range.first < end && first < range.end);
      });
      return [{ ...word, hours }];
    });
}

import type { SpoolStanding, SpoolWord, SpoolWords } from './spool-words.ts';

/** A spool as of its last heartbeat. */
export interface NodeSpool {
  readonly node: string;
  readonly lastSeenMs: number;
  readonly batches: number;
  readonly samples: number;
}

/** What agents of a cluster said of their spools: of live ones unless it says otherwise. */
export interface ClusterSpools {
  readonly cluster: string;
  readonly agents: number;
  /** When the one of them was heard that was heard longest ago, ms since epoch; undefined when there is none. */
  readonly asOfMs: number | undefined;
  readonly batches: number;
  readonly samples: number;
  /** Of live and silent ones: samples of hours that heartbeats had no room for. They are in no hour of the audit. */
  readonly olderSamples: number;
  /** Agents that do not say what their spool holds. */
  readonly unknownAgents: number;
  readonly silentAgents: number;
  /** With samples; those with most of them. */
  readonly silent: readonly NodeSpool[];
  readonly gone: readonly NodeSpool[];
}

/** Most spools of a cluster that are told one by one. */
const NODES_MAX = 20;

/** By cluster, in order of their names. */
export function clusterSpools({ words, unknownAgents }: SpoolWords): ClusterSpools[] {
  const byCluster = Map.groupBy(words, ({ cluster }) => cluster);
  const clusters = [...new Set([...byCluster.keys(), ...unknownAgents.keys()])].sort();
  return clusters.map((cluster) => {
    const of = byCluster.get(cluster) ?? [];
    const standing = (wanted: SpoolStanding) => of.filter((word) => word.standing === wanted);
    const [live, silent] = [standing('live'), standing('silent')];
    return {
      cluster,
      agents: live.length,
      asOfMs: live.length === 0 ? undefined : Math.min(...live.map(({ at }) => at)),
      batches: live.reduce((sum, word) => sum + word.batches, 0),
      samples: live.reduce((sum, word) => sum + word.samples, 0),
      olderSamples: [...live, ...silent].reduce((sum, word) => sum + olderSamplesOf(word), 0),
      unknownAgents: unknownAgents.get(cluster) ?? 0,
      silentAgents: silent.length,
      silent: largest(silent),
      gone: largest(standing('gone')),
    };
  });
}

function olderSamplesOf({ samples, hours }: SpoolWord): number {
  return Math.max(0, samples - hours.reduce((sum, { kept }) => sum + kept, 0));
}

function largest(words: readonly SpoolWord[]): NodeSpool[] {
  return words
    .filter(({ samples }) => samples > 0)
    .sort((a, b) => b.samples - a.samples || b.at - a.at)
    .slice(0, NODES_MAX)
    .map(({ node, at, batches, samples }) => ({ node, lastSeenMs: at, batches, samples }));
}

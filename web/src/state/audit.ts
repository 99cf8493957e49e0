import type { ClusterSpools, NodeSpool } from './api.ts';
import { formatCount } from './format.ts';
import { ageText } from './time-range.ts';

/** How old what the audit knows of spools is: the heartbeat that is oldest of those of agents that are heard of. */
export function spooledAsOf(spools: readonly ClusterSpools[]): number | undefined {
  const times = spools.flatMap(({ asOfMs }) => asOfMs ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What about spools is to be looked after, a sentence each. */
export function spoolWarnings(spools: readonly ClusterSpools[], nowMs: number): string[] {
  const age = ({ lastSeenMs }: NodeSpool) => ageText(Math.max(0, nowMs - lastSeenMs));
  return spools.flatMap(({ cluster, silentAgents, silent, gone, olderSamples, unknownAgents }) => {
    const said: string[] = [];
    if (silentAgents > 0) said.push(`${agents(silentAgents)} silent: what was heard last stands`);
    for (const spool of silent)
      said.push(`${spool.node} was heard ${age(spool)} ago, with ${samples(spool.samples)} on its disk`);
    for (const spool of gone)
      said.push(
        `${spool.node} lost its spool: ${age(spool)} ago it held ${samples(spool.samples)}; what did not arrive is unaccounted`,
      );
    if (olderSamples > 0)
      said.push(`${samples(olderSamples)} more wait on nodes, of hours that are not told`);
    if (unknownAgents > 0)
      said.push(`what ${agents(unknownAgents)} of an older version spooled is not known`);
    return said.map((text) => `${cluster}: ${text}`);
  });
}

function agents(count: number): string {
  return `${count} agent${count === 1 ? '' : 's'}`;
}

function samples(count: number): string {
  return `${formatCount(count)} sample${count === 1 ? '' : 's'}`;
}

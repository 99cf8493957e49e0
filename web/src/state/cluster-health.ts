import type { Agent, Cluster } from './api.ts';
import { ageText } from './time-range.ts';

export type Health = 'good' | 'warn' | 'bad';

export interface AgentHealth {
  health: Health;
  /** One word for the table. */
  word: string;
  /** Why, in a sentence; the rule with its limit. */
  reason: string;
}

/** An agent that has not been heard of for this long is late, then silent. */
export const LATE_MS = 60_000;
export const SILENT_MS = 5 * 60_000;
const LAG_MS = 120_000;
const SKEW_MS = 5000;
const LOST_SHARE = 0.01;

/** The worst thing that is true of an agent. */
export function agentHealth(agent: Agent, nowMs: number): AgentHealth {
  const silence = nowMs - agent.lastSeenMs;
  if (silence > SILENT_MS)
    return bad('silent', `Not heard of for ${ageText(silence)}; more than 5 min is silent.`);
  if (agent.lastError !== '') return warn('failing', agent.lastError);
  if (silence > LATE_MS)
    return warn('late', `Last heard of ${ageText(silence)} ago; more than 60 s is late.`);
  const gone = agent.samplesLost + agent.samplesDropped;
  if (gone > agent.samplesTaken * LOST_SHARE) {
    return warn(
      'losing',
      `${gone} of ${agent.samplesTaken} samples lost or dropped; more than 1 % is too much.`,
    );
  }
  if (agent.lagMs > LAG_MS) return warn('behind', `Its newest stored sample is ${ageText(agent.lagMs)} old.`);
  if (Math.abs(agent.clockSkewMs) > SKEW_MS) {
    return warn(
      'clock',
      `Its clock is off by ${ageText(Math.abs(agent.clockSkewMs))}; more than 5 s shifts samples.`,
    );
  }
  return { health: 'good', word: 'good', reason: 'Heard of within 60 s, less than 1 % of samples lost.' };
}

function warn(word: string, reason: string): AgentHealth {
  return { health: 'warn', word, reason };
}

function bad(word: string, reason: string): AgentHealth {
  return { health: 'bad', word, reason };
}

const RANK: Record<Health, number> = { bad: 0, warn: 1, good: 2 };

/** Worst first, then by name. */
export function sortAgents(agents: readonly Agent[], nowMs: number): Agent[] {
  const rank = (agent: Agent) => RANK[agentHealth(agent, nowMs).health];
  return [...agents].sort((a, b) => rank(a) - rank(b) || (a.node < b.node ? -1 : 1));
}

export interface ClusterStanding {
  health: Health | 'off';
  word: string;
  /** What the status means for who runs the cluster; '' where there is nothing to say. */
  consequence: string;
}

/** What the registry says of a cluster, in words. A status of a newer server stays as it is. */
export function clusterStanding({ status }: Cluster): ClusterStanding {
  if (status === 'disabled') {
    const consequence = 'The hub refuses its batches, and the agents keep them until this lets them in:';
    return { health: 'warn', word: 'disabled', consequence };
  }
  if (status === 'removed') {
    return { health: 'off', word: 'removed', consequence: 'What it stored stays until its retention ends.' };
  }
  return { health: 'good', word: status || 'active', consequence: '' };
}

const STANDING_RANK: Record<ClusterStanding['health'], number> = { good: 0, bad: 0, warn: 1, off: 2 };

/** Those that should report first, then by name. */
export function sortClusters(clusters: readonly Cluster[]): Cluster[] {
  const rank = (cluster: Cluster) => STANDING_RANK[clusterStanding(cluster).health];
  const name = ({ displayName, id }: Cluster) => displayName || id;
  return [...clusters].sort((a, b) => rank(a) - rank(b) || (name(a) < name(b) ? -1 : 1));
}

/** The newest heartbeat of any agent, in ms since epoch; undefined before the first. */
export function lastHeartbeat({ agents }: Cluster): number | undefined {
  const newest = Math.max(0, ...agents.map(({ lastSeenMs }) => lastSeenMs));
  return newest > 0 ? newest : undefined;
}

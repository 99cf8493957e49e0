import type { AgentRow } from '../storage/registry.ts';
import type { Hub } from './hub.ts';

/** One agent as the hub last heard of it. Times in ms; counts since the agent started. */
export interface AgentReport {
  node: string;
  bootId: string;
  version: string;
  engine: string;
  lastSeenMs: number;
  /** Now less the last heartbeat. */
  lagMs: number;
  clockSkewMs: number;
  samplesTaken: number;
  samplesLost: number;
  samplesDropped: number;
  samplesKept: number;
  spooledBatches: number;
  spooledBytes: number;
  rssBytes: number;
  cpuPercent: number;
  lastError: string;
}

export interface ClusterReport {
  id: string;
  displayName: string;
  status: string;
  agents: AgentReport[];
}

/** All clusters with their agents, as the page and the CLI show them. */
export async function listClusters(hub: Hub): Promise<{ clusters: ClusterReport[]; nowMs: number }> {
  const nowMs = hub.clock();
  const [clusters, agents] = await Promise.all([hub.registry.listClusters(), hub.registry.listAgents()]);
  return {
    nowMs,
    clusters: clusters.map(({ cluster, displayName, status }) => ({
      id: cluster,
      displayName,
      status,
      agents: agents.filter((agent) => agent.cluster === cluster).map((agent) => agentReport(agent, nowMs)),
    })),
  };
}

/** An agent's newest heartbeat, read at `nowMs`. */
export function agentReport(agent: AgentRow, nowMs: number): AgentReport {
  const { node, bootId, version, engine, at, clockSkewMs, counters, lastError } = agent;
  return {
    node,
    bootId,
    version,
    engine,
    lastSeenMs: at,
    lagMs: Math.max(0, nowMs - at),
    clockSkewMs,
    samplesTaken: counters.samplesTaken ?? 0,
    samplesLost: counters.samplesLost ?? 0,
    samplesDropped: counters.samplesDropped ?? 0,
    samplesKept: counters.samplesKept ?? 0,
    spooledBatches: counters.spooledBatches ?? 0,
    spooledBytes: counters.spooledBytes ?? 0,
    rssBytes: counters.rssBytes ?? 0,
    cpuPercent: counters.cpuPercent ?? 0,
    lastError: lastError ?? '',
  };
}

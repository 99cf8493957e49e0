import type { AgentReport } from '../../pipeline/list-clusters.ts';
import { allWhole } from '../whole-number.ts';

/** An agent as cinderblock.v1 tells it. Counters are what agents say. */
export function agentFields(agent: AgentReport) {
  const { node, bootId, version, engine, cpuPercent, lastError, ...counts } = agent;
  return { node, bootId, version, engine, cpuPercent, lastError, ...allWhole(counts) };
}

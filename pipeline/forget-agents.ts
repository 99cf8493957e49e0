import type { Hub } from './hub.ts';
import { writeOffSpools } from './write-off-spools.ts';

/** Agents that were silent for so long are taken for gone, ms. */
export const AGENT_FORGET_MS = 7 * 24 * 3_600_000;

/** Removes agents that are gone from the list of agents, and keeps what was on their disks for the audit. */
export async function forgetAgents(hub: Hub): Promise<void> {
  const before = hub.clock() - AGENT_FORGET_MS;
  if (await writeOffSpools(hub, before)) await hub.registry.forgetAgents(before);
}

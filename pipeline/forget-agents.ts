import type { Hub } from './hub.ts';

/** Agents that were silent for so long are taken for gone, ms. */
export const AGENT_FORGET_MS = 7 * 24 * 3_600_000;

/** Removes agents that are gone from the list of agents. */
export async function forgetAgents(hub: Hub): Promise<void> {
  await hub.registry.forgetAgents(hub.clock() - AGENT_FORGET_MS);
}

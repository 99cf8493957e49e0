import {
  checkHeartbeat,
  decodeFormerSpools,
  decodeSpool,
  encodeFormerSpools,
  encodeSpool,
  formerSpoolsAfter,
} from '../agent-spools.ts';
import type { AgentRegistry, AgentRow, FormerSpool, Heartbeat } from '../registry.ts';
import { type Fields, type Item, number, text } from './attribute-values.ts';
import type { DynamoTable, WriteOutcome } from './dynamodb-table.ts';
import { inParallel } from './in-parallel.ts';
import { AGENT_CLUSTERS, AGENT_SHARDS, agentKey, agentsPartition } from './names.ts';

/** The newest heartbeat of every agent, in DynamoDB: one item per node, one write of 1 KB per heartbeat. */
export function dynamodbAgents(table: DynamoTable): AgentRegistry {
  // Clusters that are known to be entered, so that each is entered once in the life of a process.
  const known = new Set<string>();

  async function enter(cluster: string): Promise<void> {
    if (known.has(cluster)) return;
    await table.put({ pk: AGENT_CLUSTERS, sk: cluster }, {});
    known.add(cluster);
  }
  async function clusters(): Promise<string[]> {
    const names: string[] = [];
    for await (const item of table.query(AGENT_CLUSTERS)) names.push(text(item, 'sk'));
    return names;
  }
  async function agentsOf(cluster: string): Promise<AgentRow[]> {
    const shards = Array.from({ length: AGENT_SHARDS }, (_, shard) => shard);
    const rows = await inParallel(shards, async (shard) => {
      const agents: AgentRow[] = [];
      for await (const item of table.query(agentsPartition(cluster, shard)))
        agents.push(toAgent(cluster, item));
      return agents;
    });
    return rows.flat().sort((a, b) => (a.node < b.node ? -1 : 1));
  }
  return {
    async recordHeartbeat(heartbeat) {
      checkHeartbeat(heartbeat);
      await enter(heartbeat.cluster);
      const outcome = await recordNewest(table, heartbeat);
      if (outcome.done || number(outcome.old ?? {}, 'at') > heartbeat.at) return;
      await replaceSpool(table, heartbeat, outcome.old);
    },
    async listAgents(cluster) {
      if (cluster !== undefined) return agentsOf(cluster);
      return (await inParallel(await clusters(), agentsOf)).flat();
    },
    async forgetAgents(before) {
      const agents = (await inParallel(await clusters(), agentsOf)).flat();
      const old = agents.filter(({ at }) => at < before);
      const forgotten = await inParallel(old, ({ cluster, node }) =>
        // It may have come back meanwhile.
        table.delete(agentKey(cluster, node), { condition: '#at < :before', values: { before } }),
      );
      await inParallel(agents, (agent) => forgetFormerSpools(table, agent, before));
      return forgotten.filter(({ done }) => done).length;
    },
  };
}

/** The one write that nearly every heartbeat is: the spool is the one that is known, or none is. */
function recordNewest(table: DynamoTable, heartbeat: Heartbeat): Promise<WriteOutcome> {
  const isKnown = heartbeat.spool && 'AND (attribute_not_exists(#spoolId) OR #spoolId = :spoolId)';
  return table.update(agentKey(heartbeat.cluster, heartbeat.node), {
    update: changeOf(heartbeat),
    condition: `attribute_not_exists(pk) OR (#at <= :at ${isKnown ?? ''})`,
    values: valuesOf(heartbeat),
  });
}

/** Again when another heartbeat came meanwhile, unless that is a newer one. */
async function replaceSpool(table: DynamoTable, heartbeat: Heartbeat, item: Item | undefined): Promise<void> {
  const { cluster, node, at } = heartbeat;
  for (let old = item; old !== undefined && number(old, 'at') <= at; ) {
    const former = formerSpoolsAfter(toAgent(cluster, old), heartbeat.spool);
    const outcome = await table.update(agentKey(cluster, node), {
      update: changeOf(heartbeat, former),
      condition: '#at = :oldAt AND #spoolId = :oldSpoolId',
      values: {
        ...valuesOf(heartbeat, former),
        oldAt: number(old, 'at'),
        oldSpoolId: text(old, 'spoolId'),
      },
    });
    if (outcome.done) return;
    old = outcome.old;
  }
}

/** @param former what the former spools become; they stay as they are when it is absent */
function changeOf({ spool, lastError }: Heartbeat, former?: readonly FormerSpool[]): string {
  const fields = ['bootId', 'version', 'engine', 'at', 'clockSkewMs', 'counters'];
  const removed: string[] = [];
  const change = (isThere: boolean, ...names: string[]) => (isThere ? fields : removed).push(...names);
  change(spool !== undefined, 'spool', 'spoolId');
  change(lastError !== undefined, 'lastError');
  if (former !== undefined) change(former.length > 0, 'formerSpools');
  const set = [
    ...fields.map((name) => `#${name} = :${name}`),
    '#firstSeenAt = if_not_exists(#firstSeenAt, :at)',
  ];
  const remove = removed.length > 0 ? `REMOVE ${removed.map((name) => `#${name}`).join(', ')}` : '';
  return `SET ${set.join(', ')} ${remove}`;
}

function valuesOf(heartbeat: Heartbeat, former: readonly FormerSpool[] = []): Fields {
  const { bootId, version, engine, at, clockSkewMs, counters, spool, lastError } = heartbeat;
  return {
    ...{ bootId, version, engine, at, clockSkewMs, counters: JSON.stringify(counters), lastError },
    ...(spool && { spool: encodeSpool(spool), spoolId: spool.spoolId }),
    ...(former.length > 0 && { formerSpools: encodeFormerSpools(former) }),
  };
}

async function forgetFormerSpools(table: DynamoTable, agent: AgentRow, before: number): Promise<void> {
  const { cluster, node, at, formerSpools = [] } = agent;
  const kept = formerSpools.filter((spool) => spool.at >= before);
  if (at < before || kept.length === formerSpools.length) return;
  // When one joins them meanwhile, the next time does.
  await table.update(agentKey(cluster, node), {
    update: kept.length > 0 ? 'SET #formerSpools = :kept' : 'REMOVE #formerSpools',
    condition: '#formerSpools = :was',
    values: {
      was: encodeFormerSpools(formerSpools),
      kept: kept.length > 0 ? encodeFormerSpools(kept) : undefined,
    },
  });
}

function toAgent(cluster: string, item: Item): AgentRow {
  return {
    cluster,
    node: text(item, 'sk'),
    bootId: text(item, 'bootId'),
    version: text(item, 'version'),
    engine: text(item, 'engine'),
    at: number(item, 'at'),
    clockSkewMs: number(item, 'clockSkewMs'),
    counters: JSON.parse(text(item, 'counters')),
    ...(item.spool === undefined ? {} : { spool: decodeSpool(text(item, 'spool')) }),
    ...(item.formerSpools === undefined
      ? {}
      : { formerSpools: decodeFormerSpools(text(item, 'formerSpools')) }),
    ...(item.lastError === undefined ? {} : { lastError: text(item, 'lastError') }),
    firstSeenAt: number(item, 'firstSeenAt'),
  };
}

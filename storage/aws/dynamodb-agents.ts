import { RejectedError } from '../../core/errors.ts';
import type { AgentRegistry, AgentRow, Heartbeat } from '../registry.ts';
import { type Item, number, text } from './attribute-values.ts';
import type { DynamoTable } from './dynamodb-table.ts';
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
      const { cluster, node, bootId, version, engine, at, clockSkewMs, counters, lastError } = heartbeat;
      await enter(cluster);
      await table.update(agentKey(cluster, node), {
        update: `SET #bootId = :bootId, #version = :version, #engine = :engine, #at = :at, #clockSkewMs = :clockSkewMs,
          #counters = :counters, #firstSeenAt = if_not_exists(#firstSeenAt, :at)
          ${lastError === undefined ? 'REMOVE #lastError' : ', #lastError = :lastError'}`,
        condition: 'attribute_not_exists(pk) OR #at <= :at',
        values: {
          bootId,
          version,
          engine,
          at,
          clockSkewMs,
          counters: JSON.stringify(counters),
          lastError,
        },
      });
    },
    async listAgents(cluster) {
      if (cluster !== undefined) return agentsOf(cluster);
      return (await inParallel(await clusters(), agentsOf)).flat();
    },
    async forgetAgents(before) {
      const old = (await inParallel(await clusters(), agentsOf)).flat().filter((agent) => agent.at < before);
      const forgotten = await inParallel(old, ({ cluster, node }) =>
        // It may have come back meanwhile.
        table.delete(agentKey(cluster, node), { condition: '#at < :before', values: { before } }),
      );
      return forgotten.filter(({ done }) => done).length;
    },
  };
}

function checkHeartbeat({ cluster, node, at, clockSkewMs, counters }: Heartbeat): void {
  const finite = [clockSkewMs, ...Object.values(counters)].every(Number.isFinite);
  if (cluster !== '' && node !== '' && Number.isSafeInteger(at) && finite) return;
  throw new RejectedError(
    'invalid',
    `heartbeat of ${cluster}/${node}: a name is empty or a number is not finite`,
  );
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
    ...(item.lastError === undefined ? {} : { lastError: text(item, 'lastError') }),
    firstSeenAt: number(item, 'firstSeenAt'),
  };
}

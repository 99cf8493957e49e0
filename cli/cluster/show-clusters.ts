import type { AdminClient, AgentInfo, ClusterInfo } from '../admin-client.ts';
import { bytesText, count, durationText, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';
import { textTable } from '../text-table.ts';

/** One line per cluster. Removed ones only with `all`. */
export async function listClusters(
  admin: AdminClient,
  { all, output }: { all: boolean; output: 'text' | 'json' },
  terminal: Terminal,
): Promise<void> {
  const { clusters: listed, nowMs } = await admin.call('ListClusters', {});
  const clusters = listed.filter(({ status }) => all || status !== 'removed');
  if (output === 'json') return terminal.write(jsonText({ clusters, nowMs }));
  if (clusters.length === 0)
    return terminal.note('there are no clusters; `cinderblock cluster add NAME` adds one');
  const columns = [
    { title: 'cluster' },
    { title: 'status' },
    { title: 'agents', align: 'right' },
    { title: 'last heard' },
    { title: 'waiting', align: 'right' },
    { title: 'name' },
  ] as const;
  const rows = clusters.map(({ id, status, agents, displayName }) => [
    id,
    status,
    count(agents.length),
    lastHeard(agents),
    bytesText(agents.reduce((sum, { spooledBytes }) => sum + Number(spooledBytes), 0)),
    displayName,
  ]);
  await terminal.write(textTable(columns, rows, terminal.width));
}

/** All that is known of one cluster. */
export async function showCluster(
  admin: AdminClient,
  { cluster, output }: { cluster: string; output: 'text' | 'json' },
  terminal: Terminal,
): Promise<void> {
  const info = await admin.call('GetCluster', { cluster, lossHours: 0 });
  await terminal.write(output === 'json' ? jsonText(info) : clusterText(info, terminal));
}

function clusterText(info: ClusterInfo, terminal: Terminal): string {
  const { cluster, displayName, status, createdAtMs, agents } = info;
  const head = `${styled(terminal, 'bold', cluster)} (${displayName}): ${status}, added ${timeText(Number(createdAtMs))}\n`;
  return `${head}${accessText(info)}${agents.length === 0 ? 'no agent was ever heard\n' : `\n${agentTable(agents, terminal)}`}`;
}

function accessText({ role, accessKeys, nowMs }: ClusterInfo): string {
  if (role) {
    const { roleArn, ingestUrl, externalIds } = role;
    const ids = externalIds.map((id, i) => `${i === 0 ? 'external id  ' : 'older        '}${id}\n`).join('');
    return `role         ${roleArn}\nsends to     ${ingestUrl}\n${ids}`;
  }
  return accessKeys
    .map(({ accessKeyId, createdAtMs, revokedAtMs }) => {
      const until = revokedAtMs === undefined ? '' : endText(Number(revokedAtMs), Number(nowMs));
      return `key pair     ${accessKeyId}, issued ${timeText(Number(createdAtMs))}${until}\n`;
    })
    .join('');
}

function endText(revokedAt: number, now: number): string {
  return revokedAt > now ? `, good until ${timeText(revokedAt)}` : `, revoked ${timeText(revokedAt)}`;
}

function agentTable(agents: readonly AgentInfo[], terminal: Terminal): string {
  const columns = [
    { title: 'node' },
    { title: 'last heard' },
    { title: 'version' },
    { title: 'engine' },
    { title: 'cpu', align: 'right' },
    { title: 'memory', align: 'right' },
    { title: 'waiting', align: 'right' },
    { title: 'error' },
  ] as const;
  const rows = agents.map((agent) => [
    agent.node,
    lastHeard([agent]),
    agent.version,
    agent.engine,
    `${agent.cpuPercent.toFixed(1)}%`,
    bytesText(Number(agent.rssBytes)),
    bytesText(Number(agent.spooledBytes)),
    agent.lastError,
  ]);
  return textTable(columns, rows, terminal.width);
}

function lastHeard(agents: readonly AgentInfo[]): string {
  if (agents.length === 0) return 'never';
  return `${durationText(Math.min(...agents.map(({ lagMs }) => Number(lagMs))))} ago`;
}

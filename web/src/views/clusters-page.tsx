import { needsToken } from '../session/session.ts';
import { type Agent, type Cluster, listClusters } from '../state/api.ts';
import { cliCommand } from '../state/cli-command.ts';
import {
  agentHealth,
  clusterStanding,
  lastHeartbeat,
  sortAgents,
  sortClusters,
} from '../state/cluster-health.ts';
import { digits, formatBytes, formatCount, formatShare } from '../state/format.ts';
import { view } from '../state/navigation.ts';
import { utc } from '../state/preferences.ts';
import { askedAgain, clock } from '../state/profile-model.ts';
import { resource } from '../state/resource.ts';
import { ageText, dayText, timeText } from '../state/time-range.ts';
import { AuditSection } from './audit-section.tsx';
import { Command } from './command.tsx';
import { PanelState } from './panel-state.tsx';

const clusters = resource(
  () => (view.value.page === 'clusters' ? { at: clock.value, again: askedAgain.value } : undefined),
  (_, abort) => listClusters(abort),
);

/** Every agent's health, and what became of every sample, hour by hour. */
export function ClustersPage() {
  const load = clusters.value;
  const known = load.data?.clusters ?? [];
  return (
    <>
      <section class="panel padded" aria-labelledby="agents-title">
        <h2 id="agents-title">Clusters and their agents</h2>
        <div class="panel-area">
          {load.data && known.length === 0 && (
            <p class="empty-line">
              No cluster has registered yet. <code>npm start</code> starts a server with an agent of its own.
            </p>
          )}
          {sortClusters(known).map((cluster) => (
            <ClusterSection key={cluster.id} cluster={cluster} nowMs={load.data!.nowMs || clock.value} />
          ))}
          <PanelState load={load} what="agents" />
        </div>
        <p class="rule">
          Silent: not heard of for 5 min. Late: for 60 s. Losing: more than 1 % of samples lost by the kernel
          or dropped. Behind: newest stored sample older than 2 min.
        </p>
      </section>
      <AddCluster />
      <AuditSection />
    </>
  );
}

function ClusterSection({ cluster, nowMs }: { cluster: Cluster; nowMs: number }) {
  const name = cluster.displayName || cluster.id;
  const { health, word, consequence } = clusterStanding(cluster);
  return (
    <section class="cluster" aria-label={`Cluster ${name}`}>
      <h3>
        {name}
        {name !== cluster.id && <code class="cluster-id">{cluster.id}</code>}
        <span class="cluster-count">
          <span class={`dot dot-${health}`} aria-hidden="true" /> {word}
        </span>
        <Heartbeat cluster={cluster} nowMs={nowMs} />
      </h3>
      {consequence !== '' && <p class="empty-line">{consequence}</p>}
      {cluster.status === 'disabled' && <Command text={cliCommand(`cluster enable ${cluster.id}`)} />}
      {cluster.agents.length === 0 && word === 'active' && (
        <>
          <p class="empty-line">
            No agent has reported yet. Start them as “cluster add” said; this looks for what keeps them from
            being heard:
          </p>
          <Command text={cliCommand(`cluster doctor ${cluster.id}`)} />
        </>
      )}
      {cluster.agents.length > 0 && (
        // Of a removed cluster the agents are history.
        <details open={health !== 'off'} class="agents">
          <summary>{agentsText(cluster, nowMs)}</summary>
          <AgentTable cluster={cluster} nowMs={nowMs} name={name} />
        </details>
      )}
    </section>
  );
}

function Heartbeat({ cluster, nowMs }: { cluster: Cluster; nowMs: number }) {
  const newest = lastHeartbeat(cluster);
  if (newest === undefined) return <span class="cluster-count">no heartbeat yet</span>;
  return (
    <span class="cluster-count" title={momentText(newest)}>
      last heartbeat {ageText(nowMs - newest)} ago
    </span>
  );
}

function agentsText({ agents, status }: Cluster, nowMs: number): string {
  const count = `${agents.length} agent${agents.length === 1 ? '' : 's'}`;
  if (status === 'disabled' || status === 'removed') return count;
  const good = agents.filter((agent) => agentHealth(agent, nowMs).health === 'good').length;
  return `${good} of ${count} good`;
}

function momentText(ms: number): string {
  return `${dayText(ms, utc.value)} ${timeText(ms, utc.value)}`;
}

function AgentTable({ cluster, nowMs, name }: { cluster: Cluster; nowMs: number; name: string }) {
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={`Agents of ${name}`}>
      <table class="data-table">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Node</th>
            <th scope="col">Last seen</th>
            <th scope="col">Lag</th>
            <th scope="col">Samples taken</th>
            <th scope="col">Lost by kernel</th>
            <th scope="col">Dropped</th>
            <th scope="col">Spool</th>
            <th scope="col">Cost</th>
            <th scope="col">Engine</th>
            <th scope="col">Version</th>
          </tr>
        </thead>
        <tbody>
          {sortAgents(cluster.agents, nowMs).map((agent) => (
            <AgentRow key={`${agent.node}/${agent.bootId}`} agent={agent} nowMs={nowMs} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The way in is the command line: it may, and it prints the secrets where they belong. */
function AddCluster() {
  return (
    <section class="panel padded" aria-labelledby="add-title">
      <h2 id="add-title">Add a cluster</h2>
      <Command text={cliCommand('cluster add NAME')} />
      <p class="rule">
        It registers the cluster and prints what its agents need, step by step. The cluster is on this page at
        once, and its agents with their first heartbeat.
        {needsToken() && (
          <>
            {' '}
            It asks for an API token with the scope admin, in <code>CINDERBLOCK_TOKEN</code>.
          </>
        )}
      </p>
    </section>
  );
}

function AgentRow({ agent, nowMs }: { agent: Agent; nowMs: number }) {
  const { health, word, reason } = agentHealth(agent, nowMs);
  const part = (value: number) =>
    `${formatCount(value)}${value > 0 ? ` (${formatShare(value, agent.samplesTaken)})` : ''}`;
  return (
    <>
      <tr class={health === 'good' ? undefined : 'has-reason'}>
        <td>
          <span class={`dot dot-${health}`} aria-hidden="true" /> {word}
        </td>
        <th scope="row">{agent.node}</th>
        <td title={momentText(agent.lastSeenMs)}>
          {agent.lastSeenMs > 0 ? `${ageText(nowMs - agent.lastSeenMs)} ago` : 'never'}
        </td>
        <td>{agent.lagMs < 0 ? 'unknown' : ageText(agent.lagMs)}</td>
        <td>{formatCount(agent.samplesTaken)}</td>
        <td>{part(agent.samplesLost)}</td>
        <td>{part(agent.samplesDropped)}</td>
        <td>
          {agent.spooledBatches === 0
            ? 'empty'
            : `${formatCount(agent.spooledBatches)} batch${agent.spooledBatches === 1 ? '' : 'es'}, ${formatBytes(agent.spooledBytes)}`}
        </td>
        <td>
          {digits(agent.cpuPercent)} % CPU, {formatBytes(agent.rssBytes)}
        </td>
        <td>{agent.engine}</td>
        <td>{agent.version}</td>
      </tr>
      {health !== 'good' && (
        <tr class="reason">
          <td />
          <td colSpan={10}>{reason}</td>
        </tr>
      )}
    </>
  );
}

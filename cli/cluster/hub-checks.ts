import type { Check } from '../../agent/doctor/check.ts';
import { skewInWords } from '../../agent/hub-clock.ts';
import { SILENT_HEARTBEATS } from '../../pipeline/spool-words.ts';
import type { AgentInfo, ClusterInfo } from '../admin-client.ts';
import { bytesText, count, counted, durationText, percent, timeText } from '../quantity.ts';

const SKEW_WARNS_MS = 60_000;
/** An agent holds a batch or two while it sends; more of them wait for something. */
const SPOOLED_MAX = 10;
/** Nodes that one line names. */
const NODES_SHOWN = 5;

/** What the hub knows of a cluster, judged. */
export function checksOfHub(info: ClusterInfo): Check[] {
  const { cluster, displayName, createdAtMs, status } = info;
  const registered: Check = {
    ...{ name: 'registered', status: 'ok' },
    detail: `${cluster} (${displayName}) since ${timeText(Number(createdAtMs))}`,
  };
  const standing = checkStatus(cluster, status);
  if (standing.status === 'failed') return [registered, standing];
  const checks = [registered, standing, checkAccess(info), checkHeartbeats(info)];
  const { agents } = info;
  if (agents.length > 0) checks.push(checkClocks(agents), checkErrors(agents), checkSpools(agents));
  return [...checks, checkLoss(info)];
}

function checkStatus(cluster: string, status: string): Check {
  if (status === 'active') return { name: 'status', status: 'ok', detail: status };
  const verb = status === 'removed' ? 'add' : 'enable';
  const remedy = `"cinderblock cluster ${verb} ${cluster}" lets its agents in${verb === 'add' ? ' with fresh access' : ''}`;
  return { name: 'status', status: 'failed', detail: status, remedy };
}

function checkAccess({ cluster, role, accessKeys, nowMs }: ClusterInfo): Check {
  const finish = `once all agents have the new one: cinderblock cluster rotate ${cluster} --finish`;
  if (role) {
    const detail = `${role.roleArn}, ${counted(role.externalIds.length, 'external id')}`;
    if (role.externalIds.length < 2) return { name: 'access', status: 'ok', detail };
    return {
      name: 'access',
      status: 'warning',
      detail: `${detail}, a rotation is under way`,
      remedy: finish,
    };
  }
  const good = accessKeys.filter(
    ({ revokedAtMs }) => revokedAtMs === undefined || Number(revokedAtMs) > Number(nowMs),
  );
  const lasting = good.filter(({ revokedAtMs }) => revokedAtMs === undefined);
  const detail = `${counted(good.length, 'key pair')} in force: ${good.map(({ accessKeyId }) => accessKeyId).join(', ')}`;
  if (good.length === 0 || lasting.length === 0) {
    const remedy = `cinderblock cluster rotate ${cluster} issues another`;
    const problem = good.length === 0 ? 'no key pair is in force' : `${detail}, all of which end soon`;
    return { name: 'access', status: good.length === 0 ? 'failed' : 'warning', detail: problem, remedy };
  }
  if (lasting.length === good.length) return { name: 'access', status: 'ok', detail };
  const last = Math.max(...good.map(({ revokedAtMs }) => Number(revokedAtMs ?? 0)));
  return {
    ...{ name: 'access', status: 'warning', remedy: finish },
    detail: `${detail}; what was replaced stops at ${timeText(last)}`,
  };
}

function checkHeartbeats({ cluster, agents, heartbeatMs }: ClusterInfo): Check {
  const remedy = `where an agent runs: cinderblock-agent doctor, or cinderblock cluster doctor ${cluster} --probe`;
  if (agents.length === 0) {
    return { name: 'heartbeat', status: 'failed', detail: 'no agent was ever heard', remedy };
  }
  const away = agents.filter(({ lagMs }) => Number(lagMs) > SILENT_HEARTBEATS * Number(heartbeatMs));
  const newest = Math.min(...agents.map(({ lagMs }) => Number(lagMs)));
  const detail = `${count(agents.length - away.length)} of ${counted(agents.length, 'agent')} heard lately, the last ${durationText(newest)} ago`;
  if (away.length === 0) return { name: 'heartbeat', status: 'ok', detail };
  const status = away.length === agents.length ? 'failed' : 'warning';
  const gone = status === 'warning' ? `are these nodes gone? if not, ${remedy}` : remedy;
  return { name: 'heartbeat', status, detail: `${detail}; away: ${nodes(away)}`, remedy: gone };
}

function checkClocks(agents: readonly AgentInfo[]): Check {
  const off = agents.filter(({ clockSkewMs }) => Math.abs(Number(clockSkewMs)) > SKEW_WARNS_MS);
  if (off.length === 0) return { name: 'clocks', status: 'ok', detail: 'in step with the hub' };
  const worst = off.reduce((a, b) =>
    Math.abs(Number(b.clockSkewMs)) > Math.abs(Number(a.clockSkewMs)) ? b : a,
  );
  return {
    ...{ name: 'clocks', status: 'warning' },
    detail: `${worst.node} is ${skewInWords(Number(worst.clockSkewMs))}; off are ${nodes(off)}`,
    remedy: 'agents correct for it, but let NTP set these clocks',
  };
}

function checkErrors(agents: readonly AgentInfo[]): Check {
  const failing = agents.filter(({ lastError }) => lastError !== '');
  if (failing.length === 0) return { name: 'errors', status: 'ok', detail: 'no agent reports one' };
  const { node, lastError } = failing[0]!;
  const more = failing.length > 1 ? `; ${counted(failing.length - 1, 'more agent')} report one` : '';
  return { name: 'errors', status: 'warning', detail: `${node}: ${lastError}${more}` };
}

function checkSpools(agents: readonly AgentInfo[]): Check {
  const sum = (field: 'spooledBatches' | 'spooledBytes') =>
    agents.reduce((total, agent) => total + Number(agent[field]), 0);
  const detail = `${counted(sum('spooledBatches'), 'batch', 'batches')} (${bytesText(sum('spooledBytes'))}) wait on nodes`;
  const behind = agents.filter(({ spooledBatches }) => Number(spooledBatches) > SPOOLED_MAX);
  if (behind.length === 0) return { name: 'spools', status: 'ok', detail };
  return {
    ...{ name: 'spools', status: 'warning' },
    detail: `${detail}, most of them on ${nodes(behind)}`,
    remedy: 'they are sent once the hub takes them; the error above says what stands in the way',
  };
}

function checkLoss({ loss }: ClusterInfo): Check {
  const sum = (field: keyof ClusterInfo['loss'][number]) =>
    loss.reduce((total, hour) => total + Number(hour[field]), 0);
  const [taken, lost, dropped] = [sum('taken'), sum('lostByKernel'), sum('droppedByAgent')];
  const missing = sum('missingBatches');
  const unaccounted = sum('unaccounted');
  const detail =
    `last 24 hours: ${counted(taken, 'sample')} taken, ${percent(lost, taken + lost)} lost by the kernel, ` +
    `${percent(dropped, taken)} dropped, ${counted(missing, 'batch', 'batches')} missing, ` +
    `${count(unaccounted)} unaccounted`;
  const isMuch = unaccounted !== 0 || missing > 0 || lost > 0.01 * (taken + lost) || dropped > 0.01 * taken;
  return { name: 'loss', status: isMuch ? 'warning' : 'ok', detail };
}

function nodes(agents: readonly AgentInfo[]): string {
  const shown = agents.slice(0, NODES_SHOWN).map(({ node }) => node);
  const more = agents.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${count(more)} more` : shown.join(', ');
}

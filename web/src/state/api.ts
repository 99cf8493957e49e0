import type { Completeness } from '../../../core/query/completeness.ts';
import { authorization, noteAnswer, renewAfterRefusal } from '../session/session.ts';
import { ApiError } from './api-error.ts';
import { baseUrl } from './navigation.ts';
import type { LabelSeries } from './split.ts';
import type { Span } from './time-range.ts';

export interface Service {
  name: string;
  profileTypes: string[];
  firstSeenMs: number;
  lastSeenMs: number;
  clusters: string[];
}

export interface TimelinePoint {
  timeMs: number;
  value: number;
  samples: number;
  /** Raw windows that it sums, of all series, and the smallest and largest total of one of them. */
  windows: number;
  least: number;
  most: number;
}

export interface Timeline {
  /** What was asked for; steps may begin before it and end after it. */
  span: Span;
  stepMs: number;
  unit: string;
  points: TimelinePoint[];
  completeness: Completeness | undefined;
}

export interface Agent {
  node: string;
  bootId: string;
  version: string;
  engine: string;
  lastSeenMs: number;
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

export interface Cluster {
  id: string;
  displayName: string;
  status: string;
  agents: Agent[];
}

/** Samples: taken = droppedByAgent + spooled + acknowledged + unaccounted. */
export interface AuditHour {
  cluster: string;
  hourMs: number;
  taken: number;
  lostByKernel: number;
  droppedByAgent: number;
  /** On disks of nodes. */
  spooled: number;
  /** In batches that the hub took, and stored where they cannot get lost. */
  acknowledged: number;
  unaccounted: number;
  missingBatches: number;
  duplicateBatches: number;
}

/** A spool as of its last heartbeat. */
export interface NodeSpool {
  node: string;
  lastSeenMs: number;
  samples: number;
}

export interface ClusterSpools {
  cluster: string;
  /** Of agents that are heard of, when the one was heard that was heard longest ago. */
  asOfMs: number | undefined;
  olderSamples: number;
  unknownAgents: number;
  silentAgents: number;
  silent: NodeSpool[];
  gone: NodeSpool[];
}

export interface Audit {
  hours: AuditHour[];
  spools: ClusterSpools[];
}

export async function listServices(span: Span, abort: AbortSignal): Promise<Service[]> {
  const answer = await query('ListServices', times(span), abort);
  return list(answer.services).map((service) => ({
    name: text(service.name),
    profileTypes: texts(service.profileTypes),
    firstSeenMs: number(service.firstSeenMs),
    lastSeenMs: number(service.lastSeenMs),
    clusters: texts(service.clusters),
  }));
}

export interface TimelineQuery extends Span {
  profileType: string;
  selector: string;
  maxPoints: number;
}

export async function selectTimeline(request: TimelineQuery, abort: AbortSignal): Promise<Timeline> {
  const { profileType, selector, maxPoints } = request;
  const answer = await query(
    'SelectTimeline',
    { profileType, selector, maxPoints, ...times(request) },
    abort,
  );
  return {
    span: { start: request.start, end: request.end },
    stepMs: number(answer.stepMs),
    unit: text(answer.unit),
    points: list(answer.points).map((point) => ({
      timeMs: number(point.timeMs),
      value: number(point.value),
      samples: number(point.samples),
      windows: number(point.windows),
      least: number(point.least),
      most: number(point.most),
    })),
    completeness: answer.completeness as Completeness | undefined,
  };
}

export interface SplitQuery extends Span {
  profileType: string;
  selector: string;
  stepMs: number;
  label: string;
  /** Of the values that use most. */
  limit: number;
}

/** The label's values over the buckets of a timeline with the same span and step. */
export async function selectSplit(request: SplitQuery, abort: AbortSignal): Promise<LabelSeries[]> {
  const { profileType, selector, stepMs, label, limit } = request;
  // A series' point at t holds what starts in (t − step, t]; a timeline's bucket at T what starts in [T, T + step). In
  // whole ms, both are the same where t = T + step − 1.
  const pointOf = (time: number) => Math.floor(time / stepMs) * stepMs + stepMs - 1;
  const body = {
    profileTypeID: profileType,
    labelSelector: selector,
    start: String(pointOf(request.start)),
    end: String(pointOf(request.end - 1)),
    step: stepMs / 1000,
    groupBy: [label],
    limit: String(limit),
  };
  const answer = await post('querier.v1.QuerierService/SelectSeries', body, abort);
  return list(answer.series).map(({ labels, points }) => ({
    value: text(list(labels).find(({ name }) => name === label)?.value),
    points: list(points).map(({ timestamp, value }) => ({
      timeMs: number(timestamp) - stepMs + 1,
      value: number(value),
    })),
  }));
}

export async function listClusters(abort: AbortSignal): Promise<{ clusters: Cluster[]; nowMs: number }> {
  const answer = await query('ListClusters', {}, abort);
  const clusters = list(answer.clusters).map((cluster) => ({
    id: text(cluster.id),
    displayName: text(cluster.displayName),
    status: text(cluster.status),
    agents: list(cluster.agents).map(readAgent),
  }));
  return { clusters, nowMs: number(answer.nowMs) };
}

function readAgent(agent: Fields): Agent {
  return {
    node: text(agent.node),
    bootId: text(agent.bootId),
    version: text(agent.version),
    engine: text(agent.engine),
    lastSeenMs: number(agent.lastSeenMs),
    lagMs: number(agent.lagMs),
    clockSkewMs: number(agent.clockSkewMs),
    samplesTaken: number(agent.samplesTaken),
    samplesLost: number(agent.samplesLost),
    samplesDropped: number(agent.samplesDropped),
    samplesKept: number(agent.samplesKept),
    spooledBatches: number(agent.spooledBatches),
    spooledBytes: number(agent.spooledBytes),
    rssBytes: number(agent.rssBytes),
    cpuPercent: number(agent.cpuPercent),
    lastError: text(agent.lastError),
  };
}

export async function auditLoss(span: Span, abort: AbortSignal): Promise<Audit> {
  const answer = await query('AuditLoss', times(span), abort);
  const hours = list(answer.hours).map((hour) => ({
    cluster: text(hour.cluster),
    hourMs: number(hour.hourMs),
    taken: number(hour.taken),
    lostByKernel: number(hour.lostByKernel),
    droppedByAgent: number(hour.droppedByAgent),
    spooled: number(hour.spooled),
    acknowledged: number(hour.acknowledged),
    unaccounted: number(hour.unaccounted),
    missingBatches: number(hour.missingBatches),
    duplicateBatches: number(hour.duplicateBatches),
  }));
  return { hours, spools: list(answer.spools).map(spoolsOf) };
}

function spoolsOf(spools: Record<string, unknown>): ClusterSpools {
  const nodeOf = (spool: Record<string, unknown>): NodeSpool => ({
    node: text(spool.node),
    lastSeenMs: number(spool.lastSeenMs),
    samples: number(spool.samples),
  });
  return {
    cluster: text(spools.cluster),
    asOfMs: spools.asOfMs === undefined ? undefined : number(spools.asOfMs),
    olderSamples: number(spools.olderSamples),
    unknownAgents: number(spools.unknownAgents),
    silentAgents: number(spools.silentAgents),
    silent: list(spools.silent).map(nodeOf),
    gone: list(spools.gone).map(nodeOf),
  };
}

export async function labelNames(span: Span, selector: string, abort: AbortSignal): Promise<string[]> {
  const body = { ...times(span), matchers: [selector] };
  return texts((await post('querier.v1.QuerierService/LabelNames', body, abort)).names);
}

export async function labelValues(
  name: string,
  span: Span,
  selector: string,
  abort: AbortSignal,
): Promise<string[]> {
  const body = { name, ...times(span), matchers: [selector] };
  return texts((await post('querier.v1.QuerierService/LabelValues', body, abort)).names);
}

export interface TreeQuery extends Span {
  profileType: string;
  selector: string;
  /** The later side of a diff; the rest of the query is then the earlier one. */
  compare?: Span & { selector: string };
  maxNodes?: number;
}

export function treeParams(request: TreeQuery): URLSearchParams {
  const params = new URLSearchParams({
    profile_type: request.profileType,
    selector: request.selector,
    start: String(request.start),
    end: String(request.end),
  });
  if (request.maxNodes !== undefined) params.set('max_nodes', String(request.maxNodes));
  if (request.compare) {
    params.set('diff_selector', request.compare.selector);
    params.set('diff_start', String(request.compare.start));
    params.set('diff_end', String(request.compare.end));
  }
  return params;
}

export async function fetchTree(request: TreeQuery, abort: AbortSignal): Promise<Uint8Array> {
  const response = await send(`v1/tree?${treeParams(request)}`, { signal: abort });
  return new Uint8Array(await response.arrayBuffer());
}

export type ExportFormat = 'pprof' | 'folded' | 'speedscope';

export function exportUrl(request: TreeQuery, format: ExportFormat): string {
  return new URL(exportPath(request, format), baseUrl).href;
}

function exportPath(request: TreeQuery, format: ExportFormat): string {
  const params = treeParams({ ...request, compare: undefined });
  params.set('format', format);
  return `v1/export?${params}`;
}

/** The file of an export, for pages whose links could not carry a token. */
export async function fetchExport(request: TreeQuery, format: ExportFormat): Promise<File> {
  const response = await send(exportPath(request, format), {});
  const disposition = response.headers.get('Content-Disposition') ?? '';
  const name = /filename="?([^";]+)"?/.exec(disposition)?.[1] ?? `profile.${format}`;
  return new File([await response.blob()], name);
}

type Fields = Record<string, unknown>;

function query(method: string, body: object, abort: AbortSignal): Promise<Fields> {
  return post(`cinderblock.v1.QueryService/${method}`, body, abort);
}

async function post(path: string, body: object, abort: AbortSignal): Promise<Fields> {
  const headers = { 'Content-Type': 'application/json', 'Connect-Protocol-Version': '1' };
  const response = await send(path, { method: 'POST', headers, body: JSON.stringify(body), signal: abort });
  return (await response.json()) as Fields;
}

/** Sends as whoever is signed in. What is refused for its token is tried once more with a new one. */
async function send(path: string, init: RequestInit): Promise<Response> {
  let response = await sendOnce(path, init);
  const isRefused = response.status === 401 || response.status === 403;
  if (isRefused && (await renewAfterRefusal())) response = await sendOnce(path, init);
  noteAnswer(response.status);
  if (response.ok) return response;
  throw await readError(response);
}

async function sendOnce(path: string, init: RequestInit): Promise<Response> {
  const token = await authorization();
  const headers = token === undefined ? init.headers : { ...init.headers, Authorization: token };
  try {
    return await fetch(new URL(path, baseUrl), { ...init, headers });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError(
      'unavailable',
      'The server does not answer. Is it running, and is this page from it?',
      0,
    );
  }
}

async function readError(response: Response): Promise<ApiError> {
  try {
    const { code, message } = (await response.json()) as Fields;
    const words = text(message) || `The server answers ${response.status}.`;
    return new ApiError(text(code) || 'refused', words, response.status);
  } catch {
    return new ApiError(
      'unknown',
      `The server answers ${response.status} ${response.statusText}`,
      response.status,
    );
  }
}

/** 64-bit fields travel as strings in protobuf's JSON; unset ones are missing. */
function times({ start, end }: Span) {
  return { start: String(Math.floor(start)), end: String(Math.ceil(end)) };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  const result = Number(value ?? 0);
  return Number.isFinite(result) ? result : 0;
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? (value as Fields[]) : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

import { RejectedError } from '../../core/errors.ts';
import { flameLevels, flameLevelsOfDiff } from '../../core/flamegraph/flame-levels.ts';
import { type ProfileType, parseProfileType } from '../../core/labels/profile-type.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { listLabelValues } from '../../pipeline/list-labels.ts';
import { type Selection, type SeriesPoints, selectSeries, selectTree } from '../../pipeline/run-query.ts';
import { HttpError } from '../error-response.ts';
import { parseRequestTime } from '../ingest/request-time.ts';
import type { Call, Route } from '../route.ts';
import { plainSelector } from './plain-selector.ts';
import { maxNodesOf, trimmedDiff, trimmedTo } from './select-flamegraph.ts';

// Pyroscope's older HTTP API, which Profiles Drilldown still reads its flame graphs from.

const TIMELINE_STEP_MIN_MS = 10_000;
const TIMELINE_POINTS_MAX = 1500;
const HOUR_MS = 3_600_000;

export const renderRoutes: Route[] = [
  { method: 'GET', path: '/pyroscope/render', permission: 'query', handle: getRender },
  { method: 'GET', path: '/pyroscope/render-diff', permission: 'query', handle: getRenderDiff },
  { method: 'GET', path: '/pyroscope/label-values', permission: 'query', handle: getLabelValues },
];

async function getRender({ hub, query }: Call): Promise<Response> {
  if (query.get('format') === 'dot')
    throw new HttpError(501, 'unimplemented', 'format dot: not supported yet');
  const selection = selectionOf(query, hub, 'query', 'from', 'until');
  const maxNodes = maxNodesIn(query);
  const groupBy = query.getAll('groupBy').filter((label) => label !== '');
  const stepMs = timelineStep(selection);
  const aggregation = query.get('aggregation') === 'avg' ? 'average' : 'sum';
  const [{ tree }, whole, grouped] = await Promise.all([
    selectTree(hub, selection),
    selectSeries(hub, { ...selection, stepMs, aggregation, groupBy: [] }),
    groupBy.length > 0 ? selectSeries(hub, { ...selection, stepMs, aggregation, groupBy }) : undefined,
  ]);
  const flame = flameLevels(trimmedTo(tree, maxNodes));
  const groups = grouped?.series.map(
    (line) => [groupName(line), timelineOf(line, selection, stepMs)] as const,
  );
  return Response.json({
    version: 1,
    flamebearer: flamebearerOf(flame),
    metadata: metadataOf(selection, 'single'),
    timeline: timelineOf(whole.series[0], selection, stepMs),
    groups: groups ? Object.fromEntries(groups) : null,
    heatmap: null,
  });
}

async function getRenderDiff({ hub, query }: Call): Promise<Response> {
  const left = selectionOf(query, hub, 'leftQuery', 'leftFrom', 'leftUntil');
  const right = selectionOf(query, hub, 'rightQuery', 'rightFrom', 'rightUntil');
  if (left.profileType !== right.profileType) {
    throw new RejectedError('invalid', `cannot compare ${left.profileType} with ${right.profileType}`);
  }
  const trees = await Promise.all([selectTree(hub, left), selectTree(hub, right)]);
  const flame = flameLevelsOfDiff(trimmedDiff(trees[0].tree, trees[1].tree, maxNodesIn(query)));
  return Response.json({
    version: 1,
    flamebearer: flamebearerOf(flame),
    metadata: metadataOf(left, 'double'),
    timeline: null,
    leftTicks: Number(flame.leftTicks),
    rightTicks: Number(flame.rightTicks),
  });
}

async function getLabelValues({ hub, query }: Call): Promise<Response> {
  const name = query.get('label') ?? '';
  if (name === '') throw new RejectedError('invalid', 'the parameter label is missing');
  const now = hub.clock();
  return Response.json(await listLabelValues(hub, { name, matchers: [], start: now - HOUR_MS, end: now }));
}

/** `process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="shop"}`: the type stands where a metric name would. */
function selectionOf(query: URLSearchParams, hub: Hub, name: string, from: string, until: string): Selection {
  const text = (query.get(name) ?? '').trim();
  if (text === '') throw new RejectedError('invalid', `the parameter ${name} is missing`);
  const brace = text.indexOf('{');
  const profileType = brace < 0 ? text : text.slice(0, brace).trim();
  const now = hub.clock();
  const start = parseRequestTime(from, query.get(from) || 'now-1h', now);
  const end = parseRequestTime(until, query.get(until) || 'now', now);
  if (start > end) throw new RejectedError('invalid', `${from} is after ${until}`);
  const selector = plainSelector(hub, profileType, brace < 0 ? '{}' : text.slice(brace));
  return { profileType, selector, start, end };
}

function maxNodesIn(query: URLSearchParams): number {
  const text = query.get('max-nodes') ?? query.get('maxNodes') ?? '';
  return maxNodesOf(text === '' ? undefined : Number(text));
}

/** JSON numbers here, not strings; what passes 2^53 is rounded. */
function flamebearerOf(flame: { names: string[]; levels: bigint[][]; total: bigint; maxSelf: bigint }) {
  return {
    names: flame.names,
    levels: flame.levels.map((values) => values.map(Number)),
    numTicks: Number(flame.total),
    maxSelf: Number(flame.maxSelf),
  };
}

function metadataOf({ profileType }: Selection, format: 'single' | 'double') {
  const type = parseProfileType(profileType);
  return { format, spyName: '', sampleRate: sampleRateOf(type), units: unitsOf(type), name: type.sampleType };
}

function sampleRateOf({ sampleUnit }: ProfileType): number {
  return sampleUnit === 'nanoseconds' ? 1_000_000_000 : 100;
}

function unitsOf({ sampleType, sampleUnit }: ProfileType): string {
  if (sampleUnit === 'bytes') return 'bytes';
  if (sampleType.includes('objects')) return 'objects';
  return 'samples';
}

function timelineStep({ start, end }: Selection): number {
  const step = Math.ceil((end - start) / TIMELINE_POINTS_MAX / 1000) * 1000;
  return Math.max(TIMELINE_STEP_MIN_MS, step);
}

/** Values per step from `start`, zero where there is no data. Times are in seconds. */
function timelineOf(line: SeriesPoints | undefined, { start, end }: Selection, stepMs: number) {
  const samples = new Array<number>(Math.floor((end - start) / stepMs) + 1).fill(0);
  for (const { timeMs, value } of line?.points ?? []) samples[Math.round((timeMs - start) / stepMs)] = value;
  return { startTime: Math.floor(start / 1000), samples, durationDelta: stepMs / 1000, watermarks: null };
}

function groupName({ labels }: SeriesPoints): string {
  return `{${labels.map(([name, value]) => `${name}=${value}`).join(',')}}`;
}

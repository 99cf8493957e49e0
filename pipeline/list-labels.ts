import { clustersOf } from '../core/block/batch-table.ts';
import { type Labels, labelsKey, labelsOf, labelValue, SERVICE_NAME } from '../core/labels/labels.ts';
import type { Matcher } from '../core/labels/matcher.ts';
import { type ProfileType, parseProfileType } from '../core/labels/profile-type.ts';
import { parseSelector } from '../core/labels/selector.ts';
import { bothComplete, type Completeness } from '../core/query/completeness.ts';
import { deletingSpan } from '../core/retention/tombstone.ts';
import type { Hub } from './hub.ts';
import { findRows, openParts, planRead, readParts, type SeriesSelection } from './read-blocks.ts';

/** ms since epoch, half-open. */
export interface TimeRange {
  readonly start: number;
  readonly end: number;
}

export interface ServiceReport {
  name: string;
  profileTypes: string[];
  firstSeenMs: number;
  lastSeenMs: number;
  clusters: string[];
}

/** Profile types that have data in the range. Answered from the catalog alone. */
export async function listProfileTypes(hub: Hub, range: TimeRange): Promise<ProfileType[]> {
  const rows = await findRows(hub, { matchers: [], ...range });
  const ids = new Set(rows.flatMap((row) => row.datasets.flatMap((dataset) => dataset.profileTypes)));
  return [...ids].sort().map(parseProfileType);
}

/** Services that have data in the range. Answered from the catalog alone. */
export async function listServices(hub: Hub, range: TimeRange): Promise<ServiceReport[]> {
  const rows = await findRows(hub, { matchers: [], ...range });
  const services = new Map<string, ServiceReport & { types: Set<string>; from: Set<string> }>();
  for (const row of rows) {
    for (const dataset of row.datasets) {
      if (dataset.minTime >= range.end || dataset.maxTime <= range.start) continue;
      let service = services.get(dataset.service);
      if (service === undefined) {
        service = {
          name: dataset.service,
          profileTypes: [],
          clusters: [],
          firstSeenMs: dataset.minTime,
          lastSeenMs: dataset.maxTime,
          types: new Set(),
          from: new Set(),
        };
        services.set(dataset.service, service);
      }
      service.firstSeenMs = Math.min(service.firstSeenMs, dataset.minTime);
      service.lastSeenMs = Math.max(service.lastSeenMs, dataset.maxTime);
      for (const type of dataset.profileTypes) service.types.add(type);
      for (const cluster of clustersOf(row.batchIds)) service.from.add(cluster);
    }
  }
  return [...services.values()]
    .map(({ types, from, ...service }) => ({
      ...service,
      profileTypes: [...types].sort(),
      clusters: [...from].sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Hears how complete a list is. Not called where the list is answered from the catalog alone. */
export type TellCompleteness = (completeness: Completeness) => void;

export async function listLabelNames(
  hub: Hub,
  request: TimeRange & { matchers: readonly string[] },
  tell?: TellCompleteness,
): Promise<string[]> {
  const names = new Set<string>();
  const found = await selectSeriesLabels(hub, request, { prefers: 'all' }, tell);
  for (const labels of found) for (const [name] of labels) names.add(name);
  return [...names].sort();
}

export async function listLabelValues(
  hub: Hub,
  request: TimeRange & { name: string; matchers: readonly string[] },
  tell?: TellCompleteness,
): Promise<string[]> {
  const { start, end, name } = request;
  if (request.matchers.every((matcher) => matcher === '' || matcher === '{}')) {
    // The two lists that every page opens with need no block.
    if (name === SERVICE_NAME)
      return (await listServices(hub, { start, end })).map((service) => service.name);
    if (name === '__profile_type__')
      return (await listProfileTypes(hub, { start, end })).map((type) => type.id);
  }
  const values = new Set<string>();
  const found = await selectSeriesLabels(hub, request, { groupBy: [name] }, tell);
  for (const labels of found) values.add(labelValue(labels, name));
  values.delete('');
  return [...values].sort();
}

/** Distinct label sets, cut down to `labelNames` (all when empty). */
export async function listSeries(
  hub: Hub,
  request: TimeRange & { matchers: readonly string[]; labelNames: readonly string[] },
  tell?: TellCompleteness,
): Promise<Labels[]> {
  const wanted = new Set(request.labelNames);
  const distinct = new Map<string, Labels>();
  const prefers = wanted.size === 0 ? ('all' as const) : request.labelNames;
  for (const labels of await selectSeriesLabels(hub, request, { prefers }, tell)) {
    const cut = wanted.size === 0 ? labels : labelsOf(labels.filter(([name]) => wanted.has(name)));
    if (cut.length > 0) distinct.set(labelsKey(cut), cut);
  }
  return [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, labels]) => labels);
}

/** Whether there is any data, and from when to when. */
export async function profileStats(
  hub: Hub,
): Promise<{ dataIngested: boolean; oldestProfileTime: number; newestProfileTime: number }> {
  const rows = await hub.catalog.find({ tenant: hub.tenant, from: 0, until: Number.MAX_SAFE_INTEGER });
  const oldest = rows.reduce((time, row) => Math.min(time, row.minTime), Number.POSITIVE_INFINITY);
  const newest = rows.reduce((time, row) => Math.max(time, row.maxTime), 0);
  return {
    dataIngested: rows.length > 0,
    oldestProfileTime: rows.length > 0 ? oldest : 0,
    newestProfileTime: newest,
  };
}

/** Which labels matter besides those of the matchers, where blocks rolled up some. */
type WantedLabels = Pick<SeriesSelection, 'groupBy' | 'prefers'>;

/** Labels of all series that match any of the selectors, with the virtual labels that name their profile type. */
async function selectSeriesLabels(
  hub: Hub,
  request: TimeRange & { matchers: readonly string[] },
  wanted: WantedLabels,
  tell: TellCompleteness = () => undefined,
): Promise<Iterable<Labels>> {
  const selectors = request.matchers.length === 0 ? ['{}'] : request.matchers;
  const found = new Map<string, Labels>();
  const completeness: Completeness[] = [];
  for (const selector of selectors) {
    const { matchers } = parseSelector(selector === '' ? '{}' : selector);
    const series = await seriesOf(hub, request, matchers, wanted);
    for (const labels of series.labelSets) found.set(labelsKey(labels), labels);
    completeness.push(series.completeness);
  }
  tell(completeness.reduce(bothComplete));
  return found.values();
}

async function seriesOf(
  hub: Hub,
  { start, end }: TimeRange,
  matchers: readonly Matcher[],
  wanted: WantedLabels,
): Promise<{ labelSets: Labels[]; completeness: Completeness }> {
  const isVirtual = ({ name }: Matcher) => name.startsWith('__');
  const virtual = matchers.filter(isVirtual);
  const profileType = virtual.find(({ name, op }) => name === '__profile_type__' && op === '=')?.value;
  const plain = matchers.filter((matcher) => !isVirtual(matcher));
  const planned = await planRead(hub, { ...wanted, matchers: plain, start, end, profileType });
  const blocks = await openParts(hub, planned, 'totals');
  const distinct = new Map<string, Labels>();
  await readParts(
    hub,
    blocks,
    (part) => part.reader.totals(part.dataset, part.type),
    (part, { totals, labelSets }) => {
      const seen = new Uint8Array(labelSets.length);
      const { deleted } = part.filter;
      const deletedOf = deleted && labelSets.map(deleted.spansOf);
      for (let row = 0; row < totals.count; row++) {
        const series = totals.series[row]!;
        const spans = deletedOf?.[series] ?? [];
        if (deletingSpan(spans, totals.start[row]!, deleted?.stepMs ?? 0) === undefined) seen[series] = 1;
      }
      labelSets.forEach((labels, series) => {
        if (seen[series] === 0 || !part.filter.matches(labels)) return;
        const full = withVirtualLabels(labels, part.type.profileType);
        distinct.set(labelsKey(full), full);
      });
    },
  );
  const labelSets = [...distinct.values()].filter((labels) => virtualMatch(hub, virtual, labels));
  return { labelSets, completeness: blocks.completeness };
}

function virtualMatch(hub: Hub, matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every(({ name, op, value }) => {
    const actual = labelValue(labels, name);
    if (op === '=') return actual === value;
    if (op === '!=') return actual !== value;
    return hub.compileRegex(value)(actual) === (op === '=~');
  });
}

function withVirtualLabels(labels: Labels, profileType: string): Labels {
  const { name, sampleType, sampleUnit, periodType, periodUnit } = parseProfileType(profileType);
  return labelsOf([
    ...labels,
    ['__profile_type__', profileType],
    ['__name__', name],
    ['__type__', sampleType],
    ['__unit__', sampleUnit],
    ['__period_type__', periodType],
    ['__period_unit__', periodUnit],
    ['__service_name__', labelValue(labels, SERVICE_NAME)],
  ]);
}

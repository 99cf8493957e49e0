import assert from 'node:assert/strict';
import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { labelValue } from '../../core/labels/labels.ts';
import type { Completeness } from '../../core/query/completeness.ts';
import { auditLoss } from '../../pipeline/audit-loss.ts';
import { selectSeries, selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { compareSums } from './check-blocks.ts';
import type { ExpectedLossHour } from './expected-loss.ts';
import type { Fate } from './expected-retention.ts';
import { addTo, DAY_MS, HOUR_MS, keyOf, type Sums } from './expected-sums.ts';
import { CPU, HEAP } from './simulated-fleet.ts';
import type { YearState } from './year-state.ts';

// Conservation, as answers show it. Days are numbers of days since the epoch, ranges half-open.

const JOINED_DAYS = 32;

/** Whether answers of whole days still hold a service of a cluster: in hours, or at last in joined days. */
function fateOfDay({ retention, hub }: YearState, service: string, cluster: string, day: number): Fate {
  const range = { start: day * DAY_MS, end: (day + 1) * DAY_MS };
  const ofHours = retention.fate(service, cluster, 3600, range, hub.now);
  if (ofHours === 'kept') return 'kept';
  const first = Math.floor(day / JOINED_DAYS) * JOINED_DAYS;
  const joined = { start: first * DAY_MS, end: (first + JOINED_DAYS) * DAY_MS };
  const ofDays = retention.fate(service, cluster, 86_400, joined, hub.now);
  return ofHours === 'gone' && ofDays === 'gone' ? 'gone' : 'either';
}

/** Every service, type and cluster, per day: one line of a chart each. */
export async function checkSeries(state: YearState, from: number, until: number): Promise<number> {
  let compared = 0;
  for (const type of [CPU, HEAP]) {
    const { series, completeness } = await selectSeries(state.hub.sound, {
      ...{ profileType: type, selector: '{}', groupBy: ['service_name', 'cluster'], aggregation: 'sum' },
      // A point sums what starts in (t − step, t].
      ...{ start: (from + 1) * DAY_MS - 1, end: until * DAY_MS - 1, stepMs: DAY_MS },
    });
    assertWhole(completeness);
    const found: Sums = new Map();
    for (const { labels, points } of series) {
      const [service, cluster] = [labelValue(labels, 'service_name'), labelValue(labels, 'cluster')];
      for (const { timeMs, value } of points) {
        const day = Math.floor(timeMs / DAY_MS);
        if (value !== 0 && fateOfDay(state, service, cluster, day) !== 'either')
          addTo(found, keyOf(day, service, type, cluster), BigInt(value), 1);
      }
    }
    const wanted: Sums = new Map();
    for (let day = from; day < until; day++)
      for (const [key, { value }] of state.sums.ofDay.get(day) ?? []) {
        const [service, of, cluster] = key.split('|') as [string, string, string];
        // What a chart can show of a sum: its points are doubles.
        if (of === type && fateOfDay(state, service, cluster, day) === 'kept')
          addTo(wanted, keyOf(day, key), BigInt(Number(value)), 1);
      }
    compared += compareSums(found, wanted, `series of ${type} on days ${from} to ${until}`);
  }
  return compared;
}

/** The first whole day from `from` on that answers surely hold of a service, in all clusters. */
export function firstKeptDay(state: YearState, service: string, from: number): number {
  const clusters = state.fleet.clusters;
  let day = from;
  while (
    day * DAY_MS < state.hub.now &&
    clusters.some((cluster) => fateOfDay(state, service, cluster, day) !== 'kept')
  )
    day++;
  return day;
}

/** One service, all clusters, over whole days: the total, and of sampled services each stack. */
export async function checkTree(
  state: YearState,
  service: string,
  from: number,
  until: number,
  isSampled: boolean,
): Promise<number> {
  const first = firstKeptDay(state, service, from);
  if (first >= until) return 0;
  const { sums } = state;
  const selection = { profileType: CPU, selector: `{service_name="${service}"}` };
  const range = { start: first * DAY_MS, end: until * DAY_MS };
  const { tree, total, rounded, completeness } = await selectTree(state.hub.sound, {
    ...selection,
    ...range,
  });
  assertWhole(completeness);
  const what = `flame graph of ${service} on days ${first} to ${until}`;
  const wanted: Sums = new Map();
  for (let day = first; day < until; day++)
    for (const [key, { value, samples }] of sums.ofDay.get(day) ?? [])
      if (key.startsWith(keyOf(service, CPU, ''))) addTo(wanted, 'total', value, samples);
  const { value = 0n, samples = 0 } = wanted.get('total') ?? {};
  assert.deepEqual({ total, samples: completeness.samples }, { total: value, samples }, what);
  if (!isSampled) return 1;
  assert.equal(rounded, false, what);
  const stacks = sums.stacks(service, CPU, first, until);
  const sorted = (paths: ReadonlyMap<string, bigint>) =>
    [...paths].filter(([, value]) => value > 0n).sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(sorted(stacksOf(tree)), sorted(stacks), what);
  return 1 + stacks.size;
}

/** One service by the hour, over whole days. */
export async function checkHours(
  state: YearState,
  service: string,
  from: number,
  until: number,
): Promise<number> {
  const first = firstKeptDay(state, service, from);
  if (first >= until) return 0;
  const request = { profileType: CPU, selector: `{service_name="${service}"}` };
  const range = { start: first * DAY_MS, end: until * DAY_MS, maxPoints: (until - first) * 24 };
  const { points, stepMs, completeness } = await selectTimeline(state.hub.sound, { ...request, ...range });
  assertWhole(completeness);
  assert.equal(stepMs, HOUR_MS);
  const found: Sums = new Map();
  for (const { timeMs, value, samples } of points)
    addTo(found, String(timeMs / HOUR_MS), BigInt(value), samples);
  const wanted: Sums = new Map();
  for (let hour = first * 24; hour < until * 24; hour++) {
    const sum = state.sums.ofHour.get(hour)?.get(keyOf(service, CPU));
    if (sum !== undefined) addTo(wanted, String(hour), sum.value, sum.samples);
  }
  return compareSums(found, wanted, `timeline of ${service} on days ${first} to ${until}`);
}

/** What the audit tells of a day that nothing can come for any more: per cluster and hour, every count. */
export async function checkAudit({ hub, loss }: YearState, day: number): Promise<number> {
  const range = { start: day * DAY_MS, end: (day + 1) * DAY_MS };
  const found = new Map<string, ExpectedLossHour>();
  for (const hour of await auditLoss(hub.sound, range)) {
    const { taken, lostByKernel, droppedByAgent, acknowledged, missingBatches, duplicateBatches } = hour;
    const lost = { taken, lostByKernel, droppedByAgent, stored: acknowledged };
    const counts = { ...lost, missingBatches, duplicateBatches };
    found.set(`${hour.cluster} ${hour.hourMs}`, counts);
  }
  const wanted = loss.hours(range.start, range.end);
  const sorted = (hours: ReadonlyMap<string, object>) =>
    Object.fromEntries([...hours].sort(([a], [b]) => (a < b ? -1 : 1)));
  assert.deepEqual(sorted(found), sorted(wanted), `audit of day ${day}`);
  return wanted.size * 6;
}

export function assertWhole({ missingBlocks, corruptBlocks, continueBefore, notes }: Completeness): void {
  const seen = { missingBlocks, corruptBlocks, continueBefore };
  assert.deepEqual(seen, { missingBlocks: 0, corruptBlocks: 0, continueBefore: undefined }, notes.join('; '));
}

/** Path of names → value, of stacks that have one of their own. */
function stacksOf(tree: CallTree): Map<string, bigint> {
  const paths: string[] = [''];
  const sums = new Map<string, bigint>();
  for (let node = 1; node < tree.nameOf.length; node++) {
    const above = paths[tree.parent[node]!]!;
    paths[node] = (above === '' ? '' : `${above};`) + tree.names[tree.nameOf[node]!];
    if (tree.self[node]! > 0) sums.set(paths[node]!, BigInt(tree.self[node]!) * BigInt(tree.scale));
  }
  return sums;
}

import assert from 'node:assert/strict';
import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { labelValue } from '../../core/labels/labels.ts';
import type { Completeness } from '../../core/query/completeness.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { selectSeries, selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { compareSums } from './check-blocks.ts';
import { addTo, DAY_MS, type ExpectedSums, HOUR_MS, keyOf, type Sums } from './expected-sums.ts';
import { CPU, HEAP } from './simulated-fleet.ts';

// Conservation, as answers show it. Days are numbers of days since the epoch, ranges half-open.

/** Every service, type and cluster, per day: one line of a chart each. */
export async function checkSeries(
  hub: Hub,
  expected: ExpectedSums,
  from: number,
  until: number,
): Promise<number> {
  let compared = 0;
  for (const type of [CPU, HEAP]) {
    const { series, completeness } = await selectSeries(hub, {
      ...{ profileType: type, selector: '{}', groupBy: ['service_name', 'cluster'], aggregation: 'sum' },
      // A point sums what starts in (t − step, t].
      ...{ start: (from + 1) * DAY_MS - 1, end: until * DAY_MS - 1, stepMs: DAY_MS },
    });
    assertWhole(completeness);
    const found: Sums = new Map();
    for (const { labels, points } of series) {
      const key = keyOf(labelValue(labels, 'service_name'), type, labelValue(labels, 'cluster'));
      for (const { timeMs, value } of points)
        addTo(found, keyOf(Math.floor(timeMs / DAY_MS), key), BigInt(value), 0);
    }
    const wanted: Sums = new Map();
    for (let day = from; day < until; day++)
      for (const [key, { value }] of expected.ofDay.get(day) ?? [])
        if (key.includes(type)) addTo(wanted, keyOf(day, key), exactly(value), 0);
    compared += compareSums(found, wanted, `series of ${type} on days ${from} to ${until}`);
  }
  return compared;
}

/** What a chart can show of a sum: its points are doubles. */
function exactly(value: bigint): bigint {
  return BigInt(Number(value));
}

/** One service, all clusters, over whole days: the total, and of sampled services each stack. */
export async function checkTree(
  hub: Hub,
  expected: ExpectedSums,
  service: string,
  from: number,
  until: number,
  isSampled: boolean,
): Promise<number> {
  const selection = { profileType: CPU, selector: `{service_name="${service}"}` };
  const range = { start: from * DAY_MS, end: until * DAY_MS };
  const { tree, total, rounded, completeness } = await selectTree(hub, { ...selection, ...range });
  assertWhole(completeness);
  const what = `flame graph of ${service} on days ${from} to ${until}`;
  const wanted: Sums = new Map();
  for (let day = from; day < until; day++)
    for (const [key, { value, samples }] of expected.ofDay.get(day) ?? [])
      if (key.startsWith(keyOf(service, CPU, ''))) addTo(wanted, 'total', value, samples);
  const { value = 0n, samples = 0 } = wanted.get('total') ?? {};
  assert.deepEqual({ total, samples: completeness.samples }, { total: value, samples }, what);
  if (!isSampled) return 1;
  assert.equal(rounded, false, what);
  const stacks = expected.stacks(service, CPU, from, until);
  const sorted = (sums: ReadonlyMap<string, bigint>) => [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(sorted(stacksOf(tree)), sorted(stacks), what);
  return 1 + stacks.size;
}

/** One service by the hour, over whole days. */
export async function checkHours(
  hub: Hub,
  expected: ExpectedSums,
  service: string,
  from: number,
  until: number,
): Promise<number> {
  const request = { profileType: CPU, selector: `{service_name="${service}"}` };
  const range = { start: from * DAY_MS, end: until * DAY_MS, maxPoints: (until - from) * 24 };
  const { points, stepMs, completeness } = await selectTimeline(hub, { ...request, ...range });
  assertWhole(completeness);
  assert.equal(stepMs, HOUR_MS);
  const found: Sums = new Map();
  for (const { timeMs, value, samples } of points)
    addTo(found, String(timeMs / HOUR_MS), BigInt(value), samples);
  const wanted: Sums = new Map();
  for (let hour = from * 24; hour < until * 24; hour++) {
    const sum = expected.ofHour.get(hour)?.get(keyOf(service, CPU));
    if (sum !== undefined) addTo(wanted, String(hour), sum.value, sum.samples);
  }
  return compareSums(found, wanted, `timeline of ${service} on days ${from} to ${until}`);
}

function assertWhole({ missingBlocks, corruptBlocks, continueBefore, notes }: Completeness): void {
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

import { spreadOf } from '../core/block/window-spread.ts';
import { RejectedError } from '../core/errors.ts';
import type { CallTree } from '../core/flamegraph/call-tree.ts';
import { type Labels, labelsKey, labelsOf, labelValue } from '../core/labels/labels.ts';
import { type ProfileType, parseProfileType } from '../core/labels/profile-type.ts';
import { parseSelector } from '../core/labels/selector.ts';
import { encodePprof } from '../core/pprof/encode-pprof.ts';
import { greatestCommonDivisor } from '../core/profile/entry-accumulator.ts';
import type { Completeness } from '../core/query/completeness.ts';
import { CoveredTime } from '../core/query/covered-time.ts';
import { selectRows } from '../core/query/select-rows.ts';
import { cachedAnswer } from './cached-answer.ts';
import type { Hub } from './hub.ts';
import {
  type BlockParts,
  type DatasetPart,
  openParts,
  type PlannedRead,
  planRead,
  readParts,
  type Steps,
} from './read-blocks.ts';
import { sumProfile, sumTree } from './sum-stacks.ts';

/** What to look at: a profile type id, a label selector `{a="b"}`, and [start, end) in ms since epoch. */
export interface Selection {
  readonly profileType: string;
  readonly selector: string;
  readonly start: number;
  readonly end: number;
}

/** All samples of the selection as one call tree. */
export async function selectTree(
  hub: Hub,
  selection: Selection,
): Promise<{ tree: CallTree; total: bigint; rounded: boolean; completeness: Completeness }> {
  const planned = await planSelection(hub, selection);
  const answer = await cachedAnswer(
    hub,
    `tree ${questionOf(selection)}`,
    planned,
    () => computeTree(hub, planned),
    ({ tree }) => treeBytes(tree),
  );
  return { ...answer, completeness: planned.completeness };
}

async function computeTree(
  hub: Hub,
  planned: PlannedSelection,
): Promise<{ tree: CallTree; total: bigint; rounded: boolean }> {
  const blocks = await openParts(hub, planned, 'samples');
  const scale = commonScaleOf(blocks.parts);
  const { merger, covered, total } = await sumTree(hub, planned, blocks, scale);
  blocks.completeness.coveredMs = covered.ms;
  const tree = merger.build();
  // The tree grows its scale when its root would pass 2^53; the total stays exact.
  return { tree, total, rounded: tree.scale !== scale };
}

/** Of a tree in memory, about: six columns, and names as UTF-16. */
function treeBytes({ nameOf, names }: CallTree): number {
  return nameOf.length * 32 + names.reduce((sum, name) => sum + name.length * 2 + 40, 0);
}

/** All samples of the selection as one pprof profile, not compressed. Real functions, lines and mappings. */
export async function selectPprof(
  hub: Hub,
  selection: Selection,
): Promise<{ bytes: Uint8Array; completeness: Completeness }> {
  const planned = await planSelection(hub, selection);
  const { type } = planned;
  const blocks = await openParts(hub, planned, 'samples');
  const scale = commonScaleOf(blocks.parts);
  const { merger, covered } = await sumProfile(hub, planned, blocks, scale);
  blocks.completeness.coveredMs = covered.ms;
  const bytes = encodePprof({
    symbols: merger.symbols,
    sampleTypes: [{ type: type.sampleType, unit: type.sampleUnit }],
    values: [merger.values],
    scale: [scale],
    periodType: type.periodType === '' ? undefined : { type: type.periodType, unit: type.periodUnit },
    period: type.sampleType === type.periodType ? scale : 0,
    timeNanos: BigInt(selection.start) * 1_000_000n,
    durationNanos: BigInt(Math.max(0, selection.end - selection.start)) * 1_000_000n,
  });
  return { bytes, completeness: blocks.completeness };
}

/** One line of a chart. */
export interface SeriesPoints {
  readonly labels: Labels;
  /** Ascending by time; steps without data are left out. */
  readonly points: { timeMs: number; value: number }[];
}

export interface SeriesRequest extends Selection {
  readonly stepMs: number;
  readonly groupBy: readonly string[];
  readonly aggregation: 'sum' | 'average';
  /** Most lines, those with the largest sums; absent or 0 = all. */
  readonly limit?: number;
}

/**
 * Values over time, per combination of `groupBy` labels. Points lie at start, start + step, … ≤ end; a point at t sums
 * the windows that start in (t − step, t], as Pyroscope's SelectSeries does. Reads totals only, never stacks.
 */
export async function selectSeries(
  hub: Hub,
  request: SeriesRequest,
): Promise<{ series: SeriesPoints[]; completeness: Completeness }> {
  const { stepMs, start } = request;
  if (!(stepMs >= 1)) throw new RejectedError('invalid', 'step must be >= 1ms');
  // Half-open [start − step + 1, last + 1) in whole ms is the same as (start − step, last].
  const range = { ...request, start: start - stepMs + 1, end: lastPointOf(request) + 1 };
  const planned = await planSelection(hub, range, { length: stepMs, offset: start, mayCut: true });
  const { groupBy, aggregation, limit } = request;
  const answer = await cachedAnswer(
    hub,
    `series ${questionOf(request)} ${JSON.stringify([stepMs, groupBy, aggregation, limit])}`,
    planned,
    () => computeSeries(hub, request, planned),
    ({ series }) => series.reduce((sum, line) => sum + 200 + line.points.length * 40, 0),
  );
  return { ...answer, completeness: planned.completeness };
}

/** Points lie at start + n × step up to the end. */
function lastPointOf({ start, end, stepMs }: SeriesRequest): number {
  return start + Math.floor((end - start) / stepMs) * stepMs;
}

async function computeSeries(
  hub: Hub,
  request: SeriesRequest,
  planned: PlannedSelection,
): Promise<{ series: SeriesPoints[] }> {
  const { stepMs, start } = request;
  const lastPoint = lastPointOf(request);
  const blocks = await openParts(hub, planned, 'totals');
  const lines = new Map<string, { labels: Labels; buckets: Map<number, Bucket> }>();
  await eachRow(hub, blocks, (labels, row) => {
    const grouped = labelsOf(request.groupBy.map((name) => [name, labelValue(labels, name)] as const));
    const key = labelsKey(grouped);
    let line = lines.get(key);
    if (line === undefined) lines.set(key, (line = { labels: grouped, buckets: new Map() }));
    // A downsampled window counts where it ends, but not beyond the last point: what it sums starts before that.
    const at = Math.min(row.lastStart, lastPoint);
    addToBucket(line.buckets, start + Math.ceil((at - start) / stepMs) * stepMs, row);
  });
  const series = [...lines.values()].map(({ labels, buckets }) => ({
    labels,
    points: [...buckets]
      .sort(([a], [b]) => a - b)
      .map(([timeMs, { value, windows }]) => ({
        timeMs,
        value: request.aggregation === 'average' ? value / windows : value,
      })),
  }));
  return { series: topSeries(series, request.limit) };
}

/** One bucket of a timeline. */
export interface TimelinePoint {
  readonly timeMs: number;
  readonly value: number;
  readonly samples: number;
  /** How many raw windows it sums, of all series, and the smallest and largest total of one: peaks outlive downsampling. */
  readonly windows: number;
  readonly least: number;
  readonly most: number;
}

/** Values over time for the page: buckets that start at multiples of a round step, at most `maxPoints` of them. */
export async function selectTimeline(
  hub: Hub,
  request: Selection & { maxPoints: number },
): Promise<{
  stepMs: number;
  unit: string;
  points: TimelinePoint[];
  completeness: Completeness;
}> {
  const stepMs = roundStep((request.end - request.start) / Math.max(1, request.maxPoints));
  const planned = await planSelection(hub, request, { length: stepMs, offset: 0, mayCut: false });
  const points = await cachedAnswer(
    hub,
    `timeline ${questionOf(request)} ${stepMs}`,
    planned,
    () => computeTimeline(hub, planned, stepMs),
    (points) => points.length * 120,
  );
  return { stepMs, unit: planned.type.sampleUnit, points, completeness: planned.completeness };
}

async function computeTimeline(
  hub: Hub,
  planned: PlannedSelection,
  stepMs: number,
): Promise<TimelinePoint[]> {
  const blocks = await openParts(hub, planned, 'totals');
  const buckets = new Map<number, Bucket>();
  await eachRow(hub, blocks, (_labels, row) => {
    addToBucket(buckets, Math.floor(row.start / stepMs) * stepMs, row);
  });
  return [...buckets].sort(([a], [b]) => a - b).map(([timeMs, bucket]) => ({ timeMs, ...bucket }));
}

interface Bucket {
  value: number;
  samples: number;
  windows: number;
  least: number;
  most: number;
}

interface TotalRow extends Readonly<Bucket> {
  readonly start: number;
  /** When its last raw window may start, as far as is known. */
  readonly lastStart: number;
}

function addToBucket(buckets: Map<number, Bucket>, time: number, row: TotalRow): void {
  const { value, samples, windows, least, most } = row;
  const bucket = buckets.get(time);
  if (bucket === undefined) buckets.set(time, { value, samples, windows, least, most });
  else {
    bucket.value += value;
    bucket.samples += samples;
    bucket.windows += windows;
    bucket.least = Math.min(bucket.least, least);
    bucket.most = Math.max(bucket.most, most);
  }
}

/** Calls `use` for every selected row, reading totals only. */
async function eachRow(
  hub: Hub,
  blocks: BlockParts,
  use: (labels: Labels, row: TotalRow) => void,
): Promise<void> {
  const covered = new CoveredTime();
  await readParts(
    hub,
    blocks,
    (part) => part.reader.totals(part.dataset, part.type),
    (part, { totals, labelSets }) => {
      const spread = spreadOf(totals);
      const isRaw = totals.spread === undefined;
      for (const row of selectRows(part.type.profileType, totals, labelSets, part.filter)) {
        const scale = totals.scale[row]!;
        const start = totals.start[row]!;
        const samples = totals.samples[row]!;
        blocks.completeness.samples += samples;
        covered.add(start, totals.duration[row]!);
        use(labelSets[totals.series[row]!]!, {
          start,
          lastStart: isRaw ? start : start + totals.duration[row]! - 1,
          value: totals.total[row]! * scale,
          samples,
          windows: spread.windows[row]!,
          least: spread.least[row]! * scale,
          most: spread.most[row]! * scale,
        });
      }
    },
  );
  blocks.completeness.coveredMs = covered.ms;
}

type PlannedSelection = PlannedRead & { readonly type: ProfileType };

async function planSelection(
  hub: Hub,
  selection: Selection & { readonly groupBy?: readonly string[] },
  steps?: Steps,
): Promise<PlannedSelection> {
  const type = parseProfileType(selection.profileType);
  const { matchers } = parseSelector(selection.selector);
  const { start, end, groupBy } = selection;
  const planned = await planRead(hub, { matchers, start, end, profileType: type.id, steps, groupBy });
  return { ...planned, type };
}

function questionOf({ profileType, selector, start, end }: Selection): string {
  return JSON.stringify([profileType, selector, start, end]);
}

/** Every value of the parts is a multiple of this, so sums in units of it are whole, and small. */
function commonScaleOf(parts: readonly DatasetPart[]): number {
  const scale = parts.reduce((gcd, { type }) => greatestCommonDivisor(type.scale, gcd), 0);
  return scale === 0 ? 1 : scale;
}

function topSeries(series: SeriesPoints[], limit: number | undefined): SeriesPoints[] {
  const sum = (line: SeriesPoints) => line.points.reduce((total, point) => total + point.value, 0);
  const byLabels = (a: SeriesPoints, b: SeriesPoints) => (labelsKey(a.labels) < labelsKey(b.labels) ? -1 : 1);
  if (!limit || series.length <= limit) return series.sort(byLabels);
  return series
    .sort((a, b) => sum(b) - sum(a))
    .slice(0, limit)
    .sort(byLabels);
}

/** Whole numbers of the agent's 10 s windows: with other steps, buckets would hold one window and two in turn. */
const STEPS_S = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

/** The smallest step that people find round and that is at least `least` ms. */
export function roundStep(least: number): number {
  const found = STEPS_S.find((seconds) => seconds * 1000 >= least);
  return found === undefined ? Math.ceil(least / 86_400_000) * 86_400_000 : found * 1000;
}

import { clustersOf, familiesOf, familyIdOf, holesOf, isPartial } from '../block/batch-table.ts';
import { sharedBatches } from '../block/duplicate-rows.ts';
import { hasLabels, isAnsweredByFamilies, isJoined, versionsByFamily } from '../block/families.ts';
import { haveCommon } from '../block/shared-runs.ts';
import { cutSteps, touchedSteps } from '../retention/tombstone.ts';
import { type AsideBlock, isAnsweredBy } from './aside-blocks.ts';
import {
  answersWithLabels,
  type LeftOutTime,
  leftOutTime,
  missedVersions,
  versionsWithLabels,
} from './rolled-up-blocks.ts';
import { SummedBatches } from './summed-batches.ts';
import { type TimeSpan, withoutSpans } from './time-span.ts';

// Planning is pure: index rows in, what to read out. It prunes by time, service, cluster and profile type before any
// read, and decides which resolution answers for which stretch of time.
//
// A downsampled block names the raw blocks that it sums, its families. Of each family, the coarsest block is read that
// is allowed and of which no step is cut by an edge of the range; at the edges that is mostly the raw one. A block that
// sums many families speaks for them in its whole steps, and what is left is read family by family. Fresh and late
// blocks have none coarser and are read as they are. So every window counts once, whatever was downsampled so far.
//
// Steps that a deletion takes in part are read finer as well, until the block is rewritten without what was deleted.
//
// Blocks that rolled up a label that the answer depends on cannot give it: finer ones do that have it. What is kept in no
// such block is left out, and the plan says so.

/** What planning needs of a block's index row. Times are ms, half-open. */
export interface IndexRow {
  readonly blockId: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly resolutionSeconds: number;
  readonly batchIds: readonly string[];
  readonly datasets: readonly {
    readonly service: string;
    readonly profileTypes: readonly string[];
    readonly minTime: number;
    readonly maxTime: number;
  }[];
  /** Present while it lies aside: it is not read. */
  readonly aside?: object;
}

/** What is wanted. */
export interface PlanRequest {
  readonly start: number;
  readonly end: number;
  /** Whether any series of the service can match. */
  readonly wantsService: (service: string) => boolean;
  /** Whether any series of the cluster can match; absent = all. */
  readonly wantsCluster?: (cluster: string) => boolean;
  /** Absent = every profile type. */
  readonly profileType?: string;
  /** Whether blocks of this resolution may answer; absent = raw ones only. */
  readonly allows?: (resolutionSeconds: number) => boolean;
  /** Times of deletions that a block may still hold rows of; absent = none. */
  readonly deletedFrom?: (row: IndexRow) => readonly TimeSpan[];
  /** Times of deletions whose rows the block cannot tell, and finer ones can; absent = none. */
  readonly untoldFrom?: (row: IndexRow) => readonly TimeSpan[];
  /** Labels that the answer depends on; absent = none. */
  readonly uses?: readonly string[];
  /** Labels that are wanted where finer blocks have them; what lacks them answers all the same. Absent = none. */
  readonly prefers?: readonly string[] | 'all';
}

/** One block to read, which of its services, and which of its windows. */
export interface PlannedBlock<Row extends IndexRow = IndexRow> {
  readonly row: Row;
  readonly services: ReadonlySet<string>;
  /** Windows that start in one of these are wanted. Disjoint, ascending. */
  readonly spans: readonly TimeSpan[];
  /** Batches whose rows a downsampled block of the plan has summed already. */
  readonly except: ReadonlySet<string>;
}

export interface QueryPlan<Row extends IndexRow = IndexRow> {
  readonly blocks: readonly PlannedBlock<Row>[];
  /** Batches that more than one planned raw block holds: their rows must be counted once. */
  readonly shared: ReadonlySet<string>;
  /** Coarsest resolution that answers, in seconds; 0 = raw. */
  readonly resolutionSeconds: number;
  /** What is left out because it is kept without a label that the answer depends on alone; absent = nothing. */
  readonly leftOut?: LeftOutTime;
}

const NONE: ReadonlySet<string> = new Set();

/** @param all blocks of the range, those that lie aside among them */
export function planQuery<Row extends IndexRow>(
  all: readonly Row[],
  request: PlanRequest,
): QueryPlan<Row> & { readonly aside: readonly AsideBlock<Row>[] } {
  const { start, end, allows = () => false, deletedFrom = () => [], untoldFrom = () => [] } = request;
  // What lost the clusters that are asked for must not stand before coarser ones that have them.
  const rows = all.filter(
    (row) => row.aside === undefined && (!isPartial(row.batchIds) || mayHoldCluster(row, request)),
  );
  const asideRows = all.filter((row) => row.aside !== undefined);
  const versionsOf = versionsByFamily(rows);
  // What is kept in no finer form is read as it is, whatever the step that was asked for.
  const isWanted = (row: Row) =>
    allows(row.resolutionSeconds) || !familiesOf(row.batchIds).some((family) => versionsOf.has(family));
  const cutStepsOf = (row: Row) => cutSteps(deletedFrom(row), row.resolutionSeconds * 1000);
  const sums = rows.filter(isJoined);
  const joined = sums.filter((row) => isWanted(row) && answersWithLabels(row, versionsOf, request));
  joined.sort((a, b) => b.resolutionSeconds - a.resolutionSeconds);
  const chosen: Chosen<Row>[] = [];
  const spoken = new Map<string, TimeSpan[]>();
  for (const row of joined) {
    const families = familiesOf(row.batchIds);
    const left = withoutSpans(
      [{ start, end }],
      [
        ...families.flatMap((family) => spoken.get(family) ?? []),
        ...holesOf(row.batchIds),
        ...(isAnsweredByFamilies(row, versionsOf) ? cutStepsOf(row) : []),
        ...touchedSteps(untoldFrom(row), row.resolutionSeconds * 1000),
      ],
    );
    const spans = left.flatMap((span) =>
      cutsStep(row, row, span) ? wholeSteps(row, span) : widened(row, span),
    );
    for (const family of families) spoken.set(family, [...(spoken.get(family) ?? []), ...spans]);
    chosen.push({ row, spans });
  }
  const summed = new SummedBatches();
  // What cannot be answered, as it would have been read.
  const missed: Chosen<Row>[] = sums
    .filter((row) => !hasLabels(row, request.uses ?? []) && !isAnsweredByFamilies(row, versionsOf))
    .map((row) => ({ row, spans: [{ start, end }] }));
  for (const [family, versions] of versionsOf) {
    const left = withoutSpans([{ start, end }], spoken.get(family) ?? []);
    const isCut = (row: Row) => cutStepsOf(row).length > 0 || untoldFrom(row).length > 0;
    const raw = versions[0]!;
    const having = versionsWithLabels(versions, request);
    const read = having.some((row) => isPartial(row.batchIds))
      ? chooseByService(having, left, allows, isCut)
      : [chooseVersion(having, left, allows, isCut)].filter((one) => one !== undefined);
    chosen.push(...read);
    missed.push(...missedVersions(versions, having, request).map((one) => ({ ...one, spans: left })));
    // A copy of what is read downsampled counts no more, wherever it is.
    if (raw.resolutionSeconds === 0 && (spoken.has(family) || !read.some(({ row }) => row === raw)))
      summed.add(raw);
  }
  // The same where a raw block lies aside, and its sums are read.
  for (const row of asideRows) {
    const finest = versionsOf.get(familyIdOf(row))?.[0];
    const isSummed = finest !== undefined && finest.resolutionSeconds > 0;
    if (row.resolutionSeconds === 0 && (isSummed || spoken.has(familyIdOf(row)))) summed.add(row);
  }
  // Of what a deletion takes in part, only finer blocks have the rest.
  const read = chosen.map((one) => ({ ...one, spans: withoutSpans(one.spans, cutStepsOf(one.row)) }));
  const aside = asideRows.flatMap((row) => {
    const services = mayHoldCluster(row, request) ? askedServices(row, [{ start, end }], request) : NONE;
    return services.size === 0
      ? []
      : [{ row, isAnswered: isAnsweredBy(read, row, services, { start, end }) }];
  });
  const blocks = chosen.flatMap((one) => plannedBlock(one, request, spoken, summed));
  const raw = blocks.filter(({ row }) => row.resolutionSeconds === 0);
  return {
    blocks,
    shared: sharedBatches(
      raw.map(({ row }) => row.batchIds),
      (a, b) => haveCommon(raw[a]!.services, raw[b]!.services),
    ),
    resolutionSeconds: blocks.reduce((most, { row }) => Math.max(most, row.resolutionSeconds), 0),
    aside,
    leftOut: leftOutTime(
      missed.flatMap((one) => plannedBlock(one, request, spoken, summed)),
      request,
    ),
  };
}

interface Chosen<Row extends IndexRow> {
  readonly row: Row;
  readonly spans: readonly TimeSpan[];
  /** The only service that it answers for; absent = all. */
  readonly service?: string;
}

/** The coarsest version that is allowed and whose steps the spans do not cut; without one the finest, in whole steps. */
function chooseVersion<Row extends IndexRow>(
  versions: readonly Row[],
  spans: readonly TimeSpan[],
  allows: (resolutionSeconds: number) => boolean,
  isCut: (row: Row) => boolean,
): Chosen<Row> | undefined {
  if (spans.length === 0 || versions.length === 0) return undefined;
  const finest = versions[0]!;
  // Of blocks that retention took series from, the coarsest has the most: those that are finer cannot stand for it.
  const finestWhole = versions.find((row) => !isPartial(row.batchIds)) ?? versions.at(-1);
  for (const row of [...versions].reverse()) {
    if (row !== finest && !allows(row.resolutionSeconds)) continue;
    if (row !== finestWhole && isCut(row)) continue;
    if (spans.some((span) => cutsStep(row, finest, span))) continue;
    return { row, spans: spans.flatMap((span) => widened(row, span)) };
  }
  return { row: finest, spans: spans.flatMap((span) => wholeSteps(finest, span)) };
}

/** The same for each service of its own, of versions some of which lack series that coarser ones have. */
function chooseByService<Row extends IndexRow>(
  versions: readonly Row[],
  spans: readonly TimeSpan[],
  allows: (resolutionSeconds: number) => boolean,
  isCut: (row: Row) => boolean,
): Chosen<Row>[] {
  const services = new Set(versions.flatMap(({ datasets }) => datasets.map((dataset) => dataset.service)));
  return [...services].flatMap((service) => {
    const having = versions.filter(({ datasets }) => datasets.some((dataset) => dataset.service === service));
    const version = chooseVersion(having, spans, allows, isCut);
    return version === undefined ? [] : [{ ...version, service }];
  });
}

/** Whether an edge of the span lies within a step of the block. `bounds` says where the rows can lie that it sums. */
function cutsStep({ resolutionSeconds }: IndexRow, bounds: IndexRow, { start, end }: TimeSpan): boolean {
  if (resolutionSeconds === 0) return false;
  const stepMs = resolutionSeconds * 1000;
  const cutsStart = start > bounds.minTime && start < bounds.maxTime && start % stepMs !== 0;
  return cutsStart || (end > bounds.minTime && end < bounds.maxTime && end % stepMs !== 0);
}

/** The steps that lie in the span altogether. */
function wholeSteps({ resolutionSeconds }: IndexRow, { start, end }: TimeSpan): TimeSpan[] {
  const stepMs = resolutionSeconds * 1000;
  const whole = { start: Math.ceil(start / stepMs) * stepMs, end: Math.floor(end / stepMs) * stepMs };
  return whole.start < whole.end ? [whole] : [];
}

/** The span with all of the steps that it touches. */
function widened({ resolutionSeconds }: IndexRow, { start, end }: TimeSpan): TimeSpan[] {
  if (resolutionSeconds === 0) return [{ start, end }];
  const stepMs = resolutionSeconds * 1000;
  return [{ start: Math.floor(start / stepMs) * stepMs, end: Math.ceil(end / stepMs) * stepMs }];
}

function plannedBlock<Row extends IndexRow>(
  { row, spans, service }: Chosen<Row>,
  request: PlanRequest,
  spoken: ReadonlyMap<string, unknown>,
  summed: SummedBatches,
): PlannedBlock<Row>[] {
  if (!mayHoldCluster(row, request)) return [];
  const services = askedServices(row, spans, request, service);
  if (services.size === 0) return [];
  // What a downsampled block sums of this very block is out of its spans already.
  const isSummed = row.resolutionSeconds > 0 || spoken.has(familyIdOf(row));
  return [{ row, services, spans, except: isSummed ? NONE : summed.sharedWith(row, services) }];
}

/** Services of a block that are asked for, of the given one alone if there is one. */
function askedServices(
  row: IndexRow,
  spans: readonly TimeSpan[],
  { wantsService, profileType }: PlanRequest,
  only?: string,
): Set<string> {
  const services = new Set<string>();
  for (const dataset of row.datasets) {
    if (!spans.some(({ start, end }) => dataset.minTime < end && dataset.maxTime > start)) continue;
    if (profileType !== undefined && !dataset.profileTypes.includes(profileType)) continue;
    if (only !== undefined && dataset.service !== only) continue;
    if (wantsService(dataset.service)) services.add(dataset.service);
  }
  return services;
}

/** A block that does not name its clusters may hold any. */
function mayHoldCluster({ batchIds }: IndexRow, { wantsCluster }: PlanRequest): boolean {
  if (wantsCluster === undefined) return true;
  const clusters = clustersOf(batchIds);
  return clusters.length === 0 || clusters.some(wantsCluster);
}

import { clustersOf, familiesOf, isBatchId } from '../block/batch-table.ts';
import { sharedBatches } from '../block/duplicate-rows.ts';
import { type TimeSpan, withoutSpans } from './time-span.ts';

// Planning is pure: index rows in, what to read out. It prunes by time, service, cluster and profile type before any
// read, and decides which resolution answers for which stretch of time.
//
// A downsampled block names the raw blocks that it sums, its families. Of each family, the coarsest block is read that
// is allowed and of which no step is cut by an edge of the range; at the edges that is mostly the raw one. A block that
// sums many families speaks for them in its whole steps, and what is left is read family by family. Fresh and late
// blocks have none coarser and are read as they are. So every window counts once, whatever was downsampled so far.

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
}

const NONE: ReadonlySet<string> = new Set();

export function planQuery<Row extends IndexRow>(rows: readonly Row[], request: PlanRequest): QueryPlan<Row> {
  const { start, end, allows = () => false } = request;
  const versionsOf = versionsByFamily(rows);
  // What is kept in no finer form is read as it is, whatever the step that was asked for.
  const isWanted = (row: Row) =>
    allows(row.resolutionSeconds) || !familiesOf(row.batchIds).some((family) => versionsOf.has(family));
  const joined = rows.filter((row) => isJoined(row) && isWanted(row));
  joined.sort((a, b) => b.resolutionSeconds - a.resolutionSeconds);
  const chosen: Chosen<Row>[] = [];
  const spoken = new Map<string, TimeSpan[]>();
  for (const row of joined) {
    const families = familiesOf(row.batchIds);
    const left = withoutSpans(
      [{ start, end }],
      families.flatMap((family) => spoken.get(family) ?? []),
    );
    const spans = left.flatMap((span) =>
      cutsStep(row, row, span) ? wholeSteps(row, span) : widened(row, span),
    );
    for (const family of families) spoken.set(family, [...(spoken.get(family) ?? []), ...spans]);
    chosen.push({ row, spans });
  }
  const summed = new SummedBatches();
  for (const [family, versions] of versionsOf) {
    const left = withoutSpans([{ start, end }], spoken.get(family) ?? []);
    const version = chooseVersion(versions, left, allows);
    if (version !== undefined) chosen.push(version);
    const raw = versions[0]!;
    // A copy of what is read downsampled counts no more, wherever it is.
    if (raw.resolutionSeconds === 0 && (spoken.has(family) || version?.row !== raw)) summed.add(raw);
  }
  const blocks = chosen.flatMap((one) => plannedBlock(one, request, spoken, summed));
  const raw = blocks.filter(({ row }) => row.resolutionSeconds === 0);
  return {
    blocks,
    shared: sharedBatches(raw.map(({ row }) => row.batchIds)),
    resolutionSeconds: blocks.reduce((most, { row }) => Math.max(most, row.resolutionSeconds), 0),
  };
}

interface Chosen<Row extends IndexRow> {
  readonly row: Row;
  readonly spans: readonly TimeSpan[];
}

function isJoined(row: IndexRow): boolean {
  return row.resolutionSeconds > 0 && familiesOf(row.batchIds).length > 1;
}

/** The raw block of each family, as far as it is there, and its downsampled ones; the finest first. */
function versionsByFamily<Row extends IndexRow>(rows: readonly Row[]): Map<string, Row[]> {
  const families = new Map<string, Row[]>();
  for (const row of [...rows].sort((a, b) => a.resolutionSeconds - b.resolutionSeconds)) {
    if (isJoined(row)) continue;
    const family = row.resolutionSeconds === 0 ? row.blockId : (familiesOf(row.batchIds)[0] ?? row.blockId);
    const versions = families.get(family);
    if (versions === undefined) families.set(family, [row]);
    else versions.push(row);
  }
  return families;
}

/** The coarsest version that is allowed and whose steps the spans do not cut; without one the finest, in whole steps. */
function chooseVersion<Row extends IndexRow>(
  versions: readonly Row[],
  spans: readonly TimeSpan[],
  allows: (resolutionSeconds: number) => boolean,
): Chosen<Row> | undefined {
  if (spans.length === 0) return undefined;
  const finest = versions[0]!;
  for (const row of [...versions].reverse()) {
    if (row !== finest && !allows(row.resolutionSeconds)) continue;
    if (spans.some((span) => cutsStep(row, finest, span))) continue;
    return { row, spans: spans.flatMap((span) => widened(row, span)) };
  }
  return { row: finest, spans: spans.flatMap((span) => wholeSteps(finest, span)) };
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
  { row, spans }: Chosen<Row>,
  { wantsService, wantsCluster, profileType }: PlanRequest,
  spoken: ReadonlyMap<string, unknown>,
  summed: SummedBatches,
): PlannedBlock<Row>[] {
  if (wantsCluster !== undefined) {
    const clusters = clustersOf(row.batchIds);
    if (clusters.length > 0 && !clusters.some(wantsCluster)) return [];
  }
  const services = new Set<string>();
  for (const dataset of row.datasets) {
    if (!spans.some(({ start, end }) => dataset.minTime < end && dataset.maxTime > start)) continue;
    if (profileType !== undefined && !dataset.profileTypes.includes(profileType)) continue;
    if (wantsService(dataset.service)) services.add(dataset.service);
  }
  if (services.size === 0) return [];
  // What a downsampled block sums of this very block is out of its spans already.
  const isSummed = row.resolutionSeconds > 0 || spoken.has(row.blockId);
  return [{ row, services, spans, except: isSummed ? NONE : summed.sharedWith(row) }];
}

/** Raw blocks that are read downsampled, and the batches that they hold. */
class SummedBatches {
  readonly #rows: IndexRow[] = [];
  readonly #batches = new Map<string, ReadonlySet<string>>();

  add(row: IndexRow): void {
    this.#rows.push(row);
  }

  /** A batch has one time, so only blocks of the same time are looked at: with fleets, tables are long. */
  sharedWith({ blockId, minTime, maxTime, batchIds }: IndexRow): ReadonlySet<string> {
    const beside = this.#rows.filter(
      (row) => row.blockId !== blockId && row.minTime < maxTime && row.maxTime > minTime,
    );
    if (beside.length === 0) return NONE;
    const tables = beside.map((row) => this.#tableOf(row));
    return new Set(batchIds.filter((id) => tables.some((table) => table.has(id))));
  }

  #tableOf({ blockId, batchIds }: IndexRow): ReadonlySet<string> {
    let table = this.#batches.get(blockId);
    if (table === undefined) this.#batches.set(blockId, (table = new Set(batchIds.filter(isBatchId))));
    return table;
  }
}

import { keptDeletionsOf } from '../core/block/batch-table.ts';
import type { BlockReader } from '../core/block/block-reader.ts';
import type { DatasetEntry, TypeEntry } from '../core/block/directory.ts';
import { DuplicateRows } from '../core/block/duplicate-rows.ts';
import { rolledUpIn, versionsByFamily } from '../core/block/families.ts';
import { CorruptBlockError, RejectedError } from '../core/errors.ts';
import { CLUSTER, type Labels, SERVICE_NAME } from '../core/labels/labels.ts';
import { compileMatchers, type Matcher } from '../core/labels/matcher.ts';
import { startWithin } from '../core/query/byte-budget.ts';
import {
  type Completeness,
  keptDeletionsNote,
  leftOutNote,
  newCompleteness,
} from '../core/query/completeness.ts';
import { type PlannedBlock, planQuery, type QueryPlan } from '../core/query/query-plan.ts';
import type { RowFilter } from '../core/query/select-rows.ts';
import { type TimeSpan, withoutSpans } from '../core/query/time-span.ts';
import { untoldDeletions } from '../core/retention/deletion-reach.ts';
import type { Tombstones } from '../core/retention/tombstone.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';
import { noteAside } from './note-aside.ts';
import { noteLoss } from './note-loss.ts';
import { openBlockOf } from './open-block.ts';
import { loadTombstones, SETTLE_MS } from './tombstone-store.ts';

/** Series by matchers. */
export interface SeriesFilter {
  readonly matchers: readonly Matcher[];
  /** Absent = every profile type. */
  readonly profileType?: string;
}

/** Series by matchers, and a time range [start, end) in ms. */
export interface SeriesSelection extends SeriesFilter {
  readonly start: number;
  readonly end: number;
  /** Steps that windows are sorted into. Absent = none. */
  readonly steps?: Steps;
  /** Labels that the answer depends on besides those of the matchers. Absent = none. */
  readonly groupBy?: readonly string[];
  /** Labels that are wanted where they are kept; what is kept without them answers all the same. Absent = none. */
  readonly prefers?: readonly string[] | 'all';
}

/** Steps at offset + n × length, ms. */
export interface Steps {
  readonly length: number;
  readonly offset: number;
  /** Whether a downsampled window may be cut by the edge of a step, and then counts for one of both. */
  readonly mayCut: boolean;
}

/** One profile type of one dataset of one block, ready to be read. */
export interface DatasetPart {
  readonly planned: PlannedBlock<BlockRow>;
  readonly reader: BlockReader;
  readonly dataset: DatasetEntry;
  readonly type: TypeEntry;
  readonly filter: RowFilter;
}

/** The blocks that an answer is made of, and what is known about its completeness so far. Nothing was read yet. */
export interface PlannedRead {
  readonly selection: SeriesSelection;
  readonly plan: QueryPlan<BlockRow>;
  readonly completeness: Completeness;
  /** Deletions that blocks of the plan may still hold rows of. */
  readonly tombstones: Tombstones;
}

/** What of a hub reads blocks that are known: no catalog. */
export type BlockHub = Pick<Hub, 'objects' | 'codec' | 'compileRegex' | 'settings' | 'telemetry'>;

/** The parts that an answer is made of, opened. */
export interface BlockParts {
  readonly parts: readonly DatasetPart[];
  readonly completeness: Completeness;
}

/** Plans a query from the catalog alone. */
export async function planRead(hub: Hub, selection: SeriesSelection): Promise<PlannedRead> {
  const completeness = newCompleteness();
  const isEmpty = selection.start >= selection.end;
  const [rows, tombstones] = await Promise.all([
    isEmpty ? [] : findRows(hub, selection, true),
    loadTombstones(hub),
  ]);
  const first = planOf(hub, selection, rows, tombstones);
  const leftOut = first.leftOut && (await leftOutOf(hub, selection, rows, tombstones));
  const plan = { ...first, leftOut };
  completeness.resolutionSeconds = plan.resolutionSeconds;
  noteAside(plan.aside, completeness);
  noteRollUp(plan, tombstones, completeness);
  const wantsCluster = clusterPredicate(hub, selection.matchers);
  if (!isEmpty) await noteLoss(hub, selection, wantsCluster, completeness);
  return { selection, plan, completeness, tombstones };
}

function planOf(
  hub: Hub,
  selection: SeriesSelection,
  rows: readonly BlockRow[],
  tombstones: Tombstones,
): ReturnType<typeof planQuery<BlockRow>> {
  const { matchers, groupBy = [] } = selection;
  const families = versionsByFamily(rows.filter((row) => row.aside === undefined));
  const deletionsOf = (row: BlockRow) => ({
    told: tombstones.concerning(row, SETTLE_MS).all,
    untold: untoldDeletions(row, tombstones, families, SETTLE_MS).withinReach,
  });
  const deletions = new Map(rows.map((row) => [row.blockId, deletionsOf(row)]));
  return planQuery(rows, {
    ...selection,
    wantsService: servicePredicate(hub, matchers),
    wantsCluster: clusterPredicate(hub, matchers),
    allows: allowedBy(selection),
    deletedFrom: ({ blockId }) => deletions.get(blockId)?.told ?? [],
    untoldFrom: ({ blockId }) => deletions.get(blockId)?.untold ?? [],
    uses: [...matchers.map(({ name }) => name), ...groupBy],
  });
}

/** Finer blocks of the same families may lie beside the range, and have nothing in it: then nothing is left out. */
async function leftOutOf(
  hub: Hub,
  selection: SeriesSelection,
  rows: readonly BlockRow[],
  tombstones: Tombstones,
): Promise<QueryPlan['leftOut']> {
  const wider = await findRows(hub, { ...selection, ...wholeTimeOf(rows, selection) }, true);
  return planOf(hub, selection, wider, tombstones).leftOut;
}

/** The range with all of the time of the blocks in it that rolled up labels. */
function wholeTimeOf(rows: readonly BlockRow[], range: TimeSpan): TimeSpan {
  return rows
    .filter((row) => rolledUpIn(row).length > 0)
    .reduce(
      ({ start, end }, row) => ({ start: Math.min(start, row.minTime), end: Math.max(end, row.maxTime) }),
      { start: range.start, end: range.end },
    );
}

function noteRollUp(plan: QueryPlan<BlockRow>, tombstones: Tombstones, completeness: Completeness): void {
  if (plan.leftOut !== undefined) {
    completeness.complete = false;
    completeness.notes.push(leftOutNote(plan.leftOut));
  }
  const kept = new Set<string>();
  for (const { row } of plan.blocks) {
    for (const id of keptDeletionsOf(row.batchIds)) kept.add(id);
    for (const { id } of tombstones.untoldIn(row, SETTLE_MS).all) kept.add(id);
  }
  if (kept.size > 0) completeness.notes.push(keptDeletionsNote(kept.size));
}

/**
 * Opens the blocks of a plan. Damaged and missing blocks are left out and counted, so that one bad block never costs the
 * whole answer.
 * @param sections what will be read of each part, so that an answer stays within `queryBytesMax`
 */
export async function openParts(
  hub: BlockHub,
  {
    selection,
    plan,
    completeness,
    tombstones,
  }: Omit<PlannedRead, 'selection'> & { readonly selection: SeriesFilter },
  sections: 'totals' | 'samples',
): Promise<BlockParts> {
  const matches = compileMatchers(selection.matchers, hub.compileRegex);
  const duplicates = new DuplicateRows(plan.shared);
  const opened = await mapConcurrently(plan.blocks, hub.settings.queryConcurrency, (block) =>
    guarded(hub, completeness, block.row, () => openBlock(hub, block, duplicates)),
  );
  const parts: DatasetPart[] = [];
  for (const block of opened) {
    if (block === undefined) continue;
    completeness.blocksRead++;
    for (const [dataset, type] of typesOf(block.planned, block.reader, selection.profileType)) {
      const deleted = deletedIn(block.planned.row, tombstones);
      const filter = { spans: block.planned.spans, matches, duplicates: block.duplicates, deleted };
      parts.push({ planned: block.planned, reader: block.reader, dataset, type, filter });
    }
  }
  return { parts: withinBudget(hub, parts, sections, completeness), completeness };
}

/** Once a block was written without what was deleted, nothing is left out of it. */
function deletedIn(row: BlockRow, tombstones: Tombstones): RowFilter['deleted'] {
  const concerning = tombstones.concerning(row, SETTLE_MS);
  if (concerning.isEmpty) return undefined;
  return { spansOf: (labels) => concerning.spansOf(labels), stepMs: row.resolutionSeconds * 1000 };
}

/** Leaves out the oldest parts when all together are too large to read at once, and says so. */
function withinBudget(
  hub: BlockHub,
  parts: readonly DatasetPart[],
  sections: 'totals' | 'samples',
  completeness: Completeness,
): readonly DatasetPart[] {
  const priced = parts.map(({ reader, dataset, type }) => ({
    minTime: dataset.minTime,
    maxTime: dataset.maxTime,
    resolutionSeconds: reader.directory.resolutionSeconds,
    bytes: storedBytes(dataset, type, sections),
  }));
  const start = startWithin(priced, hub.settings.queryBytesMax);
  if (start === undefined) return parts;
  const bytes = priced.reduce((sum, part) => sum + part.bytes, 0);
  completeness.complete = false;
  completeness.continueBefore = start;
  completeness.notes.push(
    `this would read ${bytes} bytes, the limit queryBytesMax is ${hub.settings.queryBytesMax}: the answer begins at ${new Date(start).toISOString()}; ask again with this as the end for what is older`,
  );
  hub.telemetry.count('query_cut_answers_total', 1);
  const older = [{ start: Number.NEGATIVE_INFINITY, end: start }];
  return parts.flatMap((part) => {
    const spans = withoutSpans(part.filter.spans, older);
    return part.dataset.maxTime <= start || spans.length === 0
      ? []
      : [{ ...part, filter: { ...part.filter, spans } }];
  });
}

/** What reading a part takes. */
export function storedBytes(dataset: DatasetEntry, type: TypeEntry, sections: 'totals' | 'samples'): number {
  const totals = type.totalsSection.storedLength + dataset.seriesSection.storedLength;
  if (sections === 'totals') return totals;
  return totals + dataset.symbolsSection.storedLength + type.samplesSection.storedLength;
}

/**
 * Reads every part with bounded concurrency and hands it to `use`, in no fixed order (whatever is built from them must
 * not depend on it). What fails as damaged is left out and counted.
 */
export async function readParts<T>(
  hub: BlockHub,
  { parts, completeness }: BlockParts,
  read: (part: DatasetPart) => Promise<T>,
  use: (part: DatasetPart, content: T) => void,
): Promise<void> {
  await mapConcurrently(parts, hub.settings.queryConcurrency, (part) =>
    guarded(hub, completeness, part.reader.directory, async () => use(part, await read(part))),
  );
  const readers = new Set(parts.map((part) => part.reader));
  for (const reader of readers) completeness.bytesRead += reader.io.bytes;
  completeness.complete &&= completeness.missingBlocks === 0 && completeness.corruptBlocks === 0;
}

/** Index rows of the time range; the service goes into the search when the matchers name exactly one. */
export function findRows(
  hub: Hub,
  { matchers, start, end }: SeriesSelection,
  withAside = false,
): Promise<BlockRow[]> {
  const service = matchers.find(
    ({ name, op, value }) => name === SERVICE_NAME && op === '=' && value !== '',
  )?.value;
  return hub.catalog.find({ tenant: hub.tenant, from: start, until: end, service, withAside });
}

/**
 * A step of whole windows keeps every sum where it was; without steps any resolution does. Where windows may be cut, five
 * to a step are enough (as in Thanos, whose queries allow a resolution of step / 5).
 */
function allowedBy({ steps }: SeriesSelection): (resolutionSeconds: number) => boolean {
  if (steps === undefined) return () => true;
  const { length, offset, mayCut } = steps;
  return (resolutionSeconds) => {
    const windowMs = resolutionSeconds * 1000;
    return (length % windowMs === 0 && offset % windowMs === 0) || (mayCut && windowMs * 5 <= length);
  };
}

function clusterPredicate(
  hub: Hub,
  matchers: readonly Matcher[],
): ((cluster: string) => boolean) | undefined {
  const ofCluster = matchers.filter((matcher) => matcher.name === CLUSTER);
  if (ofCluster.length === 0) return undefined;
  const matches = compileMatchers(ofCluster, hub.compileRegex);
  return (cluster) => matches([[CLUSTER, cluster]]);
}

function servicePredicate(hub: Hub, matchers: readonly Matcher[]): (service: string) => boolean {
  const ofService = matchers.filter((matcher) => matcher.name === SERVICE_NAME);
  const matches = compileMatchers(ofService, hub.compileRegex);
  return (service) => matches([[SERVICE_NAME, service]] as Labels);
}

interface OpenedBlock {
  readonly planned: PlannedBlock<BlockRow>;
  readonly reader: BlockReader;
  readonly duplicates: RowFilter['duplicates'];
}

async function openBlock(
  hub: BlockHub,
  planned: PlannedBlock<BlockRow>,
  rows: DuplicateRows,
): Promise<OpenedBlock> {
  const { row } = planned;
  const reader = await openBlockOf(hub, row);
  if (row.resolutionSeconds > 0 || (planned.except.size === 0 && !rows.concerns(row.batchIds)))
    return { planned, reader, duplicates: undefined };
  return { planned, reader, duplicates: { rows, batchIds: await reader.batchIds(), except: planned.except } };
}

function* typesOf(
  planned: PlannedBlock,
  reader: BlockReader,
  profileType: string | undefined,
): Generator<[DatasetEntry, TypeEntry]> {
  for (const dataset of reader.directory.datasets) {
    if (!planned.services.has(dataset.service)) continue;
    for (const type of dataset.types) {
      if (profileType === undefined || type.profileType === profileType) yield [dataset, type];
    }
  }
}

/** Runs one step on one block; damage and absence are counted instead of thrown. */
async function guarded<T>(
  hub: BlockHub,
  completeness: Completeness,
  { blockId }: { blockId: string },
  step: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof CorruptBlockError) completeness.corruptBlocks++;
    else if (error instanceof RejectedError && error.reason === 'not-found') completeness.missingBlocks++;
    else throw error;
    completeness.complete = false;
    completeness.notes.push((error as Error).message);
    hub.telemetry.count('query_damaged_blocks_total', 1);
    hub.telemetry.log('error', `query leaves out block ${blockId}: ${(error as Error).message}`);
    return undefined;
  }
}

/** `map` with at most `limit` calls under way; results in the order of the items. */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await map(items[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}

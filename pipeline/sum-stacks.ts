import { DuplicateRows } from '../core/block/duplicate-rows.ts';
import { decodeSymbols, encodeSymbols } from '../core/block/symbols-section.ts';
import { MalformedInputError, RejectedError } from '../core/errors.ts';
import { type ProfileType, parseProfileType } from '../core/labels/profile-type.ts';
import { type Completeness, newCompleteness } from '../core/query/completeness.ts';
import { CoveredTime } from '../core/query/covered-time.ts';
import { ProfileMerger } from '../core/query/profile-merger.ts';
import { selectRows, sumRows } from '../core/query/select-rows.ts';
import { shareBlocks } from '../core/query/share-blocks.ts';
import type { StackMerger, StackSums } from '../core/query/stack-merger.ts';
import { TreeMerger } from '../core/query/tree-merger.ts';
import { Tombstones } from '../core/retention/tombstone.ts';
import type { Hub } from './hub.ts';
import type { QueryShare, QueryWorkers, ReadingReport, ShareDetail, ShareSum } from './query-workers.ts';
import {
  type BlockHub,
  type BlockParts,
  type DatasetPart,
  openParts,
  type PlannedRead,
  readParts,
  storedBytes,
} from './read-blocks.ts';
import { slimRow } from './slim-row.ts';
import { SETTLE_MS } from './tombstone-store.ts';

/** Samples of a selection, merged. */
export interface StackTotals<Merger extends StackMerger = StackMerger> {
  readonly merger: Merger;
  readonly covered: CoveredTime;
  /** Exact, in the type's unit. */
  total: bigint;
}

type TypedRead = PlannedRead & { readonly type: ProfileType };

/**
 * Reads and merges the parts of a flame graph; where they take `queryFanOutBytes` or more to read, workers take a share
 * each. The answer is the same.
 * @param scale divides every value of the parts
 */
export function sumTree(
  hub: Hub,
  planned: TypedRead,
  parts: BlockParts,
  scale: number,
): Promise<StackTotals<TreeMerger>> {
  return sumShared(hub, planned, parts, new TreeMerger(scale, planned.type.sampleUnit), 'names', scale);
}

/** The same with all that is known of functions, lines and binaries. */
export function sumProfile(
  hub: Hub,
  planned: TypedRead,
  parts: BlockParts,
  scale: number,
): Promise<StackTotals<ProfileMerger>> {
  return sumShared(hub, planned, parts, new ProfileMerger(scale), 'symbols', scale);
}

async function sumShared<Merger extends StackMerger>(
  hub: Hub,
  planned: TypedRead,
  { parts, completeness }: BlockParts,
  merger: Merger,
  detail: ShareDetail,
  scale: number,
): Promise<StackTotals<Merger>> {
  const { type } = planned;
  const workers = hub.queryWorkers;
  const [own = [], ...others] = workers === undefined ? [parts] : sharesOf(hub, workers, planned.plan, parts);
  const answers = others.map((share) => askWorker(hub, workers!, shareOf(planned, share, detail, scale)));
  const whole = { merger, covered: new CoveredTime(), total: 0n };
  await addParts(hub, whole, { parts: own, completeness }, type);
  for (const [i, share] of others.entries()) {
    const answer = await answers[i];
    if (answer !== undefined) addAnswer(whole, answer, completeness);
    else await addParts(hub, whole, { parts: share, completeness }, type);
  }
  return whole;
}

/** What a worker does with its share. @throws RejectedError('invalid') when the share is none */
export async function sumShare(hub: BlockHub, share: QueryShare): Promise<ShareSum> {
  const { blocks, shared, matchers, scale } = share;
  const type = parseProfileType(share.profileType);
  const planned = {
    selection: { matchers, profileType: type.id },
    plan: { blocks, shared, resolutionSeconds: 0 },
    completeness: newCompleteness(),
    tombstones: Tombstones.of(share.tombstones, hub.compileRegex),
  };
  // Who dealt the shares has cut what would be too much.
  const settings = { ...hub.settings, queryBytesMax: Number.POSITIVE_INFINITY };
  const opened = await openParts({ ...hub, settings }, planned, 'samples');
  const merger = share.detail === 'names' ? new TreeMerger(scale, type.sampleUnit) : new ProfileMerger(scale);
  const whole: StackTotals = { merger, covered: new CoveredTime(), total: 0n };
  await addParts(hub, whole, opened, type);
  const { symbols, values } = merger.sums();
  const { total, covered } = whole;
  const { complete, bytesRead, missingBlocks, corruptBlocks, samples, notes } = opened.completeness;
  const reading = { complete, bytesRead, missingBlocks, corruptBlocks, samples, notes };
  return { symbols: encodeSymbols(symbols), values, total, covered: covered.runs, reading };
}

async function addParts(
  hub: BlockHub,
  sum: StackTotals,
  blocks: BlockParts,
  type: ProfileType,
): Promise<void> {
  const read = (part: DatasetPart) => part.reader.samples(part.dataset, part.type);
  await readParts(hub, blocks, read, (part, { symbols, totals, samples, labelSets }) => {
    const rows = selectRows(type.id, totals, labelSets, part.filter);
    const ofRows = sumRows(totals, rows);
    sum.total += ofRows.total;
    blocks.completeness.samples += ofRows.samples;
    sum.covered.addRows(totals, rows);
    sum.merger.add(symbols, totals, samples, rows);
  });
}

/** The sum of a share, checked. */
interface WorkerAnswer extends Pick<ShareSum, 'total' | 'covered' | 'reading'> {
  readonly sums: StackSums;
}

/** Undefined when the worker failed. */
async function askWorker(
  hub: Hub,
  workers: QueryWorkers,
  share: QueryShare,
): Promise<WorkerAnswer | undefined> {
  hub.telemetry.count('query_shares_total', 1);
  try {
    return checked(await workers.sum(share));
  } catch (error) {
    hub.telemetry.count('query_failed_shares_total', 1);
    if (error instanceof RejectedError && error.reason === 'too-large')
      hub.telemetry.count('query_oversized_shares_total', 1);
    hub.telemetry.log('warn', `a query reads a share itself: ${(error as Error).message}`);
    return undefined;
  }
}

/** @throws MalformedInputError */
function checked({ symbols: section, values, ...rest }: ShareSum): WorkerAnswer {
  const symbols = decodeSymbols(section);
  if (values.length !== symbols.stacks.count)
    throw new MalformedInputError('share', `has ${values.length} values of ${symbols.stacks.count} stacks`);
  return { ...rest, sums: { symbols, values } };
}

function addAnswer(whole: StackTotals, answer: WorkerAnswer, completeness: Completeness): void {
  whole.merger.addSums(answer.sums);
  whole.total += answer.total;
  for (const { start, end } of answer.covered) whole.covered.add(start, end - start);
  addReading(completeness, answer.reading);
}

function addReading(completeness: Completeness, reading: ReadingReport): void {
  completeness.bytesRead += reading.bytesRead;
  completeness.samples += reading.samples;
  completeness.missingBlocks += reading.missingBlocks;
  completeness.corruptBlocks += reading.corruptBlocks;
  completeness.complete &&= reading.complete;
  completeness.notes.push(...reading.notes);
}

/** Parts by who reads them, this reader first. */
function sharesOf(
  hub: Hub,
  workers: QueryWorkers,
  plan: PlannedRead['plan'],
  parts: readonly DatasetPart[],
): (readonly DatasetPart[])[] {
  const bytesOf = (part: DatasetPart) => storedBytes(part.dataset, part.type, 'samples');
  const bytes = parts.reduce((sum, part) => sum + bytesOf(part), 0);
  if (workers.count === 0 || bytes < hub.settings.queryFanOutBytes) return [parts];
  const blocks = [...Map.groupBy(parts, ({ planned }) => planned)].map(([{ row, services }, ofBlock]) => ({
    batchIds: row.batchIds,
    services,
    bytes: ofBlock.reduce((sum, part) => sum + bytesOf(part), 0),
    parts: ofBlock,
  }));
  const shares = shareBlocks(blocks, plan.shared, workers.count + 1);
  return shares.map((places) => places.flatMap((place) => blocks[place]!.parts));
}

function shareOf(
  { selection, plan, tombstones, type }: TypedRead,
  parts: readonly DatasetPart[],
  detail: ShareDetail,
  scale: number,
): QueryShare {
  const duplicates = new DuplicateRows(plan.shared);
  const blocks = [...Map.groupBy(parts, ({ planned }) => planned)].map(([{ row, except }, ofBlock]) => {
    // An answer that was cut has narrower spans than its plan, and may lack services of it.
    const services = new Set(ofBlock.map(({ dataset }) => dataset.service));
    const slim = slimRow(row, services, duplicates.concerns(row.batchIds));
    return { row: slim, services, spans: ofBlock[0]!.filter.spans, except };
  });
  const ids = new Set(
    blocks.flatMap(({ row }) => tombstones.concerning(row, SETTLE_MS).all.map(({ id }) => id)),
  );
  // Blocks that share batches are in one share, so most have none.
  const hasShared = blocks.some(({ row }) => duplicates.concerns(row.batchIds));
  return {
    ...{ detail, matchers: selection.matchers, profileType: type.id, blocks, scale },
    shared: hasShared ? plan.shared : new Set(),
    tombstones: tombstones.all.filter(({ id }) => ids.has(id)),
  };
}

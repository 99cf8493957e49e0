import { type ProfileType, parseProfileType } from '../core/labels/profile-type.ts';
import { type Completeness, newCompleteness } from '../core/query/completeness.ts';
import { CoveredTime } from '../core/query/covered-time.ts';
import { selectRows } from '../core/query/select-rows.ts';
import { shareBlocks } from '../core/query/share-blocks.ts';
import { TreeMerger } from '../core/query/tree-merger.ts';
import { Tombstones } from '../core/retention/tombstone.ts';
import type { Hub } from './hub.ts';
import type { QueryWorkers, TreeShare, TreeShareSum } from './query-workers.ts';
import {
  type BlockParts,
  type DatasetPart,
  openParts,
  type PlannedRead,
  readParts,
  storedBytes,
} from './read-blocks.ts';

/** Samples of a flame graph, merged. */
export interface TreeSum {
  readonly merger: TreeMerger;
  readonly covered: CoveredTime;
  /** Exact, in the type's unit. */
  total: bigint;
}

/**
 * Reads and merges the parts of a flame graph; where they take `queryFanOutBytes` or more to read, workers take a share
 * each. The answer is the same.
 * @param scale divides every value of the parts
 */
export async function sumTree(
  hub: Hub,
  planned: PlannedRead & { readonly type: ProfileType },
  { parts, completeness }: BlockParts,
  scale: number,
): Promise<TreeSum> {
  const { type } = planned;
  const workers = hub.queryWorkers;
  const [own = [], ...others] = workers === undefined ? [parts] : sharesOf(hub, workers, planned.plan, parts);
  const sums = others.map((share) => askWorker(hub, workers!, treeShareOf(planned, share, scale)));
  const whole = await sumParts(hub, { parts: own, completeness }, type, scale);
  for (const [i, share] of others.entries()) {
    const sum = await sums[i];
    if (sum !== undefined) addSum(whole, sum, completeness);
    else await addParts(hub, whole, { parts: share, completeness }, type);
  }
  return whole;
}

/** What a worker does with its share. */
export async function sumTreeShare(hub: Hub, share: TreeShare): Promise<TreeShareSum> {
  const { selection, blocks, shared } = share;
  const completeness = newCompleteness();
  const plan = { blocks, shared, resolutionSeconds: 0 };
  const tombstones = Tombstones.of(share.tombstones, hub.compileRegex);
  // Who dealt the shares has cut what would be too much.
  const settings = { ...hub.settings, queryBytesMax: Number.POSITIVE_INFINITY };
  const planned = { selection, plan, completeness, tombstones };
  const opened = await openParts({ ...hub, settings }, planned, 'samples');
  const type = parseProfileType(share.profileType);
  const { merger, covered, total } = await sumParts(hub, opened, type, share.scale);
  return { stacks: merger.stacks(), total, covered: covered.runs, completeness };
}

async function sumParts(hub: Hub, blocks: BlockParts, type: ProfileType, scale: number): Promise<TreeSum> {
  const merger = new TreeMerger(scale, type.sampleUnit);
  const sum: TreeSum = { merger, covered: new CoveredTime(), total: 0n };
  await addParts(hub, sum, blocks, type);
  return sum;
}

async function addParts(hub: Hub, sum: TreeSum, blocks: BlockParts, type: ProfileType): Promise<void> {
  const read = (part: DatasetPart) => part.reader.samples(part.dataset, part.type);
  await readParts(hub, blocks, read, (part, { symbols, totals, samples, labelSets }) => {
    const rows = selectRows(type.id, totals, labelSets, part.filter);
    for (const row of rows) {
      sum.total += BigInt(totals.total[row]!) * BigInt(totals.scale[row]!);
      blocks.completeness.samples += totals.samples[row]!;
      sum.covered.add(totals.start[row]!, totals.duration[row]!);
    }
    sum.merger.add(symbols, totals, samples, rows);
  });
}

/** Undefined when the worker failed. */
async function askWorker(
  hub: Hub,
  workers: QueryWorkers,
  share: TreeShare,
): Promise<TreeShareSum | undefined> {
  hub.telemetry.count('query_shares_total', 1);
  try {
    return await workers.sumTree(share);
  } catch (error) {
    hub.telemetry.count('query_failed_shares_total', 1);
    hub.telemetry.log('warn', `a query reads a share itself: ${(error as Error).message}`);
    return undefined;
  }
}

function addSum(whole: TreeSum, share: TreeShareSum, completeness: Completeness): void {
  whole.merger.addStacks(share.stacks);
  whole.total += share.total;
  for (const { start, end } of share.covered) whole.covered.add(start, end - start);
  const { bytesRead, samples, missingBlocks, corruptBlocks, complete, notes } = share.completeness;
  completeness.bytesRead += bytesRead;
  completeness.samples += samples;
  completeness.missingBlocks += missingBlocks;
  completeness.corruptBlocks += corruptBlocks;
  completeness.complete &&= complete;
  completeness.notes.push(...notes);
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
  const blocks = [...Map.groupBy(parts, ({ planned }) => planned)].map(([{ row }, ofBlock]) => ({
    batchIds: row.batchIds,
    bytes: ofBlock.reduce((sum, part) => sum + bytesOf(part), 0),
    parts: ofBlock,
  }));
  const shares = shareBlocks(blocks, plan.shared, workers.count + 1);
  return shares.map((places) => places.flatMap((place) => blocks[place]!.parts));
}

function treeShareOf(
  { selection, plan, tombstones, type }: PlannedRead & { readonly type: ProfileType },
  parts: readonly DatasetPart[],
  scale: number,
): TreeShare {
  // An answer that was cut has narrower spans than its plan.
  const spansOf = new Map(parts.map(({ planned, filter }) => [planned, filter.spans]));
  const blocks = [...spansOf].map(([planned, spans]) => ({ ...planned, spans }));
  return {
    ...{ selection, blocks, shared: plan.shared, tombstones: tombstones.all, scale },
    profileType: type.id,
  };
}

import { CorruptBlockError } from '../errors.ts';
import { BlockReader, bytesSource } from './block-reader.ts';
import { BlockWriter, type WrittenBlock } from './block-writer.ts';
import type { Codec } from './codec.ts';
import { diffBlocks } from './diff-blocks.ts';
import type { DatasetEntry, TypeEntry } from './directory.ts';
import { pruneDataset } from './prune-dataset.ts';
import type { BlockDataset } from './window-spread.ts';

/** What a copy of a damaged block lacks: one profile type of one service, as its directory says. */
export interface LostType {
  readonly service: string;
  readonly profileType: string;
  readonly rows: number;
  readonly samples: number;
  /** Exact, in the sample unit. */
  readonly total: bigint;
  /** Of the service's rows: [minTime, maxTime) in ms since epoch. */
  readonly minTime: number;
  readonly maxTime: number;
  /** What is wrong with it. */
  readonly problem: string;
}

export interface BlockCopy {
  readonly block: WrittenBlock & { readonly batchIds: string[] };
  readonly lost: readonly LostType[];
}

export interface CopyOptions {
  /** Whether what cannot be read is left out. Otherwise damage ends the copy. */
  readonly salvage: boolean;
  /** Of the copy. @default that of the block */
  readonly blockId?: string;
  /** Entries that the batch table gets besides, by whether something was lost. */
  readonly entries?: (hasLost: boolean) => readonly string[];
  /** Awaited before each dataset is read; what it throws ends the copy. */
  readonly beforeDataset?: () => Promise<void>;
}

/**
 * Writes all that a block holds once more, as today's writer does: nothing merged, and nothing left out but symbols and
 * series that no row refers to. The copy is read back, and says the same. Memory: one dataset, and the copy's bytes.
 * @throws CorruptBlockError when the block is damaged, or with `salvage` when its batch table is, or nothing can be read; Error when the copy
 *   says anything else: a bug, and nothing may be published
 */
export async function copyBlock(reader: BlockReader, codec: Codec, options: CopyOptions): Promise<BlockCopy> {
  const { directory } = reader;
  const { tenant, level, resolutionSeconds, origin } = directory;
  // Rows name batches by their place in the table: without it they say nothing that could be told from a repetition.
  const table = await reader.batchIds();
  const writer = new BlockWriter(codec, resolutionSeconds);
  const lost: LostType[] = [];
  let saved = 0;
  for (const entry of directory.datasets) {
    await options.beforeDataset?.();
    const dataset = options.salvage ? await readableOf(reader, entry, lost) : await reader.dataset(entry);
    if (dataset === undefined) continue;
    writer.addDataset(pruneDataset(dataset));
    saved++;
  }
  if (saved === 0 && lost.length > 0)
    throw new CorruptBlockError(directory.blockId, 'datasets', `none can be read: ${lost[0]!.problem}`);
  const batchIds = [...new Set([...table, ...(options.entries?.(lost.length > 0) ?? [])])];
  const meta = { blockId: options.blockId ?? directory.blockId, tenant, level, resolutionSeconds, origin };
  const block = { ...writer.finish(meta, batchIds), batchIds };
  await checkCopy(reader, block, { lost, isDamaged: options.salvage }, codec);
  return { block, lost };
}

/** A dataset with the profile types that can be read; undefined when none can. */
async function readableOf(
  reader: BlockReader,
  entry: DatasetEntry,
  lost: LostType[],
): Promise<BlockDataset | undefined> {
  const problems = new Map<TypeEntry, string>();
  if ((await problemOf(reader, entry)) !== undefined) {
    for (const type of entry.types) {
      const problem = await problemOf(reader, { ...entry, types: [type] });
      if (problem !== undefined) problems.set(type, problem);
    }
  }
  for (const [{ profileType, rows, samples, total }, problem] of problems) {
    const { service, minTime, maxTime } = entry;
    lost.push({ service, profileType, rows, samples, total, minTime, maxTime, problem });
  }
  const types = entry.types.filter((type) => !problems.has(type));
  return types.length === 0 ? undefined : reader.dataset({ ...entry, types });
}

async function problemOf(reader: BlockReader, entry: DatasetEntry): Promise<string | undefined> {
  try {
    await reader.dataset(entry);
    return undefined;
  } catch (error) {
    if (error instanceof CorruptBlockError) return error.message;
    throw error;
  }
}

async function checkCopy(
  reader: BlockReader,
  { bytes, directory }: WrittenBlock,
  { lost, isDamaged }: { readonly lost: readonly LostType[]; readonly isDamaged: boolean },
  codec: Codec,
): Promise<void> {
  const isLost = (service: string, profileType: string) =>
    lost.some((one) => one.service === service && one.profileType === profileType);
  const countsOf = ({ datasets }: Pick<typeof directory, 'datasets'>) =>
    datasets.flatMap(({ service, types }) =>
      types
        .filter(({ rows, profileType }) => rows > 0 && !isLost(service, profileType))
        .map(({ profileType, rows, samples, total }) =>
          JSON.stringify([service, profileType, rows, samples, String(total)]),
        ),
    );
  const copy = await BlockReader.open(bytesSource(bytes), codec, { blockId: directory.blockId });
  const isSame = countsOf(directory).join('\n') === countsOf(reader.directory).join('\n');
  const isEqual = isSame && (await (isDamaged ? isSound(copy) : saysTheSame(reader, copy)));
  if (!isEqual)
    throw new Error(`the copy of block ${reader.directory.blockId} is not equal to it: refusing to publish`);
}

async function saysTheSame(reader: BlockReader, copy: BlockReader): Promise<boolean> {
  const { differing } = await diffBlocks([reader], [copy], { stepMs: 0, limit: 1, onService() {} });
  return differing === 0;
}

/** Beside damage, the sums of the directory are what a copy is held against. */
async function isSound(copy: BlockReader): Promise<boolean> {
  await copy.verify();
  return true;
}

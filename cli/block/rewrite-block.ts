import { familiesOf, familyIdOf } from '../../core/block/batch-table.ts';
import { newBlockId } from '../../core/block/block-id.ts';
import { BlockReader, bytesSource } from '../../core/block/block-reader.ts';
import { BlockWriter, type WrittenBlock } from '../../core/block/block-writer.ts';
import { RetryableError } from '../../core/errors.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import { blockRowOf } from '../../pipeline/process-batches.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { diffBlocks } from './diff-blocks.ts';

/** A block as today's writer writes it. */
export type RewrittenBlock = WrittenBlock & { readonly batchIds: string[] };

/** What came of one block of a data folder. */
export interface Rewrite {
  readonly blockId: string;
  /** What stands for it now; absent when it was as today's writer writes it, byte for byte. */
  readonly newBlockId?: string;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * Writes all that a block holds once more: every row, series, symbol and batch, nothing merged and nothing left out.
 * A block that this version wrote comes out byte for byte.
 * @param change another id, and entries that its batch table gets besides
 * @throws CorruptBlockError when the block is damaged; Error when the copy says anything else: nothing may be published
 */
export async function rewriteBlock(
  reader: BlockReader,
  change: { readonly blockId?: string; readonly entries?: readonly string[] } = {},
): Promise<RewrittenBlock> {
  const { tenant, level, resolutionSeconds, origin, datasets, blockId } = reader.directory;
  const writer = new BlockWriter(zstdCodec, resolutionSeconds);
  for (const entry of datasets) writer.addDataset(await reader.dataset(entry));
  const batchIds = [...new Set([...(await reader.batchIds()), ...(change.entries ?? [])])];
  const meta = { blockId: change.blockId ?? blockId, tenant, level, resolutionSeconds, origin };
  const written = { ...writer.finish(meta, batchIds), batchIds };
  await checkCopy(reader, written);
  return written;
}

async function checkCopy(reader: BlockReader, { bytes, directory }: RewrittenBlock): Promise<void> {
  const countsOf = ({ datasets }: Pick<typeof directory, 'datasets'>) =>
    datasets.flatMap(({ service, types }) =>
      types.map(
        ({ profileType, rows, samples, total }) => `${service} ${profileType} ${rows} ${samples} ${total}`,
      ),
    );
  const copy = await BlockReader.open(bytesSource(bytes), zstdCodec, { blockId: directory.blockId });
  const options = { stepMs: 0, limit: 1, onService() {} };
  const { differing } = await diffBlocks([reader], [copy], options);
  if (differing === 0 && countsOf(directory).join('\n') === countsOf(reader.directory).join('\n')) return;
  throw new Error(`the copy of block ${reader.directory.blockId} is not equal to it: refusing to publish`);
}

/**
 * Swaps a block of a data folder for what today's writer makes of it, unless that is the same bytes. What deletions
 * and retention know of the block goes on to hold for the copy.
 * @throws RetryableError when the block was merged away meanwhile
 */
export async function rewriteStored(hub: Hub, row: BlockRow): Promise<Rewrite> {
  const { blockId, tenant, level, size: bytesBefore } = row;
  const reader = await openBlockOf(hub, row);
  const same = await rewriteBlock(reader);
  const stored = await hub.objects.get(blockKey(tenant, level, blockId));
  if (stored !== undefined && Buffer.compare(stored, same.bytes) === 0)
    return { blockId, bytesBefore, bytesAfter: bytesBefore };
  const id = newBlockId(hub.clock(), () => hub.random());
  const copy = await rewriteBlock(reader, { blockId: id, entries: await familyEntries(hub, row) });
  await hub.objects.put(blockKey(tenant, level, id), copy.bytes);
  const swap = { remove: [blockId], add: [blockRowOf(copy, row.createdAt)], token: id };
  if ((await hub.catalog.swap(swap)) === 'done')
    return { blockId, newBlockId: id, bytesBefore, bytesAfter: copy.bytes.length };
  throw new RetryableError(`block ${blockId} was merged away meanwhile`);
}

/** Coarser versions name the raw block that they sum: what takes its place says that it stands for it. */
async function familyEntries(hub: Hub, row: BlockRow): Promise<string[]> {
  if (row.resolutionSeconds > 0) return [];
  const family = familyIdOf(row);
  const range = { from: row.minTime, until: row.maxTime };
  const rows = await hub.catalog.find({ tenant: hub.tenant, ...range });
  const isNamed = rows.some(
    (other) => other.resolutionSeconds > 0 && familiesOf(other.batchIds).includes(family),
  );
  return isNamed ? [family] : [];
}

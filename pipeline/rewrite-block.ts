import { familyIdOf, PARTIAL } from '../core/block/batch-table.ts';
import { newBlockId } from '../core/block/block-id.ts';
import type { BlockReader } from '../core/block/block-reader.ts';
import { type BlockCopy, copyBlock, type LostType } from '../core/block/copy-block.ts';
import { encodeDirectory } from '../core/block/directory.ts';
import { isJoined } from '../core/block/families.ts';
import { isSealed } from '../core/compaction/plan-compaction.ts';
import { RejectedError, RetryableError } from '../core/errors.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { blockKey } from '../storage/names.ts';
import { liveRow } from './block-rewrites.ts';
import type { GroupLease } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { openBlockOf } from './open-block.ts';
import { blockRowOf } from './process-batches.ts';
import { checkNoStandIn, REASON_LENGTH_MAX, VERIFY_BYTES_MAX } from './quarantine-blocks.ts';
import { changeCatalog } from './swap-blocks.ts';

/** Which block to write anew. */
export interface RewriteRequest {
  readonly blockId: string;
  /** Whether what can be read of a damaged block is saved, and the block set aside. Otherwise damage ends it. */
  readonly salvage: boolean;
}

/** What came of a block, or would. */
export interface RewriteReport {
  readonly blockId: string;
  /** What stands for it now; absent when nothing was changed. */
  readonly newBlockId?: string;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Whether it is as today's writer writes it already. */
  readonly isCurrent: boolean;
  /** What the copy lacks, since it cannot be read. */
  readonly lost: readonly LostType[];
}

/**
 * What rewriting a block would come to.
 * @throws as `rewriteBlock`; RejectedError('too-large') for a block that takes longer to read than a request may
 */
export async function planRewrite(hub: Hub, request: RewriteRequest): Promise<RewriteReport> {
  const row = await liveRow(hub, request.blockId);
  if (row.size > VERIFY_BYTES_MAX) {
    throw new RejectedError(
      'too-large',
      `block ${row.blockId} has ${row.size} bytes, a dry run reads at most ${VERIFY_BYTES_MAX}`,
    );
  }
  return (await copyOf(hub, row, request.salvage)).report;
}

/**
 * Swaps a block for what today's writer makes of it, unless that is the same bytes. What deletions and retention know of
 * the block goes on to hold for the copy, and the copy stands for it in its family. When something of it cannot be read,
 * the block is set aside instead of leaving, so that it can be put back.
 * @throws RejectedError('not-found') when there is no such block; CorruptBlockError when it is damaged, and not to be
 *   saved, or nothing of it can be; RetryableError when it was merged away meanwhile; LeaseLostError
 */
export async function rewriteBlock(
  hub: Hub,
  request: RewriteRequest,
  lease: GroupLease,
): Promise<RewriteReport> {
  const row = await liveRow(hub, request.blockId);
  const { block, lost, report } = await copyOf(hub, row, request.salvage, () => lease.keep());
  if (report.isCurrent) return report;
  // It belongs to the hour that it belonged to, whatever its rows say by themselves.
  const copy = { ...blockRowOf(block, row.createdAt), minTime: row.minTime };
  await lease.confirm();
  await hub.objects.put(blockKey(copy.tenant, copy.level, copy.blockId), block.bytes);
  await swapIn(hub, row, copy, lost);
  hub.telemetry.count('blocks_rewritten_total', 1);
  return { ...report, newBlockId: copy.blockId };
}

/** Where the swap's answer got lost, the sweep decides whose object the copy is. */
async function swapIn(hub: Hub, row: BlockRow, copy: BlockRow, lost: readonly LostType[]): Promise<void> {
  const { blockId } = row;
  const reason = `${lost[0]?.problem}; what can be read of it is block ${copy.blockId}`;
  const aside = { reason: reason.slice(-REASON_LENGTH_MAX), at: hub.clock() };
  const leaves = lost.length === 0 ? { remove: [blockId] } : { remove: [], setAside: [{ blockId, aside }] };
  if (await changeCatalog(hub, { ...leaves, add: [copy] })) return;
  await hub.objects.delete(blockKey(copy.tenant, copy.level, copy.blockId));
  throw new RetryableError(`block ${blockId} was merged away or set aside meanwhile`);
}

async function copyOf(
  hub: Hub,
  row: BlockRow,
  salvage: boolean,
  beforeDataset?: () => Promise<void>,
): Promise<BlockCopy & { readonly report: RewriteReport }> {
  const reader = await openBlockOf(hub, row);
  const others = salvage ? await otherVersions(hub, row) : [];
  const isPart = others.some(({ aside }) => aside === undefined);
  const copy = await copyBlock(reader, hub.codec, {
    ...{ salvage, beforeDataset },
    blockId: newBlockId(hub.clock(), () => hub.random()),
    entries: (hasLost) => [
      // Coarser versions name the raw block that they sum: the copy says that it stands for it.
      ...(row.resolutionSeconds === 0 ? [familyIdOf(row)] : []),
      ...(hasLost && isPart ? [PARTIAL] : []),
    ],
  });
  const isUnsealed = [row, ...others].some((one) => one.resolutionSeconds === 0 && !isSealed(one));
  if (copy.lost.length > 0 && isPart && isUnsealed) {
    throw new RejectedError(
      'invalid',
      `other versions hold what block ${row.blockId} has lost, and are merged with it until its day is sealed: set it aside, and they answer for it`,
    );
  }
  if (copy.lost.length > 0) await checkNoStandIn(hub, row);
  const isCurrent = await isSameAs(hub, row, reader, copy);
  const sizes = { bytesBefore: row.size, bytesAfter: isCurrent ? row.size : copy.block.bytes.length };
  return { ...copy, report: { blockId: row.blockId, ...sizes, isCurrent, lost: copy.lost } };
}

/** Other versions of its family, which hold what it lacks; those that lie aside among them. */
async function otherVersions(hub: Hub, row: BlockRow): Promise<BlockRow[]> {
  if (isJoined(row)) return [];
  const range = { from: row.minTime, until: row.maxTime };
  const rows = await hub.catalog.find({ tenant: hub.tenant, ...range, withAside: true });
  return rows.filter(
    (other) => other.blockId !== row.blockId && !isJoined(other) && familyIdOf(other) === familyIdOf(row),
  );
}

/** Whether its datasets and its directory are as the writer of the copy writes them. */
async function isSameAs(
  hub: Hub,
  { tenant, level, blockId, directoryOffset, directoryLength }: BlockRow,
  { directory }: BlockReader,
  { block, lost }: BlockCopy,
): Promise<boolean> {
  const end = directory.batchesSection.offset;
  if (lost.length > 0 || end !== block.directory.batchesSection.offset) return false;
  const key = blockKey(tenant, level, blockId);
  const datasets = await hub.objects.getRange(key, 0, end);
  const stored = await hub.objects.getRange(key, directoryOffset, directoryOffset + directoryLength);
  return (
    areEqual(datasets, block.bytes.subarray(0, end)) &&
    areEqual(stored, hub.codec.compress(encodeDirectory(directory)))
  );
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

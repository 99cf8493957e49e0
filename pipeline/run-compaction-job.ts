import { TRAILER_LENGTH } from '../core/block/block-format.ts';
import { newBlockId } from '../core/block/block-id.ts';
import { BlockReader } from '../core/block/block-reader.ts';
import { BlockMerge, readBatchTables } from '../core/block/merge-blocks.ts';
import { compactFamilies, type FamilyBlock } from '../core/compaction/compact-family.ts';
import type { CompactionJob } from '../core/compaction/plan-compaction.ts';
import { RetryableError } from '../core/errors.ts';
import { type BlockRow, MAX_SWAP_BLOCKS } from '../storage/block-catalog.ts';
import { blockKey } from '../storage/names.ts';
import { objectSource } from './block-source.ts';
import type { GroupLease } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { blockRowOf } from './process-batches.ts';

/** What came of a job that went through. */
export interface JobResult {
  readonly inputs: readonly BlockRow[];
  readonly outputs: readonly BlockRow[];
  readonly samples: number;
  readonly duplicateSamples: number;
  readonly peakDatasetBytes: number;
}

/** Inputs of a job that are this small together are each read whole: one request instead of one per service. */
const WHOLE_INPUTS_BYTES_MAX = 64 * 1024 * 1024;
/** How often a swap whose answer got lost is asked for again. */
const SWAP_ATTEMPTS = 5;

/**
 * Merges the blocks of a job, downsamples them, and swaps them for what comes of it. Answers undefined, and leaves
 * nothing behind, when somebody else merged one of the inputs meanwhile: their result stands.
 * @throws CorruptBlockError, RejectedError when the inputs cannot be merged; LeaseLostError; RetryableError
 */
export async function runJob(
  hub: Hub,
  job: CompactionJob,
  lease: GroupLease,
): Promise<JobResult | undefined> {
  const found = await Promise.all(job.blockIds.map((id) => hub.catalog.get(id)));
  const inputs = found.filter((row) => row !== undefined);
  if (inputs.length < found.length) return undefined;
  const outputs: BlockRow[] = [];
  let merged: Omit<JobResult, 'inputs' | 'outputs'>;
  try {
    merged = await storeFamilies(hub, job, inputs, lease, outputs);
    await lease.confirm();
  } catch (error) {
    await discard(hub, outputs);
    throw error;
  }
  // From here on an error may hide a swap that went through: then what was stored has to stay.
  if (await swap(hub, job, outputs)) return { inputs, outputs, ...merged };
  await discard(hub, outputs);
  return undefined;
}

/** Stores each family as soon as it is written, and enters its blocks in `outputs` before that. */
async function storeFamilies(
  hub: Hub,
  job: CompactionJob,
  inputs: readonly BlockRow[],
  lease: GroupLease,
  outputs: BlockRow[],
): Promise<Omit<JobResult, 'inputs' | 'outputs'>> {
  const { datasetBytesMax, partBytesMax } = hub.settings.compaction;
  const readers = await openInputs(hub, inputs);
  const merge = new BlockMerge(readers, await readBatchTables(readers), {
    seal: job.step === 'seal',
    datasetBytesMax,
    beforeDataset: () => lease.keep(),
  });
  const removed = job.blockIds.length + job.versionIds.length;
  const options = {
    tenant: hub.tenant,
    level: job.level,
    resolutionSeconds: job.resolutionSeconds,
    downsampleTo: job.downsampleTo,
    partBytesMax,
    partsMax: Math.max(1, Math.floor((MAX_SWAP_BLOCKS - removed) / (1 + job.downsampleTo.length))),
    nextBlockId: () => newBlockId(hub.clock(), () => hub.random()),
  };
  for await (const family of compactFamilies(merge, options, hub.codec)) {
    for (const block of family) await store(hub, block, outputs);
  }
  return {
    samples: readers.reduce((sum, reader) => sum + samplesOf(reader), 0),
    duplicateSamples: merge.report.duplicateSamples,
    peakDatasetBytes: merge.peakDatasetBytes,
  };
}

async function store(hub: Hub, block: FamilyBlock, outputs: BlockRow[]): Promise<void> {
  const row = blockRowOf(block, hub.clock());
  outputs.push(row);
  await hub.objects.put(blockKey(row.tenant, row.level, row.blockId), block.bytes);
}

function openInputs(hub: Hub, rows: readonly BlockRow[]): Promise<BlockReader[]> {
  const areSmall = rows.reduce((sum, row) => sum + row.size, 0) <= WHOLE_INPUTS_BYTES_MAX;
  return Promise.all(
    rows.map((row) => {
      const key = blockKey(row.tenant, row.level, row.blockId);
      const source = objectSource(hub.objects, key, row.size, areSmall ? row.size : undefined);
      const tailLength = row.directoryLength + TRAILER_LENGTH;
      return BlockReader.open(source, hub.codec, { blockId: row.blockId, tailLength });
    }),
  );
}

/** One transaction. The token lets it be asked for again when its answer got lost. */
async function swap(hub: Hub, job: CompactionJob, add: BlockRow[]): Promise<boolean> {
  const remove = [...job.blockIds, ...job.versionIds];
  const token = newBlockId(hub.clock(), () => hub.random());
  for (let attempt = 1; ; attempt++) {
    try {
      return (await hub.catalog.swap({ remove, add, token })) === 'done';
    } catch (error) {
      if (!(error instanceof RetryableError) || attempt === SWAP_ATTEMPTS) throw error;
    }
  }
}

/** Deletes objects that nobody refers to. Where that fails, a sweep for orphans finds them. */
async function discard(hub: Hub, outputs: readonly BlockRow[]): Promise<void> {
  for (const { tenant, level, blockId } of outputs) {
    try {
      await hub.objects.delete(blockKey(tenant, level, blockId));
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
    }
  }
}

function samplesOf({ directory }: BlockReader): number {
  let samples = 0;
  for (const dataset of directory.datasets) for (const type of dataset.types) samples += type.samples;
  return samples;
}

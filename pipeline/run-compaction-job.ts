import { SealedBatchesBuilder } from '../core/batch/sealed-batches.ts';
import { newBlockId } from '../core/block/block-id.ts';
import type { BlockReader } from '../core/block/block-reader.ts';
import { rolledUpIn } from '../core/block/families.ts';
import {
  BlockMerge,
  type MergeOptions,
  type MergeReport,
  readBatchTables,
} from '../core/block/merge-blocks.ts';
import { compactFamilies } from '../core/compaction/compact-family.ts';
import { rollUpAt } from '../core/compaction/compaction-rules.ts';
import type { BlockJob } from '../core/compaction/plan-rewrites.ts';
import { shardOf } from '../core/compaction/service-shard.ts';
import { RetryableError } from '../core/errors.ts';
import { type BlockRow, MAX_SWAP_BLOCKS } from '../storage/block-catalog.ts';
import { blockKey } from '../storage/names.ts';
import type { GroupLease } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { deletionsOf, recordDeleted } from './job-deletions.ts';
import { openBlockOf } from './open-block.ts';
import { blockRowOf } from './process-batches.ts';
import { keepSealedBatches, SealedDays } from './sealed-batches.ts';
import { swapBlocks } from './swap-blocks.ts';

/** What came of a job that went through. */
export interface JobResult {
  readonly inputs: readonly BlockRow[];
  readonly outputs: readonly BlockRow[];
  readonly samples: number;
  readonly report: MergeReport;
  readonly peakDatasetBytes: number;
}

const HOUR_MS = 3_600_000;

/** Inputs of a job that are this small together are each read whole: one request instead of one per service. */
const WHOLE_INPUTS_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Merges the blocks of a job without what was deleted, downsamples them, and swaps them for what comes of it. Answers
 * undefined, and leaves nothing behind, when somebody else merged one of the inputs meanwhile: their result stands. The
 * same when there is nothing to do, or not yet.
 * @throws CorruptBlockError, RejectedError when the inputs cannot be merged; LeaseLostError; RetryableError
 */
export async function runJob(hub: Hub, job: BlockJob, lease: GroupLease): Promise<JobResult | undefined> {
  const found = await Promise.all(job.blockIds.map((id) => hub.catalog.get(id)));
  const inputs = found.filter((row) => row !== undefined);
  if (inputs.length < found.length) return undefined;
  const outputs: BlockRow[] = [];
  let merged: Omit<JobResult, 'inputs' | 'outputs'> | undefined;
  try {
    merged = await storeFamilies(hub, job, inputs, lease, outputs);
    if (merged === undefined) return undefined;
    await lease.confirm();
  } catch (error) {
    await discard(hub, outputs);
    throw error;
  }
  // From here on an error may hide a swap that went through: then what was stored has to stay.
  if (await swapBlocks(hub, [...job.blockIds, ...job.versionIds], outputs)) {
    await recordDeleted(hub, job, inputs, merged.report);
    return { inputs, outputs, ...merged };
  }
  await discard(hub, outputs);
  return undefined;
}

/** Stores each family as soon as it is written, and enters its blocks in `outputs` before that. */
async function storeFamilies(
  hub: Hub,
  job: BlockJob,
  inputs: readonly BlockRow[],
  lease: GroupLease,
  outputs: BlockRow[],
): Promise<Omit<JobResult, 'inputs' | 'outputs'> | undefined> {
  const { compaction } = hub.settings;
  const isRewrite = job.step === 'rewrite' || job.step === 'expire';
  // What stands for families must stay one block; that it was one bounds it, and what a join takes.
  const isWhole = isRewrite || job.step === 'join';
  const datasetBytesMax = isWhole ? Number.POSITIVE_INFINITY : compaction.datasetBytesMax;
  const partBytesMax = isWhole ? Number.POSITIVE_INFINITY : compaction.partBytesMax;
  const readers = await openInputs(hub, inputs);
  const deletions = await deletionsOf(hub, job, inputs, readers);
  if (deletions === undefined) return undefined;
  const sealing = job.step === 'seal' ? new SealedBatchesBuilder() : undefined;
  const merge = new BlockMerge(readers, await readBatchTables(readers), {
    ...deletions.merge,
    ...(sealing && (await sealOptions(hub, inputs, sealing))),
    datasetBytesMax,
    beforeDataset: () => lease.keep(),
    groupOf: (service) => shardOf(service, job.shards ?? 1),
  });
  const removed = job.blockIds.length + job.versionIds.length;
  const startsBy = endOfHour(inputs) - 1;
  const options = {
    tenant: hub.tenant,
    level: job.level,
    resolutionSeconds: job.resolutionSeconds,
    downsampleTo: job.downsampleTo,
    rollUpAt: isRewrite
      ? await rollUpOfVersions(hub, job)
      : (seconds: number) => rollUpAt(compaction, seconds),
    partBytesMax,
    partsMax: Math.max(1, Math.floor((MAX_SWAP_BLOCKS - removed) / (1 + job.downsampleTo.length))),
    nextBlockId: () => newBlockId(hub.clock(), () => hub.random()),
    family: deletions.family,
    notes: deletions.notes,
  };
  for await (const family of compactFamilies(merge, options, hub.codec)) {
    for (const block of family)
      await store(hub, startingBy(startsBy, blockRowOf(block, deletions.createdAt)), block.bytes, outputs);
  }
  if (sealing !== undefined) await keepSealedBatches(hub, inputs, outputs, sealing.finish());
  return {
    samples: readers.reduce((sum, reader) => sum + samplesOf(reader), 0),
    report: merge.report,
    peakDatasetBytes: merge.peakDatasetBytes,
  };
}

/** What was sealed before the inputs were stored, or while they were, is left out; what is sealed now is noted. */
async function sealOptions(
  hub: Hub,
  inputs: readonly BlockRow[],
  sealing: SealedBatchesBuilder,
): Promise<Pick<MergeOptions, 'storedElsewhere' | 'noteBatches'>> {
  const start = Math.min(...inputs.map(({ minTime }) => minTime));
  const end = Math.max(...inputs.map(({ maxTime }) => maxTime));
  return {
    storedElsewhere: await new SealedDays(hub).storedElsewhere({ start, end }),
    noteBatches: (service, table, used) => sealing.add(service, table, used),
  };
}

/** Of the hour in which the last input starts. */
function endOfHour(inputs: readonly BlockRow[]): number {
  const newest = inputs.reduce((latest, { minTime }) => Math.max(latest, minTime), 0);
  return (Math.floor(newest / HOUR_MS) + 1) * HOUR_MS;
}

/**
 * Blocks that hold the same batch belong to the same hour, or the batch would be summed in two: a part of it may have
 * begun when its first windows were over, an hour later.
 */
function startingBy(time: number, row: BlockRow): BlockRow {
  return { ...row, minTime: Math.min(row.minTime, time) };
}

/** What is made anew keeps the labels that it had, whatever the rules say by now. */
async function rollUpOfVersions(
  hub: Hub,
  { versionIds }: BlockJob,
): Promise<(resolutionSeconds: number) => readonly string[]> {
  const rows = await Promise.all(versionIds.map((id) => hub.catalog.get(id)));
  const found = new Map(
    rows.flatMap((row) => (row === undefined ? [] : [[row.resolutionSeconds, rolledUpIn(row)]])),
  );
  return (seconds) => found.get(seconds) ?? [];
}

async function store(hub: Hub, row: BlockRow, bytes: Uint8Array, outputs: BlockRow[]): Promise<void> {
  outputs.push(row);
  await hub.objects.put(blockKey(row.tenant, row.level, row.blockId), bytes);
}

function openInputs(hub: Hub, rows: readonly BlockRow[]): Promise<BlockReader[]> {
  const areSmall = rows.reduce((sum, row) => sum + row.size, 0) <= WHOLE_INPUTS_BYTES_MAX;
  return Promise.all(rows.map((row) => openBlockOf(hub, row, areSmall ? row.size : undefined)));
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

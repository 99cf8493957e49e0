import { packBatchIds } from '../core/block/batch-runs.ts';
import { newBlockId } from '../core/block/block-id.ts';
import { BlockReader, bytesSource } from '../core/block/block-reader.ts';
import type { WrittenBlock } from '../core/block/block-writer.ts';
import type { Directory } from '../core/block/directory.ts';
import { type MergeReport, mergeBlocks } from '../core/block/merge-blocks.ts';
import { RetryableError } from '../core/errors.ts';
import type { ReceivedBatch } from '../storage/batch-queue.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { blockKey } from '../storage/names.ts';
import { deletePayload, payloadOf } from './batch-payload.ts';
import type { Hub } from './hub.ts';
import { quarantineBatch } from './quarantine.ts';
import { mayBeSealed, SealedDays, type StoredElsewhere } from './sealed-batches.ts';

/** What one round of processing did. */
export interface ProcessReport {
  batches: number;
  blocks: number;
  samples: number;
  duplicateSamples: number;
  /** Batches set aside because they can never be stored. */
  quarantined: number;
}

/** Batches of one hour become one block, so that late data does not stretch the time range of fresh blocks. */
const GROUP_MS = 3_600_000;

/**
 * Takes batches off the queue and merges them into level-0 blocks. A batch leaves the queue only after the block that
 * holds it is in the catalog; whatever fails before that is delivered again, and rows that were stored twice are
 * dropped by merge and by queries. Those two know batches by their ids, which sealed days have shed: what comes that
 * late is compared here with what is kept of them. A batch that can never be stored goes to quarantine; one that cannot
 * be read just now stays, is delivered again, and ends as a dead letter.
 * @throws RetryableError when storage fails, Error when it refuses; what was acknowledged before that is stored
 */
export async function processBatches(hub: Hub): Promise<ProcessReport> {
  const { processBatchesMax, processVisibilityMs } = hub.settings;
  const report: ProcessReport = { batches: 0, blocks: 0, samples: 0, duplicateSamples: 0, quarantined: 0 };
  const received = await hub.queue.receive({ max: processBatchesMax, visibilityMs: processVisibilityMs });
  const opened = await openBatches(hub, received, report);
  const sealed = new SealedDays(hub);
  for (const group of groupBatches(opened, hub.settings.processBytesMax))
    await processGroup(hub, group, await storedElsewhere(hub, sealed, group), report);
  return report;
}

/** Nothing is read for batches whose day cannot be sealed yet: all but those that are late by days. */
async function storedElsewhere(
  hub: Hub,
  sealed: SealedDays,
  group: readonly OpenedBatch[],
): Promise<StoredElsewhere | undefined> {
  const times = group.map(({ reader }) => reader.directory);
  const start = Math.min(...times.map(({ minTime }) => minTime));
  if (!mayBeSealed(hub, start)) return undefined;
  return sealed.storedElsewhere({ start, end: Math.max(...times.map(({ maxTime }) => maxTime)) });
}

interface OpenedBatch {
  readonly received: ReceivedBatch;
  readonly reader: BlockReader;
  readonly size: number;
}

async function openBatches(
  hub: Hub,
  received: readonly ReceivedBatch[],
  report: ProcessReport,
): Promise<OpenedBatch[]> {
  const opened: OpenedBatch[] = [];
  for (const one of received) {
    const bytes = await readPayload(hub, one);
    if (bytes === 'unread') continue;
    if (bytes === undefined) await acknowledgeAbsent(hub, one);
    else opened.push(...(await openBatch(hub, one, bytes, report)));
  }
  return opened;
}

/** @throws anything but RetryableError: that is no fault of the batch */
async function readPayload(hub: Hub, received: ReceivedBatch): Promise<Uint8Array | undefined | 'unread'> {
  try {
    return await payloadOf(hub, received.message);
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    reportUnread(hub, received, error);
    return 'unread';
  }
}

/** None when its bytes cannot be opened: then it is set aside. */
async function openBatch(
  hub: Hub,
  received: ReceivedBatch,
  bytes: Uint8Array,
  report: ProcessReport,
): Promise<OpenedBatch[]> {
  const options = { blockId: received.message.batchId, rawBytesMax: hub.settings.batchSectionBytesMax };
  try {
    const reader = await BlockReader.open(bytesSource(bytes), hub.codec, options);
    return [{ received, reader, size: bytes.length }];
  } catch (error) {
    await setAside(hub, received, error, report);
    return [];
  }
}

/** See `payloadOf`: its rows are stored. */
async function acknowledgeAbsent(hub: Hub, { message, receipt }: ReceivedBatch): Promise<void> {
  await hub.queue.acknowledge([receipt]);
  hub.telemetry.count('process_absent_batches_total', 1);
  hub.telemetry.log('warn', `batch ${message.batchId} was dealt with before: its object is gone`);
}

/** The others go on without it, and it is delivered again. */
function reportUnread(hub: Hub, { message, receiveCount }: ReceivedBatch, error: RetryableError): void {
  const { batchId } = message;
  hub.telemetry.count('process_unread_batches_total', 1);
  hub.telemetry.log('warn', `batch ${batchId} cannot be read now: ${error.message}`, {
    batchId,
    receiveCount,
  });
}

async function setAside(
  hub: Hub,
  received: ReceivedBatch,
  error: unknown,
  report: ProcessReport,
): Promise<void> {
  await quarantineBatch(hub, received, error);
  report.quarantined++;
}

/** Same hour together, each group within the size limit; in order of batch id, so that the block does not depend on arrival. */
function groupBatches(opened: readonly OpenedBatch[], bytesMax: number): OpenedBatch[][] {
  const hourOf = ({ reader }: OpenedBatch) => Math.floor(reader.directory.minTime / GROUP_MS);
  const sorted = [...opened].sort(
    (a, b) => hourOf(a) - hourOf(b) || (a.received.message.batchId < b.received.message.batchId ? -1 : 1),
  );
  const groups: OpenedBatch[][] = [];
  let size = 0;
  for (const batch of sorted) {
    const group = groups.at(-1);
    if (group === undefined || hourOf(group[0]!) !== hourOf(batch) || size + batch.size > bytesMax) {
      groups.push([batch]);
      size = batch.size;
    } else {
      group.push(batch);
      size += batch.size;
    }
  }
  return groups;
}

/**
 * Only what fails while bytes are merged is a fault of a batch. Storage that refuses, for a policy or a name that is
 * wrong, would refuse every batch: they all stay on the queue until somebody looks.
 */
async function processGroup(
  hub: Hub,
  group: readonly OpenedBatch[],
  elsewhere: StoredElsewhere | undefined,
  report: ProcessReport,
): Promise<void> {
  let merged: MergedGroup;
  try {
    merged = await mergeGroup(hub, group, elsewhere);
  } catch (error) {
    if (group.length === 1) return setAside(hub, group[0]!.received, error, report);
    // One batch spoils the merge: by halves it is found in few merges, and the others stay in few blocks.
    const middle = Math.ceil(group.length / 2);
    await processGroup(hub, group.slice(0, middle), elsewhere, report);
    return processGroup(hub, group.slice(middle), elsewhere, report);
  }
  await storeGroup(hub, group, merged, report);
}

async function storeGroup(
  hub: Hub,
  group: readonly OpenedBatch[],
  merged: MergedGroup,
  report: ProcessReport,
): Promise<void> {
  if (merged.directory.datasets.length > 0) {
    await publishBlock(hub, merged);
    report.blocks++;
  }
  // Before it is acknowledged: a crash in between makes a message whose object is gone, and no object without a message.
  for (const { received } of group) await deletePayload(hub, received.message);
  await hub.queue.acknowledge(group.map((batch) => batch.received.receipt));
  report.batches += group.length;
  report.samples += samplesOf(merged.directory);
  report.duplicateSamples += merged.report.duplicateSamples;
  hub.telemetry.count('process_batches_total', group.length);
  hub.telemetry.count('process_samples_total', samplesOf(merged.directory));
  hub.telemetry.count('process_duplicate_samples_total', merged.report.duplicateSamples);
}

type MergedGroup = WrittenBlock & { batchIds: string[]; report: MergeReport };

function mergeGroup(
  hub: Hub,
  group: readonly OpenedBatch[],
  storedElsewhere: StoredElsewhere | undefined,
): Promise<MergedGroup> {
  const blockId = newBlockId(hub.clock(), () => hub.random());
  const meta = { blockId, tenant: hub.tenant, level: 0, resolutionSeconds: 0 };
  return mergeBlocks(
    group.map((batch) => batch.reader),
    meta,
    hub.codec,
    { storedElsewhere },
  );
}

/** Object first, then the row that makes it visible. A crash in between leaves an object that nobody refers to. */
export async function publishBlock(hub: Hub, block: WrittenBlock & { batchIds: string[] }): Promise<void> {
  const row = blockRowOf(block, hub.clock());
  await hub.objects.put(blockKey(row.tenant, row.level, row.blockId), block.bytes);
  await hub.catalog.publish(row);
  hub.telemetry.count('blocks_published_total', 1, { level: String(row.level) });
  hub.telemetry.count('blocks_published_bytes_total', block.bytes.length, { level: String(row.level) });
}

/** The index row of a written block. */
export function blockRowOf(block: WrittenBlock & { batchIds: string[] }, createdAt: number): BlockRow {
  const { directory } = block;
  return {
    blockId: directory.blockId,
    tenant: directory.tenant,
    level: directory.level,
    resolutionSeconds: directory.resolutionSeconds,
    minTime: directory.minTime,
    maxTime: directory.maxTime,
    size: block.bytes.length,
    directoryOffset: block.directoryOffset,
    directoryLength: block.directoryLength,
    createdAt,
    batchIds: packBatchIds(block.batchIds),
    datasets: directory.datasets.map(({ service, minTime, maxTime, types }) => ({
      service,
      minTime,
      maxTime,
      profileTypes: types.map((type) => type.profileType),
    })),
  };
}

function samplesOf(directory: Directory): number {
  let samples = 0;
  for (const dataset of directory.datasets) for (const type of dataset.types) samples += type.samples;
  return samples;
}

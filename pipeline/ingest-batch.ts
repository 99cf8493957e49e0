import { type BatchOrigin, batchIdOf } from '../core/batch/batch-origin.ts';
import { BlockReader, bytesSource } from '../core/block/block-reader.ts';
import type { DatasetEntry } from '../core/block/directory.ts';
import { CorruptBlockError, limitExceeded, MalformedInputError, RejectedError } from '../core/errors.ts';
import { CLUSTER, labelValue, SERVICE_NAME } from '../core/labels/labels.ts';
import { sendBatch } from './batch-payload.ts';
import type { Hub } from './hub.ts';

/**
 * Takes one batch from an agent: checks it whole, makes it durable, then answers. What was acknowledged will be
 * stored; what was not, the sender sends again, and a batch that comes twice is counted once.
 * @param request.cluster from the verified identity of the sender, never from the payload
 * @throws RejectedError for size, a foreign cluster, windows out of time; MalformedInputError when it is not a batch
 */
export async function ingestBatch(
  hub: Hub,
  request: { cluster: string; bytes: Uint8Array },
): Promise<{ batchId: string; duplicate: boolean }> {
  const { bytes, cluster } = request;
  const limit = { name: 'batchBytesMax', value: hub.settings.batchBytesMax, unit: 'bytes' };
  if (bytes.length > limit.value) throw limitExceeded(limit, bytes.length);
  const origin = await checkBatch(hub, bytes, cluster);
  return acceptBatch(hub, origin, bytes);
}

/** Makes a checked batch durable and enters it in the ledger that the loss audit reads. */
export async function acceptBatch(
  hub: Hub,
  origin: BatchOrigin,
  bytes: Uint8Array,
): Promise<{ batchId: string; duplicate: boolean }> {
  const batchId = batchIdOf(origin);
  await sendBatch(hub, origin.cluster, batchId, bytes);
  // After the queue: a batch in the ledger is a batch that is durable. A crash in between makes the sender send it
  // again, and merge drops the second copy.
  const outcome = await hub.registry.recordBatch({
    cluster: origin.cluster,
    node: origin.node,
    bootId: origin.bootId,
    sequence: origin.sequence,
    samplesTaken: origin.taken + origin.droppedBatchSamples,
    samplesLost: origin.lost,
    samplesDropped: origin.dropped + origin.droppedBatchSamples,
    samplesKept: origin.kept,
    firstWindow: origin.firstWindow,
    lastWindow: origin.lastWindow,
    receivedAt: hub.clock(),
  });
  const labels = { cluster: origin.cluster, engine: origin.engine };
  hub.telemetry.count('ingest_batches_total', 1, { ...labels, outcome });
  hub.telemetry.count('ingest_bytes_total', bytes.length, labels);
  if (outcome === 'recorded') hub.telemetry.count('ingest_samples_total', origin.kept, labels);
  return { batchId, duplicate: outcome !== 'recorded' };
}

/** Reads every section of the batch, so that what is acknowledged can be merged later without surprises. */
async function checkBatch(hub: Hub, bytes: Uint8Array, cluster: string): Promise<BatchOrigin> {
  try {
    const options = { blockId: 'of the batch', rawBytesMax: hub.settings.batchSectionBytesMax };
    const batch = await BlockReader.open(bytesSource(bytes), hub.codec, options);
    const { origin } = batch.directory;
    if (origin === undefined) throw new MalformedInputError('batch', 'does not say who sent it');
    if (origin.cluster !== cluster) {
      throw new RejectedError(
        'forbidden',
        `the batch is of cluster ${origin.cluster}, its sender of ${cluster}`,
      );
    }
    await checkContent(hub, batch, origin);
    return origin;
  } catch (error) {
    if (!(error instanceof CorruptBlockError)) throw error;
    throw new MalformedInputError('batch', error.message, undefined, { cause: error });
  }
}

async function checkContent(hub: Hub, batch: BlockReader, origin: BatchOrigin): Promise<void> {
  const ids = await batch.batchIds();
  if (ids.length !== 1 || ids[0] !== batchIdOf(origin)) {
    throw new MalformedInputError('batch', 'its rows refer to other batches');
  }
  let kept = 0;
  for (const entry of batch.directory.datasets) {
    if (entry.service === '') throw new MalformedInputError('batch', 'a dataset does not name its service');
    checkTimes(hub, entry);
    const { labelSets } = await batch.dataset(entry);
    for (const labels of labelSets) {
      if (
        labelValue(labels, SERVICE_NAME) !== entry.service ||
        labelValue(labels, CLUSTER) !== origin.cluster
      ) {
        throw new MalformedInputError(
          'batch',
          `a series of ${entry.service} has another ${SERVICE_NAME} or ${CLUSTER}`,
        );
      }
    }
    for (const type of entry.types) kept += type.samples;
  }
  if (kept !== origin.kept) {
    throw new MalformedInputError('batch', `holds ${kept} samples, its sender says ${origin.kept}`);
  }
}

/** Windows may be late by days (a node without network) but not by more than duplicates are told apart for. */
function checkTimes(hub: Hub, { minTime, maxTime, service }: DatasetEntry): void {
  const now = hub.clock();
  const { lateWindowMs, futureWindowMs } = hub.settings;
  if (minTime < now - lateWindowMs) {
    const hours = Math.round((now - minTime) / 3_600_000);
    throw new RejectedError(
      'invalid',
      `a window of ${service} is ${hours} hours old, the limit lateWindowMs is ${lateWindowMs / 3_600_000} hours`,
    );
  }
  if (maxTime > now + futureWindowMs) {
    const minutes = Math.round((maxTime - now) / 60_000);
    throw new RejectedError(
      'invalid',
      `a window of ${service} ends ${minutes} minutes from now, the limit futureWindowMs is ${futureWindowMs / 60_000} minutes; check the sender's clock`,
    );
  }
}

import { RejectedError } from '../core/errors.ts';
import type { ReceivedBatch } from '../storage/batch-queue.ts';
import {
  parseQuarantineKey,
  type QuarantineName,
  quarantineKeys,
  quarantinePrefix,
} from '../storage/names.ts';
import { checkCount, MAX_LIST_LENGTH } from '../storage/object-store.ts';
import { checksumOf, deletePayload, payloadOf, sendBatch } from './batch-payload.ts';
import { eachObject } from './each-object.ts';
import type { Hub } from './hub.ts';

// A batch that can never be stored would be delivered again and again, and end as a dead letter that expires. It is
// set aside instead, with its reason, until somebody looks: a fault of ours is mended and the batch requeued, anything
// else discarded.

/** Why a batch is in quarantine, as it rests beside the batch. */
interface QuarantineReason {
  batchId: string;
  /** What the processor said. */
  reason: string;
  /** When the hub accepted the batch, ms since epoch. */
  receivedAt: number;
  /** When it was set aside, ms since epoch. */
  quarantinedAt: number;
}

export interface QuarantinedBatch extends QuarantineReason {
  /** `<cluster>/<name>`, unique within the tenant. */
  id: string;
  cluster: string;
  /** Length of the batch, in bytes. */
  size: number;
}

/** Longest error message that is kept, in characters. */
const REASON_LENGTH_MAX = 4096;

/** Longest part of a batch id that names a quarantined batch, in characters. */
const NAME_LENGTH_MAX = 200;

/**
 * Sets a batch aside and takes it off the queue. Every step may be repeated: what a crash left half done is done again,
 * under the same names, when the batch is delivered again.
 */
export async function quarantineBatch(hub: Hub, received: ReceivedBatch, error: unknown): Promise<void> {
  const { message, receipt } = received;
  const { batchId, cluster, receivedAt } = message;
  const bytes = await payloadOf(hub, message);
  const reason = reasonOf(error);
  if (bytes !== undefined) {
    const keys = quarantineKeys({
      tenant: hub.tenant,
      cluster,
      name: nameOf(hub, batchId, receivedAt, bytes),
    });
    const entry: QuarantineReason = { batchId, reason, receivedAt, quarantinedAt: hub.clock() };
    // The reason first: whoever finds a batch finds its reason.
    await hub.objects.put(keys.reason, new TextEncoder().encode(JSON.stringify(entry)));
    await hub.objects.put(keys.batch, bytes);
  }
  await deletePayload(hub, message);
  await hub.queue.acknowledge([receipt]);
  hub.telemetry.count('quarantined_batches_total', 1, { cluster });
  hub.telemetry.log('error', `batch ${batchId} cannot be stored, it is in quarantine: ${reason}`, {
    batchId,
    receiveCount: received.receiveCount,
  });
}

/** Batches in quarantine by id, at most `limit` (up to 1,000). */
export async function listQuarantine(hub: Hub, limit: number): Promise<QuarantinedBatch[]> {
  checkCount('limit', limit, MAX_LIST_LENGTH);
  const found: QuarantinedBatch[] = [];
  for await (const { key, size } of eachObject(hub, quarantinePrefix(hub.tenant))) {
    const name = parseQuarantineKey(key);
    if (name === undefined) continue;
    found.push({ id: idOf(name), cluster: name.cluster, size, ...(await readReason(hub, name)) });
    if (found.length === limit) break;
  }
  return found;
}

/**
 * Puts a batch on the queue once more. If it still cannot be stored it comes back under another id.
 * @throws RejectedError 'not-found' when there is none with this id
 */
export async function requeueQuarantined(hub: Hub, id: string): Promise<void> {
  const name = parseId(hub, id);
  const bytes = await hub.objects.get(quarantineKeys(name).batch);
  if (bytes === undefined) throw unknown(id);
  const { batchId } = await readReason(hub, name);
  await sendBatch(hub, name.cluster, batchId, bytes);
  await remove(hub, name);
  hub.telemetry.log('info', `batch ${batchId} left quarantine for the queue`, { id });
}

/** Deletes a batch for good. @throws RejectedError 'not-found' when there is none with this id */
export async function discardQuarantined(hub: Hub, id: string): Promise<void> {
  const name = parseId(hub, id);
  if ((await hub.objects.get(quarantineKeys(name).batch)) === undefined) throw unknown(id);
  await remove(hub, name);
  hub.telemetry.log('info', `quarantined batch ${id} is deleted`, { id });
}

/**
 * The time of acceptance makes it another name when a requeued batch comes back, so that removing the first does not
 * remove the second. The checksum keeps contents apart that claim one batch id.
 */
function nameOf(hub: Hub, batchId: string, receivedAt: number, bytes: Uint8Array): string {
  const safe = batchId.replaceAll('/', '=').replace(/[^A-Za-z0-9._=-]/g, '_');
  return `${safe.slice(0, NAME_LENGTH_MAX)}=${receivedAt}=${checksumOf(hub, bytes)}`;
}

function idOf({ cluster, name }: QuarantineName): string {
  return `${cluster}/${name}`;
}

function parseId(hub: Hub, id: string): QuarantineName {
  const name = parseQuarantineKey(`${quarantinePrefix(hub.tenant)}${id}.batch`);
  if (name === undefined) throw unknown(id);
  return name;
}

function unknown(id: string): RejectedError {
  return new RejectedError('not-found', `no batch ${JSON.stringify(id)} is in quarantine`);
}

/** The batch first: a reason alone is not listed. */
async function remove(hub: Hub, name: QuarantineName): Promise<void> {
  const keys = quarantineKeys(name);
  await hub.objects.delete(keys.batch);
  await hub.objects.delete(keys.reason);
}

async function readReason(hub: Hub, name: QuarantineName): Promise<QuarantineReason> {
  const bytes = await hub.objects.get(quarantineKeys(name).reason);
  if (bytes === undefined) return { batchId: name.name, reason: 'unknown', receivedAt: 0, quarantinedAt: 0 };
  return JSON.parse(new TextDecoder().decode(bytes)) as QuarantineReason;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, REASON_LENGTH_MAX);
}

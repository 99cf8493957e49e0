import type { BatchMessage } from '../storage/batch-queue.ts';
import { MAX_INLINE_BYTES } from '../storage/batch-queue.ts';
import { inboxKey } from '../storage/names.ts';
import type { Hub } from './hub.ts';

// A batch travels inside its message, or, when it is too long for that, as an object that the message names.

/** Puts a batch on the queue; it is durable when this resolves. */
export async function sendBatch(
  hub: Hub,
  cluster: string,
  batchId: string,
  bytes: Uint8Array,
): Promise<void> {
  const head = { batchId, tenant: hub.tenant, cluster, receivedAt: hub.clock() };
  if (bytes.length <= MAX_INLINE_BYTES) return hub.queue.send({ ...head, payload: bytes });
  // The key holds a checksum: another content under the same batch id must not hide behind the first.
  const objectKey = inboxKey(
    hub.tenant,
    cluster,
    `${batchId.replaceAll('/', '=')}=${checksumOf(hub, bytes)}`,
  );
  await hub.objects.put(objectKey, bytes);
  return hub.queue.send({ ...head, objectKey });
}

/**
 * The bytes of a batch; undefined when its object is gone. An object is deleted only after its batch was stored or put
 * in quarantine, so one that is gone was dealt with: by a delivery whose acknowledgement got lost, or by the other
 * message of a batch that was sent twice.
 */
export async function payloadOf(hub: Hub, message: BatchMessage): Promise<Uint8Array | undefined> {
  return message.payload ?? hub.objects.get(message.objectKey);
}

/** Deletes the object of a batch that was dealt with; nothing for one that travelled inside its message. */
export async function deletePayload(hub: Hub, message: BatchMessage): Promise<void> {
  if (message.objectKey !== undefined) await hub.objects.delete(message.objectKey);
}

/** Tells contents apart that claim one batch id. Eight hex digits. */
export function checksumOf(hub: Hub, bytes: Uint8Array): string {
  return hub.codec.crc32(bytes).toString(16).padStart(8, '0');
}

import { batchRunOf } from '../../core/block/batch-runs.ts';
import { BlockBuilder } from '../../core/block/block-builder.ts';
import type { Hub } from '../../pipeline/hub.ts';
import type { BatchQueue, ReceivedBatch } from '../../storage/batch-queue.ts';
import { addRow, codec } from '../core/block/fixtures.ts';
import type { WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

// A hub in memory whose batches come when a test says so, however late, and whose objects know their age.

export interface LateHub extends MemoryHub {
  /** Puts a batch on the queue, to be delivered from then on. */
  send(rows: readonly WindowRow[], at?: number): void;
  readonly waiting: number;
  /** Batches of which a copy was stored, or dropped since it had been. */
  readonly delivered: ReadonlySet<string>;
}

export function lateHub(now: number): LateHub {
  const hub = memoryHub(now);
  const queue: { received: ReceivedBatch; at: number }[] = [];
  const delivered = new Set<string>();
  let receipts = 0;
  const ports: Pick<Hub, 'queue' | 'objects'> = {
    queue: {
      receive: async ({ max }: { max: number }) =>
        queue
          .filter(({ at }) => at <= hub.now)
          .slice(0, max)
          .map(({ received }) => received),
      async acknowledge(done: string[]) {
        for (const receipt of done) {
          const place = queue.findIndex(({ received }) => received.receipt === receipt);
          for (const { received } of place < 0 ? [] : queue.splice(place, 1))
            delivered.add(received.message.batchId);
        }
        return done.map(() => 'done' as const);
      },
    } as Partial<BatchQueue> as BatchQueue,
    objects: datedObjects(hub),
  };
  Object.assign(hub, ports);
  return Object.defineProperties(hub, {
    send: {
      value(rows: readonly WindowRow[], at = hub.now) {
        const receipt = String(++receipts);
        queue.push({ received: { message: messageOf(rows, at), receipt, receiveCount: 1 }, at });
      },
    },
    waiting: { get: () => queue.length },
    delivered: { value: delivered },
  }) as LateHub;
}

/** Objects say when they were put. */
function datedObjects({ objects, clock }: Hub): Hub['objects'] {
  const writtenAt = new Map<string, number>();
  return {
    ...objects,
    async put(key, bytes) {
      const outcome = await objects.put(key, bytes);
      if (outcome === 'created') writtenAt.set(key, clock());
      return outcome;
    },
    async list(prefix, options) {
      const page = await objects.list(prefix, options);
      return page.map((entry) => ({ ...entry, writtenAt: writtenAt.get(entry.key)! }));
    },
  };
}

function messageOf(rows: readonly WindowRow[], receivedAt: number): ReceivedBatch['message'] {
  const block = new BlockBuilder();
  for (const row of rows) addRow(block, row);
  const batchId = rows[0]!.batch;
  const [cluster] = batchRunOf(batchId)!.boot.split('/');
  const meta = { blockId: 'batch', tenant: '', level: 0, resolutionSeconds: 0 };
  const payload = block.write(meta, codec).bytes;
  return { batchId, tenant: 'default', cluster: cluster!, receivedAt, payload };
}

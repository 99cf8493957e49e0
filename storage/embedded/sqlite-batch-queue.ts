import type { StatementSync } from 'node:sqlite';
import type { BatchMessage, BatchQueue, DeadLetter, ReceiptOutcome } from '../batch-queue.ts';
import { checkBatchMessage, checkMs, DEFAULT_MAX_RECEIVES, MAX_RECEIVE } from '../batch-queue.ts';
import { checkCount } from '../object-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Fields = Record<string, unknown>;

const STATEMENTS = {
  send: `INSERT INTO messages (batch_id, tenant, cluster, received_at, object_key, sent_at, visible_at)
    VALUES (:batchId, :tenant, :cluster, :receivedAt, :objectKey, :now, :now)`,
  sendPayload: 'INSERT INTO payloads VALUES (:id, :payload)',
  // The index goes straight to the few that are worn out; by visibility it would read the whole backlog.
  bury: `UPDATE messages INDEXED BY messages_by_wear SET dead_at = :now
    WHERE dead_at IS NULL AND visible_at <= :now AND receive_count >= :maxReceives`,
  next: `SELECT * FROM messages LEFT JOIN payloads USING (id)
    WHERE dead_at IS NULL AND visible_at <= :now ORDER BY visible_at, id LIMIT :max`,
  deliver: `UPDATE messages SET receive_count = receive_count + 1, delivery = delivery + 1, visible_at = :visibleAt
    WHERE id = :id`,
  acknowledge: 'DELETE FROM messages WHERE id = :id AND delivery = :delivery AND dead_at IS NULL',
  hide: `UPDATE messages SET visible_at = :visibleAt
    WHERE id = :id AND delivery = :delivery AND dead_at IS NULL AND visible_at > :now`,
  dead: `SELECT * FROM messages LEFT JOIN payloads USING (id) WHERE dead_at IS NOT NULL ORDER BY id LIMIT :limit`,
  redrive: `UPDATE messages SET dead_at = NULL, receive_count = 0, delivery = delivery + 1, visible_at = :now
    WHERE id = :id AND dead_at IS NOT NULL`,
  redriveAll: `UPDATE messages SET dead_at = NULL, receive_count = 0, delivery = delivery + 1, visible_at = :now
    WHERE dead_at IS NOT NULL`,
  discard: 'DELETE FROM messages WHERE id = :id AND dead_at IS NOT NULL',
  visible: 'SELECT count(*) AS count FROM messages WHERE dead_at IS NULL AND visible_at <= :now',
  hidden: 'SELECT count(*) AS count FROM messages WHERE dead_at IS NULL AND visible_at > :now',
  deadCount: 'SELECT count(*) AS count FROM messages WHERE dead_at IS NOT NULL',
  oldest: 'SELECT min(sent_at) AS sent_at FROM messages WHERE dead_at IS NULL',
};

/**
 * BatchQueue in SQLite. A receipt is `<message>-<delivery>`, where deliveries of a message count up and never restart, so a
 * stale receipt never becomes good again.
 */
export function sqliteBatchQueue(
  database: SqliteDatabase,
  clock: () => number,
  maxReceives: number = DEFAULT_MAX_RECEIVES,
): BatchQueue {
  checkCount('maxReceives', maxReceives);
  const sql = Object.fromEntries(
    Object.entries(STATEMENTS).map(([name, text]) => [name, database.prepare(text)]),
  ) as Record<keyof typeof STATEMENTS, StatementSync>;

  /** Writes with all that is worn out by now already set aside. */
  function write<T>(work: (now: number) => T): Promise<T> {
    return database.write(() => {
      const now = clock();
      sql.bury.run({ now, maxReceives });
      return work(now);
    });
  }
  function hide(receipt: string, ms: number, now: number): ReceiptOutcome {
    return outcome(sql.hide.run({ ...parseReceipt(receipt), visibleAt: now + ms, now }).changes);
  }

  return {
    async send(message) {
      checkBatchMessage(message);
      const { payload, ...rest } = message;
      // The caller may use its buffer again before the shared commit.
      const bytes = payload?.slice();
      await database.write(() => {
        const fields = { ...rest, objectKey: message.objectKey ?? null, now: clock() };
        const id = sql.send.run(fields).lastInsertRowid;
        if (bytes) sql.sendPayload.run({ id, payload: bytes });
      });
    },
    async receive({ max, visibilityMs }) {
      checkCount('max', max, MAX_RECEIVE);
      checkCount('visibilityMs', visibilityMs);
      return write((now) =>
        sql.next.all({ now, max }).map((fields) => {
          sql.deliver.run({ id: fields.id, visibleAt: now + visibilityMs });
          return {
            message: toMessage(fields),
            receipt: `${fields.id}-${Number(fields.delivery) + 1}`,
            receiveCount: Number(fields.receive_count) + 1,
          };
        }),
      );
    },
    async acknowledge(receipts) {
      // Nothing is set aside first: work that was done, if late, is done.
      return database.write(() =>
        receipts.map((receipt) => outcome(sql.acknowledge.run(parseReceipt(receipt)).changes)),
      );
    },
    async extend(receipts, ms) {
      checkMs('extension', ms);
      return write((now) => receipts.map((receipt) => hide(receipt, ms, now)));
    },
    async release(receipt, delayMs) {
      checkMs('delayMs', delayMs);
      return write((now) => hide(receipt, delayMs, now));
    },
    async deadLetters(limit) {
      checkCount('limit', limit, MAX_RECEIVE);
      return write(() => sql.dead.all({ limit }).map(toDeadLetter));
    },
    async redrive(ids) {
      return write((now) => {
        if (ids === 'all') return Number(sql.redriveAll.run({ now }).changes);
        return sum(ids.map((id) => Number(sql.redrive.run({ id: parseId(id), now }).changes)));
      });
    },
    async discard(ids) {
      return write(() => sum(ids.map((id) => Number(sql.discard.run({ id: parseId(id) }).changes))));
    },
    async depth() {
      return write((now) => {
        const oldest = sql.oldest.get()?.sent_at;
        return {
          visible: Number(sql.visible.get({ now })?.count),
          inFlight: Number(sql.hidden.get({ now })?.count),
          dead: Number(sql.deadCount.get()?.count),
          oldestMs: typeof oldest === 'number' ? Math.max(0, now - oldest) : 0,
        };
      });
    },
  };
}

function outcome(changes: number | bigint): ReceiptOutcome {
  return Number(changes) === 1 ? 'done' : 'stale';
}

/** A receipt that this queue never gave names no delivery: it is simply stale. */
function parseReceipt(receipt: string): { id: number; delivery: number } {
  const match = /^([1-9][0-9]{0,14})-([1-9][0-9]{0,14})$/.exec(receipt);
  return match ? { id: Number(match[1]), delivery: Number(match[2]) } : { id: 0, delivery: 0 };
}

function parseId(id: string): number {
  return /^[1-9][0-9]{0,14}$/.test(id) ? Number(id) : 0;
}

function sum(counts: number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function toMessage(fields: Fields): BatchMessage {
  const head = {
    batchId: String(fields.batch_id),
    tenant: String(fields.tenant),
    cluster: String(fields.cluster),
    receivedAt: Number(fields.received_at),
  };
  if (fields.object_key !== null) return { ...head, objectKey: String(fields.object_key) };
  return { ...head, payload: fields.payload as Uint8Array };
}

function toDeadLetter(fields: Fields): DeadLetter {
  return {
    id: String(fields.id),
    message: toMessage(fields),
    receiveCount: Number(fields.receive_count),
    deadAt: Number(fields.dead_at),
  };
}

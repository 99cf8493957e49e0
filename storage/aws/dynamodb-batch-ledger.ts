import { RejectedError } from '../../core/errors.ts';
import type { BatchLedger, BatchRecord, SequenceSearch } from '../registry.ts';
import { type Item, number, text } from './attribute-values.ts';
import { digestOf } from './digests.ts';
import type { DynamoTable } from './dynamodb-table.ts';
import { inParallel } from './in-parallel.ts';
import {
  declareSame,
  duplicatesAttribute,
  HOUR_MS,
  packRecord,
  recordAttribute,
  recordsOf,
  SLICE_MS,
  sliceStart,
  summarize,
} from './ledger-records.ts';
import { EXPIRES, type Key, LEDGER_HOURS, LEDGER_SHARDS, ledgerPartition, padded, shardOf } from './names.ts';

/** How long a record stays when nobody forgets it: well past the time for which batches may be late. */
export const LEDGER_MEMORY_MS = 14 * 24 * HOUR_MS;

/** Hours that are asked for without looking up first which of them exist. */
const MAX_DIRECT_HOURS = 48;

const COUNTS = [
  'sequence',
  'samplesTaken',
  'samplesLost',
  'samplesDropped',
  'samplesKept',
  'firstWindow',
  'lastWindow',
  'receivedAt',
] as const;

/**
 * What came in which batch, in DynamoDB: one conditional write of about 1 KB per batch, spread over partitions per hour.
 * Items expire by themselves; `forgetBatches` reads all of them, so a host on AWS leaves that to the table.
 */
export function dynamodbBatchLedger(table: DynamoTable, clock: () => number): BatchLedger {
  const known = new Set<number>();

  async function enter(hour: number): Promise<void> {
    if (known.has(hour)) return;
    await table.put({ pk: LEDGER_HOURS, sk: padded(hour) }, { [EXPIRES]: expiry(clock()) });
    known.add(hour);
  }
  async function itemsOf(hour: number, cluster?: string): Promise<Item[]> {
    const now = clock();
    const shards = Array.from({ length: LEDGER_SHARDS }, (_, shard) => ledgerPartition(hour, shard));
    const items = await inParallel(shards, async (pk) => {
      const kept: Item[] = [];
      const prefix = cluster === undefined ? undefined : clusterPrefix(cluster);
      for await (const item of table.query(pk, { prefix }))
        if (number(item, EXPIRES) * 1000 > now) kept.push(item);
      return kept;
    });
    return items.flat();
  }
  return {
    async recordBatch(record) {
      checkRecord(record);
      await enter(hourOf(record.firstWindow));
      return recordOnce(table, record, clock());
    },
    async listBatchSequences({ cluster, from, until, stepMs = HOUR_MS }) {
      const hours = await hoursBetween(table, { from, until });
      const items = await inParallel(hours, (hour) => itemsOf(hour, cluster));
      const inRange = ({ firstWindow }: BatchRecord) => from <= firstWindow && firstWindow < until;
      return summarize(items.flat(2).flatMap(recordsOf).filter(inRange), stepMs);
    },
    async listBootBatches({ hour, ...boot }) {
      const { pk, sk } = sliceKey({ ...boot, firstWindow: hour }, hour);
      const records: BatchRecord[] = [];
      for await (const item of table.query(pk, { prefix: sk.slice(0, -1) })) {
        if (number(item, EXPIRES) * 1000 <= clock()) continue;
        for (const { duplicates, ...record } of recordsOf(item)) records.push(record);
      }
      return records.sort((a, b) => a.sequence - b.sequence);
    },
    async forgetBatches(before) {
      const hours = await existingHours(table, 0, Number.MAX_SAFE_INTEGER);
      const counts = await inParallel(hours, async (hour) => {
        const forgotten = (await itemsOf(hour)).map((item) => forgetOld(table, item, before));
        return (await Promise.all(forgotten)).reduce((sum, count) => sum + count, 0);
      });
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}

async function recordOnce(
  table: DynamoTable,
  record: BatchRecord,
  now: number,
): Promise<'recorded' | 'duplicate' | 'conflict'> {
  const { cluster, node, bootId } = record;
  const start = sliceStart(record.firstWindow);
  const attribute = recordAttribute(record.sequence);
  const packed = packRecord(record, start);
  const key = sliceKey(record, start);
  const outcome = await table.update(key, {
    update: `SET #${attribute} = :packed, #cluster = :cluster, #node = :node, #bootId = :bootId, #start = :start,
      #${EXPIRES} = :expires ADD #changes :one`,
    condition: `attribute_not_exists(#${attribute})`,
    values: { packed, cluster, node, bootId, start, expires: expiry(now), one: 1 },
  });
  if (outcome.done) return 'recorded';
  const first = text(outcome.old ?? (await table.get(key)) ?? {}, attribute);
  if (!declareSame(first, packed)) return 'conflict';
  await countAgain(table, key, record.sequence);
  return 'duplicate';
}

/** Costs a write of its own, which a batch that comes once never needs. */
async function countAgain(table: DynamoTable, key: Key, sequence: number): Promise<void> {
  await table.update(key, {
    update: `ADD #${duplicatesAttribute(sequence)} :one`,
    condition: `attribute_exists(#${recordAttribute(sequence)})`,
    values: { one: 1 },
  });
}

/** The slices of a boot and an hour differ in the last character, the quarter. */
function sliceKey(
  { cluster, node, bootId, firstWindow }: Pick<BatchRecord, 'cluster' | 'node' | 'bootId' | 'firstWindow'>,
  start: number,
): Key {
  const quarter = (start % HOUR_MS) / SLICE_MS;
  return {
    pk: ledgerPartition(hourOf(firstWindow), shardOf(`${cluster}/${node}`, LEDGER_SHARDS)),
    // A digest, because names may hold any characters and be of any length.
    sk: `${clusterPrefix(cluster)}${digestOf(JSON.stringify([node, bootId])).slice(0, 32)}#${quarter}`,
  };
}

function clusterPrefix(cluster: string): string {
  return `${digestOf(cluster).slice(0, 16)}#`;
}

function hourOf(time: number): number {
  return time - (time % HOUR_MS);
}

function expiry(now: number): number {
  return Math.ceil((now + LEDGER_MEMORY_MS) / 1000);
}

async function hoursBetween(
  table: DynamoTable,
  { from, until }: Omit<SequenceSearch, 'cluster'>,
): Promise<number[]> {
  if (!(from < until)) return [];
  const first = hourOf(Math.max(0, from));
  const last = Math.max(0, Math.min(Number.MAX_SAFE_INTEGER, until) - 1);
  const count = Math.floor((last - first) / HOUR_MS) + 1;
  if (count <= MAX_DIRECT_HOURS) return Array.from({ length: count }, (_, i) => first + i * HOUR_MS);
  return existingHours(table, first, last);
}

async function existingHours(table: DynamoTable, first: number, last: number): Promise<number[]> {
  const hours: number[] = [];
  const range = { from: padded(first), to: padded(Math.floor(last)) };
  for await (const item of table.query(LEDGER_HOURS, range)) hours.push(Number(text(item, 'sk')));
  return hours;
}

/** Drops the records of an item that arrived before `before`, the item itself when none is left. */
async function forgetOld(table: DynamoTable, item: Item, before: number): Promise<number> {
  const records = recordsOf(item);
  const old = records.filter(({ receivedAt }) => receivedAt < before);
  if (old.length === 0) return 0;
  const key = { pk: text(item, 'pk'), sk: text(item, 'sk') };
  const names = old.flatMap(({ sequence }) => [
    `#${recordAttribute(sequence)}`,
    `#${duplicatesAttribute(sequence)}`,
  ]);
  const outcome = await table.update(key, { update: `REMOVE ${names.join(', ')}` });
  if (outcome.done && recordsOf(outcome.item).length === 0) {
    // Unless a record came meanwhile.
    await table.delete(key, {
      condition: '#changes = :changes',
      values: { changes: number(item, 'changes') },
    });
  }
  return old.length;
}

function checkRecord(record: BatchRecord): void {
  const named = record.cluster !== '' && record.node !== '' && record.bootId !== '';
  const broken = COUNTS.find((field) => !Number.isSafeInteger(record[field]) || record[field] < 0);
  if (named && broken === undefined) return;
  const problem = broken ? `${broken} is ${record[broken]}, not a non-negative integer` : 'a name is empty';
  throw new RejectedError(
    'invalid',
    `batch ${record.sequence} of ${record.cluster}/${record.node}: ${problem}`,
  );
}

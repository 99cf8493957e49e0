import type { BlockRow } from '../block-catalog.ts';
import { type Key, padded, shardOf } from './names.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Classes of blocks by how long they are. A block of a class is entered in the bucket of time in which it begins, so those
 * that overlap [from, until) begin in (from - span, until): few buckets of each class, whatever the length of the blocks.
 * The classes follow what compaction makes: fresh blocks, hours, days, months, and whatever is longer.
 *
 * Fresh blocks come fastest: 10,000 nodes make about 8 a second. Four shards take 4,000 writes of 1 KB a second.
 */
export const SPAN_CLASSES = [
  { span: 10 * MINUTE, bucket: 12 * HOUR, shards: 4 },
  { span: 3 * HOUR, bucket: 4 * DAY, shards: 1 },
  { span: 2 * DAY, bucket: 64 * DAY, shards: 1 },
  { span: 40 * DAY, bucket: 1024 * DAY, shards: 1 },
  { span: Number.POSITIVE_INFINITY, bucket: Number.POSITIVE_INFINITY, shards: 1 },
] as const;

/** Buckets of a class that are asked for without looking up first which of them exist. */
const MAX_DIRECT_BUCKETS = 4;

/** Where the entries of the blocks of one tenant, class and bucket are: one partition per shard. */
export interface SpanBucket {
  spanClass: number;
  bucket: number;
}

export function bucketOf({ minTime, maxTime }: Pick<BlockRow, 'minTime' | 'maxTime'>): SpanBucket {
  const spanClass = SPAN_CLASSES.findIndex(({ span }) => maxTime - minTime <= span);
  return { spanClass, bucket: bucketAt(spanClass, minTime) };
}

/** Since when blocks of a class may have begun that are not over at a time. */
export function earliestStart(spanClass: number, time: number): number {
  return Math.max(0, time - SPAN_CLASSES[spanClass].span);
}

/** The buckets of a class in which blocks begin in [from, until): all from `first` to `last`. */
export function bucketsFor(
  spanClass: number,
  from: number,
  until: number,
): { first: number; last: number; few: boolean } {
  const first = bucketAt(spanClass, from);
  const last = bucketAt(spanClass, Math.max(0, until - 1));
  return { first, last, few: last - first < MAX_DIRECT_BUCKETS };
}

function bucketAt(spanClass: number, time: number): number {
  return Math.floor(time / SPAN_CLASSES[spanClass].bucket);
}

/** Every shard of a bucket. */
export function entryPartitions(tenant: string, { spanClass, bucket }: SpanBucket): string[] {
  return Array.from({ length: SPAN_CLASSES[spanClass].shards }, (_, shard) =>
    entryPartition(tenant, spanClass, bucket, shard),
  );
}

function entryPartition(tenant: string, spanClass: number, bucket: number, shard: number): string {
  return `spans#${tenant}#${spanClass}#${padded(bucket)}#${shard}`;
}

/**
 * Key of a block's entry. It begins with the time at which the block begins, and ends with a digest of the entry, so that
 * of rival rows of one id each has its own.
 */
export function entryKey(
  row: Pick<BlockRow, 'tenant' | 'blockId' | 'minTime' | 'maxTime'>,
  digest: string,
): Key {
  const { spanClass, bucket } = bucketOf(row);
  const shard = shardOf(row.blockId, SPAN_CLASSES[spanClass].shards);
  const pk = entryPartition(row.tenant, spanClass, bucket, shard);
  return { pk, sk: `${entryOrder(row)}#${digest}` };
}

/** What sort keys of entries begin with: by (minTime, blockId), as '#' is before every character of an id. */
function entryOrder({ minTime, blockId }: Pick<BlockRow, 'minTime' | 'blockId'>): string {
  return `${padded(minTime)}#${blockId}`;
}

/** A sort key after all entries of the block, whatever their digests (hex), and before those of the next. */
export function afterEntries(row: Pick<BlockRow, 'minTime' | 'blockId'>): string {
  return `${entryOrder(row)}#~`;
}

/** The block that an entry is of. */
export function entryBlockId(sortKey: string): string {
  return sortKey.split('#')[1];
}

/** Key of the item that says that a tenant has blocks in the bucket. */
export function bucketKey(tenant: string, { spanClass, bucket }: SpanBucket): Key {
  return { pk: bucketsPartition(tenant), sk: bucketSortKey(spanClass, bucket) };
}

export function bucketsPartition(tenant: string): string {
  return `buckets#${tenant}`;
}

export function bucketSortKey(spanClass: number, bucket: number): string {
  return `${spanClass}#${padded(bucket)}`;
}

export function parseBucketSortKey(sortKey: string): SpanBucket {
  const [spanClass, bucket] = sortKey.split('#').map(Number);
  return { spanClass, bucket };
}

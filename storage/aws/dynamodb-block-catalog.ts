import { RetryableError } from '../../core/errors.ts';
import type { BlockCatalog, BlockPage, BlockRow, BlockSearch } from '../block-catalog.ts';
import { checkBlockRow, MAX_CATALOG_PAGE } from '../block-catalog.ts';
import { checkCount } from '../object-store.ts';
import { type Item, number, text } from './attribute-values.ts';
import {
  blockIdOf,
  byTime,
  entryOf,
  isSeen,
  matches,
  mayMatch,
  partsOf,
  rowFields,
  stateOf,
  toRow,
} from './block-items.ts';
import {
  afterEntries,
  bucketKey,
  bucketOf,
  bucketSortKey,
  bucketsFor,
  bucketsPartition,
  earliestStart,
  entryBlockId,
  entryKey,
  entryPartitions,
  parseBucketSortKey,
  SPAN_CLASSES,
  type SpanBucket,
} from './block-spans.ts';
import { deletionMarks } from './deletion-marks.ts';
import { newNonce } from './digests.ts';
import { type DynamoTable, MAX_BATCH_GET } from './dynamodb-table.ts';
import { inParallel } from './in-parallel.ts';
import { mergeAscending } from './merge-streams.ts';
import { blockKey, blockPartition, padded, rowPartKey, rowPartPrefix, tenantSwapsKey } from './names.ts';
import { blockSwaps } from './swap-blocks.ts';

/**
 * How often a search starts over because blocks were swapped under it, before the caller is asked to come again. A search
 * of 0.1 s beside 5 swaps a second of its tenant goes through at once with 61 %; all twelve fail once in 100,000 times.
 */
const MAX_SEARCHES = 12;

/** Entries per page of `list`: it often stops early. */
const ENTRY_PAGE = 250;

/**
 * BlockCatalog in DynamoDB. The item of a block decides whether it is live; entries by time only say where to look, and
 * are written before it: an entry without a live block means nothing. So one block is one item of a transaction.
 */
export function dynamodbBlockCatalog(table: DynamoTable, clock: () => number): BlockCatalog {
  const rows = blockRows(table);
  const { swap } = blockSwaps(table, clock, rows);
  return {
    async publish(row) {
      checkBlockRow(row);
      const nonce = newNonce();
      const { fields, digest, parts } = rowFields(row, nonce);
      await rows.announce(row, digest, parts);
      const outcome = await table.put(blockKey(row.blockId), fields, {
        condition: 'attribute_not_exists(pk)',
      });
      // The nonce tells an own write whose answer was lost below from that of another.
      const own = outcome.done || (outcome.old !== undefined && text(outcome.old, 'nonce') === nonce);
      return own ? 'published' : 'exists';
    },
    find: (search) => find(table, rows, search),
    async get(blockId, { withAside } = {}) {
      const item = await table.get(blockKey(blockId));
      return isSeen(item, withAside) ? (await rows.complete([item]))[0] : undefined;
    },
    swap,
    async listDeletionMarks(before, limit = MAX_CATALOG_PAGE) {
      checkCount('limit', limit, MAX_CATALOG_PAGE);
      return deletionMarks(table, before, limit);
    },
    async forget(blockId) {
      const item = await table.get(blockKey(blockId));
      if (item === undefined || stateOf(item) !== 'marked') return;
      const minTime = number(item, 'minTime');
      const maxTime = number(item, 'maxTime');
      const place = { blockId, tenant: text(item, 'tenant'), minTime, maxTime };
      const entry = entryKey(place, text(item, 'entry'));
      const { count, digest } = partsOf(item);
      const parts = Array.from({ length: count }, (_, part) => rowPartKey(blockId, digest, part));
      // The item goes last: until then a repeat finds what is left to do.
      await table.deleteMany([entry, ...parts]);
      await table.delete(blockKey(blockId), { condition: '#state = :marked', values: { marked: 'marked' } });
    },
    async list(page) {
      checkCount('limit', page.limit, MAX_CATALOG_PAGE);
      return list(table, rows, page);
    },
  };
}

export type BlockRows = ReturnType<typeof blockRows>;

/** Reads rows whole, and writes what must be there before a row. */
function blockRows(table: DynamoTable) {
  // Buckets that are known to exist, so that each is entered once in the life of a process.
  const known = new Set<string>();

  async function complete(items: Item[]): Promise<BlockRow[]> {
    return inParallel(items, async (item) => {
      const { count, digest } = partsOf(item);
      if (count === 0) return toRow(item);
      const parts: Uint8Array[] = [];
      const prefix = rowPartPrefix(digest);
      for await (const part of table.query(blockPartition(blockIdOf(item)), { prefix })) {
        parts[Number(text(part, 'sk').slice(prefix.length))] = part.content.B as Uint8Array;
      }
      return toRow(item, parts);
    });
  }
  return {
    /** The rows of items, with the parts that they lie in. */
    complete,
    /** The rows of those blocks that are live, or with `withAside` lie aside. */
    async seen(blockIds: string[], withAside: boolean | undefined): Promise<BlockRow[]> {
      const items = await table.getMany(blockIds.map(blockKey));
      return complete(items.filter((item) => isSeen(item, withAside)));
    },
    async announce(row: BlockRow, digest: string, parts: Uint8Array[]): Promise<void> {
      const bucket = bucketKey(row.tenant, bucketOf(row));
      const entry = entryOf(row);
      const bucketName = `${bucket.pk} ${bucket.sk}`;
      const writes = [
        ...parts.map((content, part) => () => table.put(rowPartKey(row.blockId, digest, part), { content })),
        () => table.put(entryKey(row, entry.digest), entry.fields),
        ...(known.has(bucketName) ? [] : [() => table.put(bucket, {})]),
      ];
      await inParallel(writes, (write) => write());
      known.add(bucketName);
    },
  };
}

/** Starts over when a swap came between: so what it answers held at one moment, and no reader sees both sides of a swap. */
async function find(table: DynamoTable, rows: BlockRows, search: BlockSearch): Promise<BlockRow[]> {
  if (!(search.from < search.until)) return [];
  for (let attempt = 0; attempt < MAX_SEARCHES; attempt++) {
    const before = await swapsOf(table, search.tenant);
    const found = await rows.seen(await findEntries(table, search), search.withAside);
    const matching = found.filter((row) => matches(row, search));
    if ((await swapsOf(table, search.tenant)) === before) return matching.sort(byTime);
  }
  throw new RetryableError(
    `blocks of tenant ${search.tenant} were swapped during each of ${MAX_SEARCHES} searches`,
  );
}

async function swapsOf(table: DynamoTable, tenant: string): Promise<number> {
  const item = await table.get(tenantSwapsKey(tenant));
  return item === undefined ? 0 : number(item, 'swaps');
}

/** Ids of the blocks that may match. */
async function findEntries(table: DynamoTable, search: BlockSearch): Promise<string[]> {
  const from = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.floor(search.from)));
  const until = Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(search.until));
  if (until <= 0) return [];
  const earliestOf = (spanClass: number) => (search.starting ? from : earliestStart(spanClass, from));
  const classes = await inParallel(
    SPAN_CLASSES.map((_, spanClass) => spanClass),
    (spanClass) => bucketsBetween(table, search.tenant, spanClass, earliestOf(spanClass), until),
  );
  const partitions = classes.flat().flatMap((bucket) => {
    const range = { from: padded(earliestOf(bucket.spanClass)), to: padded(until) };
    return entryPartitions(search.tenant, bucket).map((pk) => ({ pk, range }));
  });
  const ids = await inParallel(partitions, async ({ pk, range }) => {
    const blockIds: string[] = [];
    for await (const entry of table.query(pk, range)) {
      if (mayMatch(entry, { from, until, service: search.service }))
        blockIds.push(entryBlockId(text(entry, 'sk')));
    }
    return blockIds;
  });
  return [...new Set(ids.flat())];
}

/** Buckets of blocks that begin in [from, until): all when they are few, else those that exist. */
async function bucketsBetween(
  table: DynamoTable,
  tenant: string,
  spanClass: number,
  from: number,
  until: number,
): Promise<SpanBucket[]> {
  const { first, last, few } = bucketsFor(spanClass, from, until);
  if (few) return Array.from({ length: last - first + 1 }, (_, i) => ({ spanClass, bucket: first + i }));
  return existingBuckets(table, tenant, spanClass, first, last);
}

async function existingBuckets(
  table: DynamoTable,
  tenant: string,
  spanClass: number,
  first: number,
  last: number,
): Promise<SpanBucket[]> {
  const range = { from: bucketSortKey(spanClass, first), to: bucketSortKey(spanClass, last) };
  const buckets: SpanBucket[] = [];
  for await (const item of table.query(bucketsPartition(tenant), range)) {
    buckets.push(parseBucketSortKey(text(item, 'sk')));
  }
  return buckets;
}

async function list(
  table: DynamoTable,
  rows: BlockRows,
  { tenant, level, after, limit, withAside }: BlockPage,
): Promise<BlockRow[]> {
  const start = after && afterEntries(after);
  const classes = await inParallel(
    SPAN_CLASSES.map((_, spanClass) => spanClass),
    (spanClass) => {
      const { first } = bucketsFor(spanClass, Math.min(Number.MAX_SAFE_INTEGER, after?.minTime ?? 0), 0);
      return existingBuckets(table, tenant, spanClass, first, Number.MAX_SAFE_INTEGER);
    },
  );
  const streams = classes.flatMap((buckets, spanClass) =>
    Array.from({ length: SPAN_CLASSES[spanClass].shards }, (_, shard) =>
      entriesOf(table, tenant, buckets, shard, start),
    ),
  );
  const found: BlockRow[] = [];
  const waiting: string[] = [];
  const take = async () => {
    const keys = new Set(waiting.splice(0));
    const seen = await rows.seen([...new Set([...keys].map(entryBlockId))], withAside);
    // Rows by their own entries only: those of rivals that came too late are in other places.
    const own = seen.filter(
      (row) => row.tenant === tenant && keys.has(entryKey(row, entryOf(row).digest).sk),
    );
    found.push(...own.sort(byTime));
  };
  for await (const entry of mergeAscending(streams, (item) => text(item, 'sk'))) {
    if (level !== undefined && number(entry, 'level') !== level) continue;
    if (waiting.at(-1) !== text(entry, 'sk')) waiting.push(text(entry, 'sk'));
    if (waiting.length === Math.min(MAX_BATCH_GET, limit)) await take();
    if (found.length >= limit) break;
  }
  if (found.length < limit && waiting.length > 0) await take();
  return found.slice(0, limit);
}

/** The entries of one shard of a class, over its buckets, from after `start`. */
async function* entriesOf(
  table: DynamoTable,
  tenant: string,
  buckets: SpanBucket[],
  shard: number,
  start: string | undefined,
): AsyncGenerator<Item> {
  for (const bucket of buckets) {
    yield* table.query(entryPartitions(tenant, bucket)[shard], { from: start, pageSize: ENTRY_PAGE });
  }
}

import { createHash } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import { RejectedError } from '../../core/errors.ts';
import type { BlockCatalog, BlockRow, BlockSwap, DatasetRow } from '../block-catalog.ts';
import {
  asideEffectOf,
  changedIds,
  checkBlockRow,
  checkSwap,
  MAX_CATALOG_PAGE,
  SWAP_TOKEN_MEMORY_MS,
} from '../block-catalog.ts';
import { checkCount } from '../object-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Fields = Record<string, unknown>;

/**
 * The rows of a table `r` that overlap [:from, :until): the join reads, for each class of spans, the run of the index that
 * can overlap; see the schema. CROSS JOIN keeps the classes outermost.
 */
const overlapping = (table: string) => `span_classes s CROSS JOIN ${table} r
  WHERE r.span_class = s.span_class AND r.min_time > :from - s.length AND r.min_time < :until AND r.max_time > :from
    AND r.tenant = :tenant`;

/** Live ones, and with :withAside those that lie aside. */
const SEEN = '(:withAside OR aside IS NULL)';

const FIND = `SELECT r.* FROM ${overlapping('blocks')} AND ${SEEN} ORDER BY r.min_time, r.block_id`;
const FIND_SERVICE = `
  SELECT * FROM blocks
  WHERE block_id IN (SELECT r.block_id FROM ${overlapping('block_services')} AND r.service = :service)
    AND ${SEEN}
  ORDER BY min_time, block_id`;
const FIND_STARTING = `
  SELECT * FROM blocks
  WHERE tenant = :tenant AND min_time >= :from AND min_time < :until AND ${SEEN}
  ORDER BY min_time, block_id`;
const INSERT = `
  INSERT INTO blocks VALUES (:blockId, :tenant, :level, :resolutionSeconds, :minTime, :maxTime, :spanClass, :size,
    :directoryOffset, :directoryLength, :createdAt, :datasets, :batchIds, NULL)`;

/** BlockCatalog in SQLite: a row per block, and an index row per dataset to find blocks by service and time. */
export function sqliteBlockCatalog(database: SqliteDatabase, clock: () => number): BlockCatalog {
  const sql = prepareAll(database);

  function known(blockId: string): boolean {
    return sql.known.get({ blockId }) !== undefined;
  }
  function insert(row: BlockRow): void {
    sql.insert.run(toFields(row));
    for (const dataset of row.datasets) sql.insertService.run(serviceFields(row, dataset));
  }
  function mark(blockId: string): void {
    sql.mark.run({ blockId, markedAt: clock() });
    sql.removeServices.run({ blockId });
    sql.remove.run({ blockId });
  }
  /** Whether it is in the catalog and lies aside; undefined when it is not there. */
  function liesAside(blockId: string): boolean | undefined {
    const fields = sql.get.get({ blockId });
    return fields && fields.aside !== null;
  }
  function applySwap(swap: BlockSwap, effect: string): 'done' | 'conflict' {
    const { remove, add, setAside = [], putBack = [], removeAside = [], token } = swap;
    const before = sql.swapped.get({ token });
    if (before?.effect === effect) return 'done';
    if (before)
      throw new RejectedError('invalid', `token ${JSON.stringify(token)} was used for another swap`);
    const fromAside = new Set([...putBack, ...removeAside]);
    const isThere = (blockId: string) => liesAside(blockId) === fromAside.has(blockId);
    if (!changedIds(swap).every(isThere) || add.some((row) => known(row.blockId))) return 'conflict';
    for (const blockId of [...remove, ...removeAside]) mark(blockId);
    add.forEach(insert);
    for (const { blockId, aside } of setAside) sql.setAside.run({ blockId, aside: JSON.stringify(aside) });
    for (const blockId of putBack) sql.setAside.run({ blockId, aside: null });
    sql.forgetSwaps.run({ before: clock() - SWAP_TOKEN_MEMORY_MS });
    sql.keepSwap.run({ token, effect, at: clock() });
    return 'done';
  }

  return {
    async publish(row) {
      checkBlockRow(row);
      return database.write(() => {
        if (known(row.blockId)) return 'exists';
        insert(row);
        return 'published';
      });
    },
    async find({ tenant, from, until, service, starting = false, withAside = false }) {
      if (!(from < until)) return [];
      const range = { tenant, from, until, withAside: Number(withAside) };
      const search = starting ? sql.findStarting : sql.find;
      return database.read(() => {
        if (service === undefined) return search.all(range).map(toRow);
        const rows = sql.findService.all({ ...range, service }).map(toRow);
        return starting ? rows.filter(({ minTime }) => minTime >= from) : rows;
      });
    },
    async get(blockId, { withAside = false } = {}) {
      return database.read(() => {
        const fields = sql.get.get({ blockId });
        return fields && (withAside || fields.aside === null) ? toRow(fields) : undefined;
      });
    },
    async swap(swap) {
      checkSwap(swap);
      const effect = effectOf(swap);
      return database.write(() => applySwap(swap, effect));
    },
    async listDeletionMarks(before, limit = MAX_CATALOG_PAGE) {
      checkCount('limit', limit, MAX_CATALOG_PAGE);
      return database.read(() => sql.marks.all({ before, limit }).map(toMark));
    },
    async forget(blockId) {
      await database.write(() => sql.forget.run({ blockId }));
    },
    async list({ tenant, level, after, limit, withAside = false }) {
      checkCount('limit', limit, MAX_CATALOG_PAGE);
      const start = { minTime: after?.minTime ?? -1, blockId: after?.blockId ?? '' };
      const page = { tenant, ...start, limit, withAside: Number(withAside) };
      return database.read(() =>
        (level === undefined ? sql.list.all(page) : sql.listLevel.all({ ...page, level })).map(toRow),
      );
    },
  };
}

function prepareAll(database: SqliteDatabase): Record<string, StatementSync> {
  const page = `${SEEN} AND (min_time, block_id) > (:minTime, :blockId) ORDER BY min_time, block_id LIMIT :limit`;
  const statements = {
    find: FIND,
    findService: FIND_SERVICE,
    findStarting: FIND_STARTING,
    insert: INSERT,
    insertService: `INSERT OR IGNORE INTO block_services VALUES (:tenant, :service, :spanClass, :minTime, :maxTime, :blockId)`,
    get: 'SELECT * FROM blocks WHERE block_id = :blockId',
    known: `SELECT 1 FROM blocks WHERE block_id = :blockId UNION ALL SELECT 1 FROM deletion_marks WHERE block_id = :blockId`,
    remove: 'DELETE FROM blocks WHERE block_id = :blockId',
    setAside: 'UPDATE blocks SET aside = :aside WHERE block_id = :blockId',
    removeServices: 'DELETE FROM block_services WHERE block_id = :blockId',
    mark: 'INSERT INTO deletion_marks SELECT block_id, tenant, level, :markedAt FROM blocks WHERE block_id = :blockId',
    marks: 'SELECT * FROM deletion_marks WHERE marked_at < :before ORDER BY marked_at, block_id LIMIT :limit',
    forget: 'DELETE FROM deletion_marks WHERE block_id = :blockId',
    swapped: 'SELECT effect FROM swaps WHERE token = :token',
    keepSwap: 'INSERT INTO swaps VALUES (:token, :effect, :at)',
    forgetSwaps: 'DELETE FROM swaps WHERE swapped_at < :before',
    list: `SELECT * FROM blocks WHERE tenant = :tenant AND ${page}`,
    listLevel: `SELECT * FROM blocks WHERE tenant = :tenant AND level = :level AND ${page}`,
  };
  return Object.fromEntries(Object.entries(statements).map(([name, text]) => [name, database.prepare(text)]));
}

/** The class c of a span: 2^(c-1) < span ≤ 2^c, exact for all safe integers. */
function spanClass(minTime: number, maxTime: number): number {
  const span = maxTime - minTime;
  let shift = 0;
  while (2 ** shift < span) shift++;
  return shift;
}

/** Only the fields of the port, in fixed order: equal rows give equal fields, whatever else the caller's object carries. */
function toFields(row: BlockRow) {
  const datasets = row.datasets.map(({ service, profileTypes, minTime, maxTime }) => {
    return { service, profileTypes, minTime, maxTime };
  });
  return {
    blockId: row.blockId,
    tenant: row.tenant,
    level: row.level,
    resolutionSeconds: row.resolutionSeconds,
    minTime: row.minTime,
    maxTime: row.maxTime,
    spanClass: spanClass(row.minTime, row.maxTime),
    size: row.size,
    directoryOffset: row.directoryOffset,
    directoryLength: row.directoryLength,
    createdAt: row.createdAt,
    datasets: JSON.stringify(datasets),
    batchIds: JSON.stringify(row.batchIds),
  };
}

function serviceFields(row: BlockRow, dataset: DatasetRow) {
  const { minTime, maxTime, service } = dataset;
  return {
    tenant: row.tenant,
    service,
    spanClass: spanClass(minTime, maxTime),
    minTime,
    maxTime,
    blockId: row.blockId,
  };
}

function toRow(fields: Fields): BlockRow {
  return {
    blockId: String(fields.block_id),
    tenant: String(fields.tenant),
    level: Number(fields.level),
    resolutionSeconds: Number(fields.resolution_seconds),
    minTime: Number(fields.min_time),
    maxTime: Number(fields.max_time),
    size: Number(fields.size),
    directoryOffset: Number(fields.directory_offset),
    directoryLength: Number(fields.directory_length),
    createdAt: Number(fields.created_at),
    datasets: JSON.parse(String(fields.datasets)),
    batchIds: JSON.parse(String(fields.batch_ids)),
    ...(fields.aside !== null && { aside: JSON.parse(String(fields.aside)) }),
  };
}

function toMark(fields: Fields) {
  return {
    blockId: String(fields.block_id),
    tenant: String(fields.tenant),
    level: Number(fields.level),
    markedAt: Number(fields.marked_at),
  };
}

/** Equal for swaps that do the same, whatever the order of their blocks. */
function effectOf({ remove, add, ...asides }: BlockSwap): string {
  const rows = add.map((row) => JSON.stringify(toFields(row)));
  const text = JSON.stringify([[...remove].sort(), rows.sort(), ...asideEffectOf(asides)]);
  return createHash('sha256').update(text).digest('hex');
}

import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { RetryableError } from '../../core/errors.ts';
import { SCHEMA_STEPS } from './schema.ts';

/** How long a statement waits for a lock that another connection holds. */
const BUSY_TIMEOUT_MS = 5000;

/** Most writes that share one commit. */
const MAX_GROUP = 256;

/** The write-ahead log is copied into the database at this many pages of 4 KiB: payloads pass in bulk. */
const CHECKPOINT_PAGES = 4000;

/** The log is cut to this size after a checkpoint. */
const LOG_BYTES = 64 * 1024 * 1024;

/**
 * One SQLite file that all embedded adapters share.
 *
 * `node:sqlite` is synchronous: a statement holds up the event loop, a commit waits for the disk. So writes that are
 * asked for in the same turn of the loop share one transaction, and one wait.
 */
export interface SqliteDatabase {
  /** The statement takes whole objects: properties that it does not name are ignored. */
  prepare(sql: string): StatementSync;
  /** Runs `work` at once. It must only read. */
  read<T>(work: () => T): Promise<T>;
  /**
   * Runs `work` within a transaction, after all that was asked for before, and resolves once it is on disk. All of `work`
   * takes effect or, if it throws, nothing of it.
   */
  write<T>(work: () => T): Promise<T>;
  /** Finishes the writes asked for, then closes. Later calls are refused with RetryableError. */
  close(): Promise<void>;
}

interface Pending {
  work: () => unknown;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

/**
 * Opens the file, or makes it readable by its owner only: it holds the secrets that agents sign with.
 * @throws RetryableError when it cannot be opened now; Error when it is damaged or of a newer schema.
 */
export function openSqliteDatabase(file: string): SqliteDatabase {
  const db = openFile(file);
  const waiting: Pending[] = [];
  let closed = false;

  function flush(): void {
    while (waiting.length > 0) commitGroup(db, waiting.splice(0, MAX_GROUP));
  }
  function checkOpen(): void {
    if (closed) throw new RetryableError(`the database ${file} is closed: the server is stopping`);
  }
  return {
    prepare(sql) {
      const statement = db.prepare(sql);
      statement.setAllowUnknownNamedParameters(true);
      return statement;
    },
    async read(work) {
      checkOpen();
      return translated(work);
    },
    async write<T>(work: () => T) {
      checkOpen();
      if (waiting.length === 0) setImmediate(flush);
      return new Promise<T>((resolve, reject) => waiting.push({ work, resolve, reject }));
    },
    async close() {
      if (closed) return;
      closed = true;
      flush();
      db.close();
    },
  };
}

function openFile(file: string): DatabaseSync {
  return translated(() => {
    // SQLite gives its log and shared-memory files the mode of the database.
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
    const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    try {
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
        PRAGMA journal_size_limit = ${LOG_BYTES}`);
      migrate(db, file);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

function migrate(db: DatabaseSync, file: string): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    if (version > SCHEMA_STEPS.length) {
      throw new Error(
        `${file} was written by a newer Cinderblock: its schema is ${version}, this one knows ${SCHEMA_STEPS.length}`,
      );
    }
    for (const step of SCHEMA_STEPS.slice(version)) db.exec(step);
    db.exec(`PRAGMA user_version = ${SCHEMA_STEPS.length}; COMMIT`);
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Runs the group in one transaction; one that throws is undone alone, and a commit that fails undoes and fails all. */
function commitGroup(db: DatabaseSync, group: Pending[]): void {
  const done: (() => void)[] = [];
  try {
    translated(() => {
      db.exec('BEGIN IMMEDIATE');
      for (const pending of group) done.push(runOne(db, pending));
      db.exec('COMMIT');
    });
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    for (const { reject } of group) reject(error);
    return;
  }
  for (const settle of done) settle();
}

function runOne(db: DatabaseSync, { work, resolve, reject }: Pending): () => void {
  db.exec('SAVEPOINT one');
  try {
    const value = translated(work);
    db.exec('RELEASE one');
    return () => resolve(value as never);
  } catch (error) {
    // A full disk can end the whole transaction; then there is no savepoint left and the group fails as one.
    if (!db.isTransaction) throw error;
    db.exec('ROLLBACK TO one; RELEASE one');
    return () => reject(error);
  }
}

/** SQLite's primary result codes that say "not now": busy, locked, no memory, read-only, I/O error, full, cannot open. */
const RETRYABLE_CODES = new Set([5, 6, 7, 8, 10, 13, 14]);

/** Runs `work` and turns errors of SQLite that may pass into RetryableError. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = (error as { errcode?: number }).errcode;
    if (code === undefined || !RETRYABLE_CODES.has(code & 0xff)) throw error;
    throw new RetryableError(`the database does not take the call: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

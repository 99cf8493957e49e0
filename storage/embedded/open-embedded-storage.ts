import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RetryableError } from '../../core/errors.ts';
import type { BatchQueue } from '../batch-queue.ts';
import type { BlockCatalog } from '../block-catalog.ts';
import type { LeaseStore } from '../lease.ts';
import type { ObjectStore } from '../object-store.ts';
import type { Registry } from '../registry.ts';
import { openFileObjectStore } from './file-object-store.ts';
import { holdsFolder, lockFolder } from './folder-lock.ts';
import { sqliteBatchQueue } from './sqlite-batch-queue.ts';
import { sqliteBlockCatalog } from './sqlite-block-catalog.ts';
import { openSqliteDatabase } from './sqlite-database.ts';
import { sqliteLeaseStore } from './sqlite-lease-store.ts';
import { sqliteRegistry } from './sqlite-registry.ts';

/** Every port, on one data folder of one machine. */
export interface EmbeddedStorage {
  objects: ObjectStore;
  catalog: BlockCatalog;
  queue: BatchQueue;
  registry: Registry;
  leases: LeaseStore;
  /** Finishes the writes under way and gives the folder back. */
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Made if it is not there, readable by its owner only. */
  folder: string;
  /** Now, in ms since epoch. */
  clock: () => number;
  /** How often a batch is delivered before it becomes a dead letter. */
  maxReceives?: number;
}

/**
 * Opens, or lays out, a data folder:
 *
 *     lock, lock.json      who has the folder
 *     cinderblock.sqlite   catalog, queue, registry, leases (mode 0600: it holds the agents' secrets)
 *     objects/<key>        objects
 *     incoming/            objects being written; what a crash left there is removed
 *
 * @throws RetryableError when another process has the folder, naming both, or when it cannot be written now; Error when
 * the database is damaged or was written by a newer version.
 */
export async function openEmbeddedStorage(options: EmbeddedOptions): Promise<EmbeddedStorage> {
  makeFolder(options.folder);
  const unlock = lockFolder(options.folder);
  try {
    return await openPorts(options, false, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * Opens a folder that another thread of this process has open already: the lock keeps processes apart, and SQLite and
 * the names of files keep threads apart. Close it before that thread gives the folder back.
 *
 * @throws RetryableError when this process does not have the folder
 */
export async function joinEmbeddedStorage(options: EmbeddedOptions): Promise<EmbeddedStorage> {
  if (!holdsFolder(options.folder))
    throw new RetryableError(`this process does not have the data folder ${options.folder} open`);
  return openPorts(options, true, () => undefined);
}

async function openPorts(
  { folder, clock, maxReceives }: EmbeddedOptions,
  isJoining: boolean,
  giveBack: () => void,
): Promise<EmbeddedStorage> {
  const objects = await openFileObjectStore({ folder, clock, isJoining });
  const database = openSqliteDatabase(join(folder, 'cinderblock.sqlite'));
  return {
    objects,
    catalog: sqliteBlockCatalog(database, clock),
    queue: sqliteBatchQueue(database, clock, maxReceives),
    registry: sqliteRegistry(database),
    leases: sqliteLeaseStore(database, clock),
    async close() {
      await database.close();
      giveBack();
    },
  };
}

function makeFolder(folder: string): void {
  try {
    if (mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(folder, 0o700);
  } catch (cause) {
    throw new RetryableError(`cannot make the data folder ${folder}: ${(cause as Error).message}`, { cause });
  }
}

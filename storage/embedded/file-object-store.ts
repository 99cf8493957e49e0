import { randomUUID } from 'node:crypto';
import { closeSync, type Dirent, fstatSync, openSync, readSync } from 'node:fs';
import * as nodeFiles from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RejectedError, RetryableError } from '../../core/errors.ts';
import type { ObjectEntry, ObjectStore } from '../object-store.ts';
import {
  checkByteRange,
  checkCount,
  checkKeyPrefix,
  checkObjectKey,
  MAX_LIST_LENGTH,
} from '../object-store.ts';
import { codeOf, DurableFolders, syncFolder, type WritingFiles } from './durable-folders.ts';

export interface FileObjectStoreOptions {
  /** Objects go to `objects/<key>` in it, and are written in `incoming/` first: both on one file system. */
  folder: string;
  /** Now, in ms since epoch. */
  clock: () => number;
  files?: WritingFiles;
  /** Leave temporary files alone: another thread of this process may be writing them. Default false. */
  isJoining?: boolean;
}

/** Reads up to this many bytes are made at once: through the thread pool they would take ten times as long. */
const INLINE_READ_BYTES = 1024 * 1024;

/**
 * ObjectStore on files. An object is written to a temporary file, synced, and linked to its name, which fails when the
 * name is taken: so an object is whole or absent at every moment, and never replaced. Opening removes what a crash left
 * of temporary files, so no other process may be writing to the folder then (see folder-lock.ts).
 */
export async function openFileObjectStore(options: FileObjectStoreOptions): Promise<ObjectStore> {
  const { folder, clock, files = nodeFiles } = options;
  const root = join(folder, 'objects');
  const incoming = join(folder, 'incoming');
  await answered('open', folder, async () => {
    if (options.isJoining !== true) await nodeFiles.rm(incoming, { recursive: true, force: true });
    await nodeFiles.mkdir(incoming, { recursive: true });
    await nodeFiles.mkdir(root, { recursive: true });
    await syncFolder(files, folder);
  });
  const folders = new DurableFolders(files, root);
  return {
    async put(key, bytes) {
      checkObjectKey(key);
      const temporary = join(incoming, randomUUID());
      return answered('put', key, async () => {
        try {
          await writeDurably(files, temporary, bytes, clock());
          return await linkTo(files, folders, temporary, join(root, key), key);
        } finally {
          await files.unlink(temporary).catch(ignoreMissing);
        }
      });
    },
    async get(key) {
      return withObject(root, key, (file, size) => readAt(file, 0, size));
    },
    async getRange(key, start, end) {
      checkByteRange(start, end);
      const bytes = await withObject(root, key, (file, size) => readAt(file, start, Math.min(end, size)));
      return bytes ?? notFound(key);
    },
    async getTail(key, length) {
      checkCount('length', length);
      const tail = await withObject(root, key, async (file, size) => {
        return { bytes: await readAt(file, Math.max(0, size - length), size), size };
      });
      return tail ?? notFound(key);
    },
    async delete(key) {
      checkObjectKey(key);
      await answered('delete', key, () => files.unlink(join(root, key)).catch(ignoreMissing));
    },
    async list(prefix, { after = '', limit }) {
      checkKeyPrefix(prefix);
      checkCount('limit', limit, MAX_LIST_LENGTH);
      const entries: ObjectEntry[] = [];
      await answered('list', prefix, () => walk({ root, prefix, after, limit, entries }, ''));
      return entries;
    },
  };
}

async function writeDurably(
  files: WritingFiles,
  path: string,
  bytes: Uint8Array,
  now: number,
): Promise<void> {
  const file = await files.open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.utimes(now / 1000, now / 1000);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Both answers promise durability, so the folder is synced even when another put won the name a moment ago. */
async function linkTo(
  files: WritingFiles,
  folders: DurableFolders,
  temporary: string,
  path: string,
  key: string,
): Promise<'created' | 'exists'> {
  const folder = dirname(path);
  try {
    await folders.make(folder);
    await files.link(temporary, path);
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') throw notATree(key);
    if (codeOf(error) !== 'EEXIST') throw error;
    if ((await nodeFiles.stat(path)).isDirectory()) throw notATree(key);
    await syncFolder(files, folder);
    return 'exists';
  }
  await syncFolder(files, folder);
  return 'created';
}

/** `use` of the open object and its size, or undefined when there is none. */
async function withObject<T>(
  root: string,
  key: string,
  use: (file: number, size: number) => Promise<T>,
): Promise<T | undefined> {
  checkObjectKey(key);
  return answered('read', key, async () => {
    const file = openIfThere(join(root, key));
    if (file === undefined) return undefined;
    try {
      const stat = fstatSync(file);
      return stat.isFile() ? await use(file, stat.size) : undefined;
    } finally {
      closeSync(file);
    }
  });
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The bytes [start, end) of an open file; none when start ≥ end. */
async function readAt(file: number, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, end - start));
  for (let read = 0; read < bytes.length; ) {
    const piece = bytes.subarray(read, read + INLINE_READ_BYTES);
    const count = readSync(file, piece, 0, piece.length, start + read);
    if (count === 0) throw new RetryableError('the file ended before its size: the disk lost bytes of it');
    read += count;
    // Between the pieces of a large read others get their turn.
    if (read < bytes.length) await new Promise(setImmediate);
  }
  return bytes;
}

interface Walk {
  root: string;
  prefix: string;
  after: string;
  limit: number;
  entries: ObjectEntry[];
}

/** Adds the objects below `folder` (a key that ends in '/', or '') in order of their keys, until the limit is reached. */
async function walk(search: Walk, folder: string): Promise<void> {
  const { prefix, after, limit, entries } = search;
  const names = (await readFolder(join(search.root, folder))).map((entry) =>
    entry.isDirectory() ? `${entry.name}/` : entry.name,
  );
  // With the '/' that follows a folder's name in its keys, the order of names is that of keys.
  for (const name of names.sort()) {
    if (entries.length >= limit) return;
    const key = folder + name;
    if (!name.endsWith('/')) {
      if (key.startsWith(prefix) && key > after) await addEntry(search, key);
    } else if (overlaps(key, prefix) && (key > after || after.startsWith(key))) await walk(search, key);
  }
}

function overlaps(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder);
}

async function readFolder(path: string): Promise<Dirent[]> {
  const entries = await nodeFiles.readdir(path, { withFileTypes: true }).catch(ignoreMissing);
  return (entries ?? []).filter((entry) => entry.isDirectory() || entry.isFile());
}

async function addEntry({ root, entries }: Walk, key: string): Promise<void> {
  const stat = await nodeFiles.stat(join(root, key)).catch(ignoreMissing);
  if (stat) entries.push({ key, size: stat.size, writtenAt: Math.round(stat.mtimeMs) });
}

/** Absence is no error to who deletes or lists. */
function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
  throw error;
}

function notFound(key: string): never {
  throw new RejectedError('not-found', `there is no object ${key}`);
}

function notATree(key: string): RejectedError {
  return new RejectedError('invalid', `object key ${key} lies below another object, or above one`);
}

/** Runs a call on the file system; its errors are of the disk and not of the input, so the same call may go through later. */
async function answered<T>(what: string, key: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || error instanceof RejectedError || error instanceof RetryableError) throw error;
    const full = code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full: ' : '';
    throw new RetryableError(`cannot ${what} ${key}: ${full}${(error as Error).message}`, { cause: error });
  }
}

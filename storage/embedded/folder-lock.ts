import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RetryableError } from '../../core/errors.ts';

const HOLDER_FILE = 'lock.json';

/**
 * Takes a data folder for this process alone and answers how to give it back.
 *
 * The lock is SQLite's own on a file of its own: the operating system drops it when the process ends, however that
 * happens, so there is no stale lock to judge. Who holds it is written beside it, only for the message.
 * @throws RetryableError when a live process, this one included, holds the folder.
 */
export function lockFolder(folder: string): () => void {
  const holderFile = join(folder, HOLDER_FILE);
  const lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new RetryableError(
      `data folder ${folder} is in use by ${holder(holderFile)}; stop it or choose another`,
      {
        cause,
      },
    );
  }
  writeFileSync(holderFile, JSON.stringify({ pid: process.pid, host: hostname() }));
  return () => {
    rmSync(holderFile, { force: true });
    lock.close();
  };
}

/** Whether this process has the folder, in whatever thread. */
export function holdsFolder(folder: string): boolean {
  try {
    const { pid, host } = JSON.parse(readFileSync(join(folder, HOLDER_FILE), 'utf8'));
    return pid === process.pid && host === hostname();
  } catch {
    return false;
  }
}

function holder(holderFile: string): string {
  try {
    const { pid, host } = JSON.parse(readFileSync(holderFile, 'utf8'));
    return `process ${pid} on ${host}`;
  } catch {
    // Not yet written, or just removed.
    return 'another process';
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `use` with a new empty folder and removes it, whatever happens. */
export async function withFreshFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await freshFolder();
  try {
    return await use(folder);
  } finally {
    await removeFolder(folder);
  }
}

/** A new empty folder; who asks removes it. */
export function freshFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'cinderblock-storage-'));
}

export function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}

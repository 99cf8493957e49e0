import type * as nodeFiles from 'node:fs/promises';
import { dirname } from 'node:path';

/** The calls by which an object comes to be; tests put failing ones in their place. */
export type WritingFiles = Pick<typeof nodeFiles, 'open' | 'link' | 'unlink' | 'mkdir'>;

/**
 * Makes folders and syncs the entry of each in the one above, once in the life of a store: also of a folder that is there
 * already, since who made it may have been stopped before the sync. Puts that need one folder wait for one sync.
 */
export class DurableFolders {
  readonly #files: WritingFiles;
  readonly #made = new Map<string, Promise<void>>();

  /** @param root is there and durable. */
  constructor(files: WritingFiles, root: string) {
    this.#files = files;
    this.#made.set(root, Promise.resolve());
  }

  make(folder: string): Promise<void> {
    const known = this.#made.get(folder);
    if (known) return known;
    const making = this.#make(folder);
    this.#made.set(folder, making);
    making.catch(() => this.#made.delete(folder));
    return making;
  }

  async #make(folder: string): Promise<void> {
    await this.make(dirname(folder));
    await this.#files.mkdir(folder).catch((error) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await syncFolder(this.#files, dirname(folder));
  }
}

/** Waits until the entries of the folder are on disk. */
export async function syncFolder(files: WritingFiles, folder: string): Promise<void> {
  const handle = await files.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The system's name of an error, such as ENOENT, if it has one. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

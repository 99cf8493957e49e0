import { existsSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RangeSource } from '../../core/block/block-reader.ts';
import { BLOCKS } from '../../storage/names.ts';
import { isKeySegment } from '../../storage/object-store.ts';
import { UsageError } from '../exit-code.ts';

/** A block in a file, read by ranges. */
export interface BlockFile {
  readonly path: string;
  readonly size: number;
  readonly source: RangeSource;
  close(): Promise<void>;
}

export async function openBlockFile(path: string): Promise<BlockFile> {
  const file = await open(path, 'r');
  const { size } = await file.stat();
  const source: RangeSource = {
    read: (start, end) => readAt(file, start, Math.min(end, size)),
    tail: async (length) => ({ bytes: await readAt(file, Math.max(0, size - length), size), size }),
  };
  return { path, size, source, close: () => file.close() };
}

async function readAt(file: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, end - start));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
    // Shorter than it was when it was opened: whoever reads on finds the bytes missing.
    if (bytesRead === 0) return bytes.subarray(0, filled);
    filled += bytesRead;
  }
  return bytes;
}

/**
 * The files that arguments name: each a path, or with `--data` the id of a block in that folder. Blocks are never
 * changed, so a folder may be read while a server holds it.
 * @throws UsageError when there is no such file or block
 */
export async function blockPaths(
  names: readonly string[],
  dataFolder: string | undefined,
): Promise<string[]> {
  const paths: string[] = [];
  for (const name of names) {
    const stored = dataFolder === undefined ? undefined : await storedBlock(dataFolder, name);
    if (stored === undefined && !existsSync(name)) {
      const hint =
        dataFolder === undefined
          ? '; for the id of a stored block, say where with --data'
          : ` in ${dataFolder}`;
      throw new UsageError(`there is no block ${name}${hint}`);
    }
    paths.push(stored ?? name);
  }
  return paths;
}

/** Looks in every tenant and level: the layout is storage/names.ts's `blocks/<tenant>/<level>/<id>.block`. */
async function storedBlock(dataFolder: string, blockId: string): Promise<string | undefined> {
  if (!isKeySegment(blockId)) return undefined;
  const root = join(dataFolder, 'objects', BLOCKS);
  if (!existsSync(root)) throw new UsageError(`${dataFolder} is no data folder of Cinderblock`);
  for (const tenant of await readdir(root)) {
    for (const level of await readdir(join(root, tenant))) {
      const path = join(root, tenant, level, `${blockId}.block`);
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}

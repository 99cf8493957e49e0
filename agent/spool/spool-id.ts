import { isFileSystemError, type SpoolFs } from './spool-fs.ts';

/** Holds the boot id of the agent that made the folder. A folder that comes back empty gets another. */
const ID_FILE = 'id';
const ID = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * The id of a spool's folder; the first time, that is `bootId`, which was never used before. Where it cannot be written
 * the next start gets another.
 */
export function spoolIdOf(fs: SpoolFs, folder: string, bootId: string): string {
  const file = fs.open(`${folder}/${ID_FILE}`);
  try {
    const known = new TextDecoder().decode(file.read(0, file.size()));
    // The end of the line shows that it was written whole.
    if (known.endsWith('\n') && ID.test(known.slice(0, -1))) return known.slice(0, -1);
    file.truncate(0);
    file.write(0, new TextEncoder().encode(`${bootId}\n`));
    file.sync();
    fs.syncFolder(folder);
  } catch (error) {
    if (!isFileSystemError(error)) throw error;
  } finally {
    file.close();
  }
  return bootId;
}

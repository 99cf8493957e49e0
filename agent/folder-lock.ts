import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { RejectedError } from '../core/errors.ts';

/**
 * Holds a folder for this process: two agents on one spool would send each other's batches. A lock of a process that
 * died is taken over; a pid that came back is told from the holder by when the process started.
 * @returns releases it
 * @throws RejectedError('invalid') when another live process holds it
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = `${folder}/lock`;
  const holder = readHolder(path);
  if (holder !== undefined && holder.pid !== process.pid && startOf(holder.pid) === holder.start) {
    throw new RejectedError(
      'invalid',
      `the agent with pid ${holder.pid} uses ${folder}; set another CINDERBLOCK_AGENT_DIR`,
    );
  }
  const next = `${path}.${process.pid}`;
  writeFileSync(next, `${process.pid} ${startOf(process.pid)}\n`, { mode: 0o600 });
  renameSync(next, path);
  return () => rmSync(path, { force: true });
}

function readHolder(path: string): { pid: number; start: string } | undefined {
  try {
    const [pid, start] = readFileSync(path, 'utf8').trim().split(' ');
    return start === undefined ? undefined : { pid: Number(pid), start };
  } catch {
    return undefined;
  }
}

/** When a process started, in the kernel's own count (field 22 of /proc/PID/stat); "gone" when it did not. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything, so fields are counted from behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'unknown';
  } catch {
    return 'gone';
  }
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RetryableError } from '../core/errors.ts';
import type { Hub } from '../pipeline/hub.ts';
import { openHub } from '../server/open-hub.ts';
import { openEmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { UsageError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** A data folder that is ours until it is closed. */
export interface DataFolder {
  readonly hub: Hub;
  close(): Promise<void>;
}

/**
 * Opens a data folder that no server holds.
 * @param instead what else can be done where one does, as the end of a sentence
 * @throws UsageError when there is no such folder, RetryableError when a server holds it
 */
export async function openDataFolder(
  folder: string,
  terminal: Terminal,
  instead?: string,
): Promise<DataFolder> {
  if (!existsSync(join(folder, 'cinderblock.sqlite')))
    throw new UsageError(`${folder} is no data folder of Cinderblock`);
  const storage = await openLocked(folder, terminal, instead);
  const telemetry = { count() {}, gauge() {}, log() {} };
  return { hub: openHub(storage, { telemetry, clock: terminal.now }), close: () => storage.close() };
}

async function openLocked(folder: string, terminal: Terminal, instead: string | undefined) {
  try {
    return await openEmbeddedStorage({ folder, clock: terminal.now });
  } catch (cause) {
    if (!(cause instanceof RetryableError) || !cause.message.includes('in use') || instead === undefined)
      throw cause;
    throw new RetryableError(`${cause.message}, or ${instead}`, { cause });
  }
}

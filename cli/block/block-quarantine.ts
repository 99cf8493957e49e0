import { CorruptBlockError, RejectedError } from '../../core/errors.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey, quarantinedBlockKeys, quarantinedBlocksPrefix } from '../../storage/names.ts';
import { MAX_LIST_LENGTH } from '../../storage/object-store.ts';

// A block in quarantine is out of the catalog, so that no answer reads it, and its bytes are kept aside under another
// key: those of a block that only left the catalog would be deleted soon. Whoever calls this holds the data folder, so
// that nobody merges, publishes or deletes at the same time.

/** A block that was set aside. */
export interface QuarantinedBlock {
  readonly row: BlockRow;
  readonly reason: string;
  /** ms since epoch. */
  readonly quarantinedAt: number;
  /** Whether there were bytes to keep. */
  readonly hasBytes: boolean;
}

/** What is wrong with a block; undefined when every section of it is sound. */
export async function problemOf(hub: Hub, row: BlockRow): Promise<string | undefined> {
  try {
    await (await openBlockOf(hub, row)).verify();
    return undefined;
  } catch (error) {
    if (error instanceof RejectedError && error.reason === 'not-found') return 'its object is gone';
    if (error instanceof CorruptBlockError) return error.message;
    throw error;
  }
}

/** Takes a live block out of the catalog and keeps it aside. A crash on the way leaves it live; then call again. */
export async function setBlockAside(hub: Hub, row: BlockRow, reason: string): Promise<void> {
  const keys = quarantinedBlockKeys(row.tenant, row.blockId);
  const bytes = await hub.objects.get(blockKey(row.tenant, row.level, row.blockId));
  await hub.objects.delete(keys.block);
  if (bytes !== undefined) await hub.objects.put(keys.block, bytes);
  await hub.objects.delete(keys.row);
  const entry: QuarantinedBlock = {
    ...{ row, reason },
    quarantinedAt: hub.clock(),
    hasBytes: bytes !== undefined,
  };
  await hub.objects.put(keys.row, new TextEncoder().encode(JSON.stringify(entry)));
  const token = `quarantine-${row.blockId}-${entry.quarantinedAt}`;
  if ((await hub.catalog.swap({ remove: [row.blockId], add: [], token })) === 'done') return;
  throw new Error(`block ${row.blockId} left the catalog while the folder was held`);
}

/** All blocks in quarantine, by id. */
export async function listBlocksAside(hub: Hub): Promise<QuarantinedBlock[]> {
  const entries: QuarantinedBlock[] = [];
  let after: string | undefined;
  for (;;) {
    const options = { after, limit: MAX_LIST_LENGTH };
    const page = await hub.objects.list(quarantinedBlocksPrefix(hub.tenant), options);
    for (const { key } of page) {
      const entry = key.endsWith('.row.json') ? await readEntry(hub, key) : undefined;
      // A crash before the catalog was changed: the block never left.
      if (entry !== undefined && (await hub.catalog.get(entry.row.blockId)) === undefined)
        entries.push(entry);
    }
    after = page.at(-1)?.key;
    if (page.length < MAX_LIST_LENGTH) return entries;
  }
}

/**
 * Puts a block back as it was. A crash on the way leaves it in quarantine; then call again.
 * @throws RejectedError('not-found') when it is not in quarantine, or had no bytes
 */
export async function putBlockBack(hub: Hub, blockId: string): Promise<BlockRow> {
  const keys = quarantinedBlockKeys(hub.tenant, blockId);
  const entry = await readEntry(hub, keys.row);
  if (entry === undefined) throw new RejectedError('not-found', `block ${blockId} is not in quarantine`);
  const bytes = await hub.objects.get(keys.block);
  if (bytes === undefined)
    throw new RejectedError('not-found', `block ${blockId} had no object when it was set aside`);
  const { row } = entry;
  await hub.objects.put(blockKey(row.tenant, row.level, blockId), bytes);
  // Its id is used once more, for the same bytes: the folder is held, so nobody is about to delete by that mark.
  await hub.catalog.forget(blockId);
  await hub.catalog.publish(row);
  await hub.objects.delete(keys.row);
  await hub.objects.delete(keys.block);
  return row;
}

async function readEntry(hub: Hub, key: string): Promise<QuarantinedBlock | undefined> {
  const bytes = await hub.objects.get(key);
  return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
}

import { TRAILER_LENGTH } from '../core/block/block-format.ts';
import { BlockReader } from '../core/block/block-reader.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { blockKey } from '../storage/names.ts';
import { objectSource } from './block-source.ts';
import type { Hub } from './hub.ts';

/**
 * Opens the block of an index row with one read, that of its directory (or of the whole block, when it is small).
 * @param wholeBytesMax what is read whole: see WHOLE_READ_BYTES_MAX, the default
 * @throws CorruptBlockError; RejectedError('not-found') when the object is gone
 */
export function openBlockOf(
  hub: Pick<Hub, 'objects' | 'codec'>,
  row: BlockRow,
  wholeBytesMax?: number,
): Promise<BlockReader> {
  const key = blockKey(row.tenant, row.level, row.blockId);
  const source = objectSource(hub.objects, key, row.size, wholeBytesMax);
  const tailLength = row.directoryLength + TRAILER_LENGTH;
  return BlockReader.open(source, hub.codec, { blockId: row.blockId, tailLength });
}

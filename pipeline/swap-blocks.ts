import { newBlockId } from '../core/block/block-id.ts';
import { RetryableError } from '../core/errors.ts';
import type { BlockRow, BlockSwap } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';

/** How often a swap whose answer got lost is asked for again. */
const SWAP_ATTEMPTS = 5;

/**
 * Swaps blocks in one transaction. False when one of them is not live any more: nothing changed.
 * @throws RetryableError when it may or may not have happened
 */
export function swapBlocks(hub: Hub, remove: readonly string[], add: readonly BlockRow[]): Promise<boolean> {
  return changeCatalog(hub, { remove: [...remove], add: [...add] });
}

/**
 * The same for whatever a swap can do. The token lets it be asked for again when its answer got lost.
 * @throws RetryableError when it may or may not have happened
 */
export async function changeCatalog(hub: Hub, change: Omit<BlockSwap, 'token'>): Promise<boolean> {
  const token = newBlockId(hub.clock(), () => hub.random());
  for (let attempt = 1; ; attempt++) {
    try {
      return (await hub.catalog.swap({ ...change, token })) === 'done';
    } catch (error) {
      if (!(error instanceof RetryableError) || attempt === SWAP_ATTEMPTS) throw error;
    }
  }
}

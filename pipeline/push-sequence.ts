import type { BatchOrigin } from '../core/batch/batch-origin.ts';
import { newBlockId } from '../core/block/block-id.ts';
import type { Hub } from './hub.ts';
import { PUSH_NODE } from './sum-batches.ts';

/** Per hub in this process: the boot id and the last number of the batches that it makes from pushed profiles. */
const sequences = new WeakMap<Hub, { bootId: string; sequence: number }>();

/** Identity of the next batch of pushed profiles of a cluster. */
export function nextPushOrigin(
  hub: Hub,
  cluster: string,
): Pick<BatchOrigin, 'cluster' | 'node' | 'bootId' | 'sequence'> {
  let state = sequences.get(hub);
  if (state === undefined) {
    state = { bootId: newBlockId(hub.clock(), () => hub.random()), sequence: 0 };
    sequences.set(hub, state);
  }
  return { cluster, node: PUSH_NODE, bootId: state.bootId, sequence: ++state.sequence };
}

import { RejectedError } from '../core/errors.ts';
import type { BlockSwap } from '../storage/block-catalog.ts';
import { BLOCKS } from '../storage/names.ts';
import type { FunctionHub } from './open-hub.ts';

/**
 * The hub as administrators have it on AWS: they plan, look, set and delete profiles, set blocks aside and put them back;
 * blocks are merged, rewritten, dropped and swept by functions that schedules call, which have the time, the memory and the
 * right to it. What would do so from here is refused before it does anything.
 */
export function adminHub(opened: FunctionHub): FunctionHub {
  const { hub } = opened;
  const { leases, catalog, objects } = hub;
  return {
    ...opened,
    hub: {
      ...hub,
      leases: {
        acquire: async (name, owner, ttlMs) =>
          name.startsWith('compaction/') ? refuse() : leases.acquire(name, owner, ttlMs),
        renew: (...args) => leases.renew(...args),
        release: (...args) => leases.release(...args),
      },
      catalog: {
        publish: refuse,
        find: (search) => catalog.find(search),
        get: (...args) => catalog.get(...args),
        swap: async (swap) => (isOfQuarantine(swap) ? catalog.swap(swap) : refuse()),
        listDeletionMarks: (...args) => catalog.listDeletionMarks(...args),
        forget: refuse,
        list: (page) => catalog.list(page),
      },
      objects: {
        put: (key, bytes) => objects.put(key, bytes),
        get: (key) => objects.get(key),
        getRange: (...args) => objects.getRange(...args),
        getTail: (...args) => objects.getTail(...args),
        delete: async (key) => (key.startsWith(`${BLOCKS}/`) ? refuse() : objects.delete(key)),
        list: (...args) => objects.list(...args),
      },
    },
  };
}

/** Whether it only sets blocks aside, puts them back, for what was saved of them, or gives them up. */
function isOfQuarantine({ remove, add, putBack = [] }: BlockSwap): boolean {
  return add.length === 0 && (remove.length === 0 || putBack.length > 0);
}

async function refuse(): Promise<never> {
  throw new RejectedError(
    'invalid',
    'on AWS, schedules merge, drop and sweep blocks by themselves, and this call may not; a plan or a dry run says what they will do',
  );
}

import { MAX_LIST_LENGTH, type ObjectEntry } from '../storage/object-store.ts';
import type { Hub } from './hub.ts';

/** All objects whose keys begin so, in order of their keys, a page at a time. */
export async function* eachObject(hub: Hub, prefix: string): AsyncGenerator<ObjectEntry> {
  let after: string | undefined;
  for (;;) {
    const page = await hub.objects.list(prefix, { after, limit: MAX_LIST_LENGTH });
    yield* page;
    after = page.at(-1)?.key;
    if (page.length < MAX_LIST_LENGTH) return;
  }
}

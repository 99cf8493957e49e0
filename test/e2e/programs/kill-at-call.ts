// Does the upkeep of a data folder that its parent has open, and kills its own process within its nth call of storage, as
// kill -9 does, or waits in it for a word of its parent. Arguments: folder, work, time in ms, n, before | after | pause. Prints
// `paused` when it waits, and what it did, and in how many calls, as JSON when it was not killed.
import { once } from 'node:events';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../../pipeline/compact-blocks.ts';
import { deleteProfiles } from '../../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../../pipeline/enforce-retention.ts';
import type { Hub } from '../../../pipeline/hub.ts';
import { rewriteBlocks } from '../../../pipeline/rewrite-blocks.ts';
import { sweepOrphans } from '../../../pipeline/sweep-orphans.ts';
import { joinHubAt } from '../hub-at.ts';
import { DELETED } from '../kill-stages.ts';

const [folder, work, now, n, when] = process.argv.slice(2);
let calls = 0;

const hub = await joinHubAt(folder!, Number(now));

/** What each kind of upkeep does, by name. */
const WORKS: Readonly<Record<string, (hub: Hub) => Promise<unknown>>> = {
  compact: (mortal) => compactBlocks(mortal, 'all'),
  async compactAndDelete(mortal) {
    const report = await compactBlocks(mortal, 'all');
    hub.time.now += DELETION_GRACE_MS + 1;
    await deleteMarkedBlocks(mortal);
    return report;
  },
  expire: (mortal) => enforceRetention(mortal, { dryRun: false }),
  delete: (mortal) => deleteProfiles(mortal, DELETED),
  rewrite: (mortal) => rewriteBlocks(mortal),
  sweep: (mortal) => sweepOrphans(mortal, { dryRun: false }),
};

async function interrupt(): Promise<void> {
  if (when === 'pause') {
    console.log('paused');
    await once(process.stdin, 'data');
    return;
  }
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

function doomed<Port extends object>(port: Port): Port {
  return new Proxy(port, {
    get(target, property) {
      const member = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        const isLast = calls++ === Number(n);
        if (isLast && when !== 'after') await interrupt();
        const answer = await member.apply(target, args);
        if (isLast && when === 'after') await interrupt();
        return answer;
      };
    },
  });
}

const { objects, catalog, leases, registry } = hub;
const report = await WORKS[work!]!({
  ...hub,
  ...{ objects: doomed(objects), catalog: doomed(catalog) },
  ...{ leases: doomed(leases), registry: doomed(registry) },
});
await hub.close();
console.log(JSON.stringify({ calls, report }));
process.stdin.destroy();

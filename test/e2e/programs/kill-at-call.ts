// Does the upkeep of a data folder that its parent has open, and kills its own process within its nth call of storage, as
// kill -9 does, or waits in it for a word of its parent. Arguments: folder, work, time in ms, n, before | after | pause, and settings
// in JSON. Prints `paused` when it waits, and what it did, and by which calls, as JSON when it was not killed.
import { once } from 'node:events';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../../pipeline/compact-blocks.ts';
import { deleteProfiles } from '../../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../../pipeline/enforce-retention.ts';
import type { Hub } from '../../../pipeline/hub.ts';
import { listQuarantinedBlocks, quarantineBlock, restoreBlock } from '../../../pipeline/quarantine-blocks.ts';
import { rewriteBlocks } from '../../../pipeline/rewrite-blocks.ts';
import { sweepOrphans } from '../../../pipeline/sweep-orphans.ts';
import { joinHubAt } from '../hub-at.ts';
import { DELETED, loneBlock } from '../kill-stages.ts';

const [folder, work, now, n, when, settings = '{}'] = process.argv.slice(2);
const methods: string[] = [];

const hub = await joinHubAt(folder!, Number(now), JSON.parse(settings));

/** What each kind of upkeep does, by name. */
const WORKS: Readonly<Record<string, (hub: Hub) => Promise<unknown>>> = {
  compact: (mortal) => compactBlocks(mortal, 'all'),
  async compactAll(mortal) {
    while ((await compactBlocks(mortal, 'all')).jobs > 0);
  },
  async compactAndDelete(mortal) {
    const report = await compactBlocks(mortal, 'all');
    hub.time.now += DELETION_GRACE_MS + 1;
    await deleteMarkedBlocks(mortal);
    return report;
  },
  expire: (mortal) => enforceRetention(mortal, { dryRun: false }),
  delete: (mortal) => deleteProfiles(mortal, DELETED),
  rewrite: (mortal) => rewriteBlocks(mortal),
  async setAside(mortal) {
    if ((await listQuarantinedBlocks(mortal)).length > 0) return;
    const { blockId } = await loneBlock(mortal);
    await quarantineBlock(mortal, { blockId, reason: 'test', dryRun: false });
  },
  async putBack(mortal) {
    for (const { blockId } of await listQuarantinedBlocks(mortal)) await restoreBlock(mortal, blockId);
  },
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
        const isLast = methods.push(String(property)) === Number(n) + 1;
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
console.log(JSON.stringify({ methods, report }));
process.stdin.destroy();

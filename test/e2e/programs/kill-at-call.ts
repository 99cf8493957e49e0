// Compacts a data folder, deletes what was merged, and kills its own process, as kill -9 does, within its nth call of
// storage. Arguments: folder, time in ms, n, before | after. Prints the number of calls when it was not killed.
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../../pipeline/compact-blocks.ts';
import { openHubAt } from '../hub-at.ts';

const [folder, now, n, when] = process.argv.slice(2);
let calls = 0;

function die(): Promise<never> {
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
        if (isLast && when === 'before') await die();
        const answer = await member.apply(target, args);
        if (isLast) await die();
        return answer;
      };
    },
  });
}

const hub = await openHubAt(folder!, Number(now));
const { objects, catalog, leases, registry } = hub;
const mortal = {
  ...hub,
  ...{
    objects: doomed(objects),
    catalog: doomed(catalog),
    leases: doomed(leases),
    registry: doomed(registry),
  },
};
await compactBlocks(mortal);
hub.time.now += DELETION_GRACE_MS + 1;
await deleteMarkedBlocks(mortal);
await hub.close();
console.log(calls);

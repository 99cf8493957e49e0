// A process to be killed: it writes on and prints one line per acknowledged write, once it is acknowledged.
// Arguments: the data folder, and what to write: put, publish, send or swap.
import { writeSync } from 'node:fs';
import { openEmbeddedStorage } from '../../../storage/embedded/open-embedded-storage.ts';
import { aMessage } from '../../contracts/batch-queue.contract.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';
import { objectBytes } from './crash-run.ts';

const [folder, what] = process.argv.slice(2);
const storage = await openEmbeddedStorage({ folder, clock: () => 1000 });

const writes: Record<string, (n: number) => Promise<unknown>> = {
  put: (n) => storage.objects.put(`blocks/t/${n % 3}/b${n}.block`, objectBytes(n)),
  publish: (n) => storage.catalog.publish(aBlockRow({ blockId: `b${n}` })),
  send: (n) => storage.queue.send(aMessage(`b${n}`, objectBytes(n))),
  // Block n takes the place of block n - 1, so exactly one is live at any time.
  swap: (n) =>
    n === 0
      ? storage.catalog.publish(aBlockRow({ blockId: 'b0' }))
      : storage.catalog.swap({
          remove: [`b${n - 1}`],
          add: [aBlockRow({ blockId: `b${n}` })],
          token: `t${n}`,
        }),
};

/** Several writes at a time where their order is free, so that a kill meets shared commits too. */
const AT_ONCE = what === 'swap' ? 1 : 4;

/** It is killed long before; should its parent die first, it ends here. */
const MOST = 5000;

for (let n = 0; n < MOST; n += AT_ONCE) {
  const numbers = Array.from({ length: AT_ONCE }, (_, i) => n + i);
  await Promise.all(
    numbers.map(async (number) => {
      await writes[what](number);
      writeSync(1, `${number}\n`);
    }),
  );
}

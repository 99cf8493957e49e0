// A process is killed with SIGKILL while it writes. Law: what it acknowledged is there, whole; of the write under way
// there is all or nothing; and the folder opens again.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type EmbeddedStorage,
  openEmbeddedStorage,
} from '../../../storage/embedded/open-embedded-storage.ts';
import { aMessage } from '../../contracts/batch-queue.contract.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';
import { type CrashWrite, objectBytes, withWriter } from './crash-run.ts';
import { withFreshFolder } from './fresh-folder.ts';

/** Kills after at least each of these many acknowledged writes, each time in a fresh folder. */
const KILL_AFTER = [1, 40, 150];

function crashTest(
  what: CrashWrite,
  check: (storage: EmbeddedStorage, acknowledged: number[], folder: string) => Promise<void>,
) {
  for (const count of KILL_AFTER) {
    test(`${what}: killed after ${count} acknowledged writes`, () =>
      withFreshFolder(async (folder) => {
        const acknowledged = await withWriter(folder, what, async (writer) => {
          await writer.acknowledged(count);
          return writer.kill();
        });
        assert.ok(acknowledged.length >= count);
        const storage = await openEmbeddedStorage({ folder, clock: () => 1000 });
        await check(storage, acknowledged, folder);
        await storage.close();
      }));
  }
}

crashTest('put', async ({ objects }, acknowledged, folder) => {
  const keys = new Set<string>();
  for (let after: string | undefined; ; ) {
    const page = await objects.list('', { after, limit: 1000 });
    for (const { key } of page) keys.add(key);
    if (page.length < 1000) break;
    after = page.at(-1)?.key;
  }
  for (const n of acknowledged) assert.ok(keys.has(`blocks/t/${n % 3}/b${n}.block`), `object ${n} is lost`);
  for (const key of keys) {
    const n = Number(/b(\d+)\.block$/.exec(key)?.[1]);
    const bytes = await objects.get(key);
    assert.deepEqual(bytes, objectBytes(n), `object ${n} is not whole`);
  }
  assert.deepEqual(await readdir(join(folder, 'incoming')), []);
});

crashTest('publish', async ({ catalog }, acknowledged) => {
  const rows = await catalog.find({ tenant: 'acme', from: 0, until: 1e12 });
  const byService = await catalog.find({ tenant: 'acme', service: 'web', from: 0, until: 1e12 });
  assert.deepEqual(byService, rows);
  const found = new Set(rows.map((row) => row.blockId));
  for (const n of acknowledged) assert.ok(found.has(`b${n}`), `block ${n} is lost`);
  for (const row of rows) assert.deepEqual(row, aBlockRow({ blockId: row.blockId }));
});

crashTest('send', async ({ queue }, acknowledged) => {
  const received = await queue.receive({ max: 1000, visibilityMs: 1 });
  const found = new Set(received.map(({ message }) => message.batchId));
  assert.equal(found.size, received.length);
  for (const n of acknowledged.filter((n) => n < 900)) assert.ok(found.has(`b${n}`), `batch ${n} is lost`);
  for (const { message } of received) {
    assert.deepEqual(message, aMessage(message.batchId, objectBytes(Number(message.batchId.slice(1)))));
  }
});

crashTest('swap', async ({ catalog }, acknowledged) => {
  const rows = await catalog.find({ tenant: 'acme', from: 0, until: 1e12 });
  assert.equal(rows.length, 1, 'never both, never neither');
  const last = Math.max(...acknowledged);
  assert.ok([`b${last}`, `b${last + 1}`].includes(rows[0].blockId), `${rows[0].blockId} after swap ${last}`);
  const marks = await catalog.listDeletionMarks(1001);
  assert.equal(marks.length, Math.min(1000, Number(rows[0].blockId.slice(1))));
});

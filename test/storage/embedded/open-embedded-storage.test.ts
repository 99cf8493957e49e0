import assert from 'node:assert/strict';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import { openEmbeddedStorage } from '../../../storage/embedded/open-embedded-storage.ts';
import { aMessage } from '../../contracts/batch-queue.contract.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';
import { withWriter } from './crash-run.ts';
import { withFreshFolder } from './fresh-folder.ts';

const clock = () => 1000;

test('all is there again after closing and opening', () =>
  withFreshFolder(async (parent) => {
    const folder = join(parent, 'made', 'deep');
    const first = await openEmbeddedStorage({ folder, clock });
    await first.objects.put('a/b', Uint8Array.of(1));
    await first.catalog.publish(aBlockRow({ blockId: 'b1' }));
    await first.queue.send(aMessage('batch1'));
    await first.registry.putSetting('key', 'value');
    const lease = await first.leases.acquire('job', 'me', 1000);
    await first.close();

    const second = await openEmbeddedStorage({ folder, clock });
    assert.deepEqual(await second.objects.get('a/b'), Uint8Array.of(1));
    assert.deepEqual(await second.catalog.get('b1'), aBlockRow({ blockId: 'b1' }));
    assert.deepEqual(
      (await second.queue.receive({ max: 9, visibilityMs: 1 }))[0].message,
      aMessage('batch1'),
    );
    assert.equal(await second.registry.setting('key'), 'value');
    assert.equal(await second.leases.renew('job', 'me', Number(lease?.token), 1000), true);
    await second.close();
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
  }));

test('a folder that this process has open is refused', () =>
  withFreshFolder(async (folder) => {
    const storage = await openEmbeddedStorage({ folder, clock });
    await assert.rejects(openEmbeddedStorage({ folder, clock }), (error) => {
      assert.ok(error instanceof RetryableError);
      assert.ok(error.message.includes(folder) && error.message.includes(`process ${process.pid} `));
      return true;
    });
    await storage.objects.put('a', Uint8Array.of(1));
    await storage.close();
    await (await openEmbeddedStorage({ folder, clock })).close();
  }));

test('a folder that a live process holds is refused by name and pid, and free once it is killed', () =>
  withFreshFolder(async (folder) => {
    await withWriter(folder, 'send', async (writer) => {
      await writer.acknowledged(1);
      await assert.rejects(openEmbeddedStorage({ folder, clock }), (error) => {
        assert.ok(error instanceof RetryableError);
        assert.ok(error.message.includes(folder) && error.message.includes(`process ${writer.pid} `));
        return true;
      });
    });
    await (await openEmbeddedStorage({ folder, clock })).close();
  }));

test('a failed opening gives the folder back', () =>
  withFreshFolder(async (folder) => {
    await writeFile(join(folder, 'cinderblock.sqlite'), 'x'.repeat(5000));
    await assert.rejects(openEmbeddedStorage({ folder, clock }), /not a database/);
    await assert.rejects(openEmbeddedStorage({ folder, clock }), /not a database/);
  }));

test('a folder that cannot be made is said so', () =>
  withFreshFolder(async (parent) => {
    await mkdir(join(parent, 'a'));
    await writeFile(join(parent, 'a', 'file'), '');
    const folder = join(parent, 'a', 'file', 'data');
    await assert.rejects(openEmbeddedStorage({ folder, clock }), (error) => {
      assert.ok(error instanceof RetryableError && error.message.includes(folder));
      return true;
    });
  }));

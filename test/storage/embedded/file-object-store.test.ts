import assert from 'node:assert/strict';
import * as nodeFiles from 'node:fs/promises';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import { openFileObjectStore } from '../../../storage/embedded/file-object-store.ts';
import { assertRejected } from '../../contracts/adapter.ts';
import { objectStoreContract } from '../../contracts/object-store.contract.ts';
import { freshFolder, removeFolder, withFreshFolder } from './fresh-folder.ts';

objectStoreContract('files', async (clock) => {
  const folder = await freshFolder();
  const open = () => openFileObjectStore({ folder, clock: clock.read });
  return { port: await open(), another: open, close: () => removeFolder(folder) };
});

const clock = () => 0;
const bytes = Uint8Array.of(1, 2, 3);

test('opening removes what a crash left of unfinished objects', () =>
  withFreshFolder(async (folder) => {
    await mkdir(join(folder, 'incoming'));
    await writeFile(join(folder, 'incoming', 'left-over'), 'half');
    const store = await openFileObjectStore({ folder, clock });
    assert.deepEqual(await readdir(join(folder, 'incoming')), []);
    assert.deepEqual(await store.list('', { limit: 10 }), []);
  }));

test('a put leaves no temporary file, whether created, existing or refused', () =>
  withFreshFolder(async (folder) => {
    const store = await openFileObjectStore({ folder, clock });
    await store.put('a/b', bytes);
    await store.put('a/b', bytes);
    await assertRejected(store.put('a', bytes), 'invalid');
    await assertRejected(store.put('a/b/c', bytes), 'invalid');
    await assertRejected(store.put('a/b/c/d', bytes), 'invalid');
    assert.deepEqual(await readdir(join(folder, 'incoming')), []);
    assert.deepEqual(await store.get('a/b'), bytes);
  }));

test('objects are readable by their owner only', () =>
  withFreshFolder(async (folder) => {
    const store = await openFileObjectStore({ folder, clock });
    await store.put('a', bytes);
    assert.equal((await stat(join(folder, 'objects', 'a'))).mode & 0o777, 0o600);
  }));

/** The calls of node:fs/promises; of the chosen calls on open files, the one that `countdown` comes to 0 at fails. */
function failing(call: 'writeFile' | 'sync', code: string, failure: { countdown: number }): typeof nodeFiles {
  const open = async (...args: Parameters<typeof nodeFiles.open>) => {
    const handle = await nodeFiles.open(...args);
    const original = handle[call].bind(handle) as (...args: unknown[]) => Promise<void>;
    const replaced = async (...callArgs: unknown[]) => {
      if (failure.countdown-- !== 0) return original(...callArgs);
      if (call === 'writeFile') await original((callArgs[0] as Uint8Array).subarray(0, 1));
      throw Object.assign(new Error(`${code}: injected`), { code });
    };
    return Object.assign(handle, { [call]: replaced });
  };
  return { ...nodeFiles, open };
}

const NEVER = -1;

for (const code of ['ENOSPC', 'EDQUOT']) {
  test(`a full disk (${code}) is said clearly, and leaves no part of the object`, () =>
    withFreshFolder(async (folder) => {
      const failure = { countdown: NEVER };
      const store = await openFileObjectStore({ folder, clock, files: failing('writeFile', code, failure) });
      failure.countdown = 0;
      await assert.rejects(store.put('a/b', bytes), (error) => {
        assert.ok(error instanceof RetryableError);
        assert.match(error.message, /cannot put a\/b: the disk is full/);
        return true;
      });
      assert.equal(await store.get('a/b'), undefined);
      assert.deepEqual(await readdir(join(folder, 'incoming')), []);
      assert.equal(await store.put('a/b', bytes), 'created', 'goes through once there is room');
    }));
}

// A put into a new folder syncs the file, the folder above the new one, and the new one.
for (const [countdown, again] of [
  [0, 'created'],
  [1, 'created'],
  [2, 'exists'],
] as const) {
  test(`a put whose sync ${countdown} fails is not acknowledged, and can be put again`, () =>
    withFreshFolder(async (folder) => {
      const failure = { countdown: NEVER };
      const store = await openFileObjectStore({ folder, clock, files: failing('sync', 'EIO', failure) });
      failure.countdown = countdown;
      await assert.rejects(store.put('a/b', bytes), RetryableError);
      assert.ok(failure.countdown < 0, 'the sync that was to fail came');
      assert.equal(await store.put('a/b', bytes), again);
      assert.deepEqual(await store.get('a/b'), bytes);
      assert.deepEqual(await readdir(join(folder, 'incoming')), []);
    }));
}

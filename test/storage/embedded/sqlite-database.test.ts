import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import { SCHEMA_STEPS } from '../../../storage/embedded/schema.ts';
import { openSqliteDatabase } from '../../../storage/embedded/sqlite-database.ts';
import { sqliteRegistry } from '../../../storage/embedded/sqlite-registry.ts';
import { withFreshFolder } from './fresh-folder.ts';

function withFile<T>(use: (file: string) => Promise<T>): Promise<T> {
  return withFreshFolder((folder) => use(join(folder, 'test.sqlite')));
}

test('writes of one turn share one transaction', () =>
  withFile(async (file) => {
    const database = openSqliteDatabase(file);
    const put = database.prepare('INSERT INTO settings VALUES (:key, :value)');
    const version = database.prepare('PRAGMA data_version');
    const watcher = new DatabaseSync(file);
    const seen = () => watcher.prepare('SELECT count(*) AS n FROM settings').get()?.n;
    const counts: unknown[] = [];
    const writes = Array.from({ length: 5 }, (_, i) =>
      database.write(() => {
        counts.push(seen());
        put.run({ key: `k${i}`, value: '' });
      }),
    );
    assert.equal(seen(), 0);
    await Promise.all(writes);
    assert.deepEqual(counts, [0, 0, 0, 0, 0], 'nothing is visible outside before the shared commit');
    assert.equal(seen(), 5);
    assert.ok(version.get());
    watcher.close();
    await database.close();
  }));

test('a write that throws is undone alone', () =>
  withFile(async (file) => {
    const database = openSqliteDatabase(file);
    const put = database.prepare('INSERT INTO settings VALUES (:key, :value)');
    const all = database.prepare('SELECT key FROM settings ORDER BY key');
    const writes = [
      database.write(() => put.run({ key: 'a', value: '' })),
      database.write(() => {
        put.run({ key: 'half', value: '' });
        throw new Error('on purpose');
      }),
      database.write(() => put.run({ key: 'a', value: '' })),
      database.write(() => put.run({ key: 'b', value: '' })),
    ];
    const outcomes = await Promise.allSettled(writes);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(
      all.all().map(({ key }) => key),
      ['a', 'b'],
    );
    await database.close();
  }));

test('a full disk fails the write with RetryableError, and later writes go through', () =>
  withFile(async (file) => {
    const database = openSqliteDatabase(file);
    const registry = sqliteRegistry(database);
    await registry.putSetting('before', 'x');
    const pages = Number(database.prepare('PRAGMA page_count').get()?.page_count);
    database.prepare(`PRAGMA max_page_count = ${pages + 2}`).get();
    const writes = [registry.putSetting('large', 'x'.repeat(1e6)), registry.putSetting('beside', 'x')];
    const outcomes = await Promise.allSettled(writes);
    assert.equal(outcomes[0].status, 'rejected');
    assert.ok(outcomes[0].status === 'rejected' && outcomes[0].reason instanceof RetryableError);
    assert.match(String(outcomes[0].reason), /full/);
    assert.equal(await registry.setting('large'), undefined);
    assert.equal(await registry.setting('beside'), outcomes[1].status === 'fulfilled' ? 'x' : undefined);
    database.prepare(`PRAGMA max_page_count = ${pages + 10_000}`).get();
    await registry.putSetting('large', 'x'.repeat(1e6));
    assert.equal((await registry.setting('large'))?.length, 1e6);
    assert.equal(await registry.setting('before'), 'x');
    await database.close();
  }));

test('closing finishes the writes under way and refuses later ones', () =>
  withFile(async (file) => {
    const database = openSqliteDatabase(file);
    const registry = sqliteRegistry(database);
    const writing = registry.putSetting('key', 'value');
    await database.close();
    await writing;
    await assert.rejects(registry.putSetting('key', 'late'), RetryableError);
    await assert.rejects(registry.setting('key'), RetryableError);
    await database.close();
    const again = openSqliteDatabase(file);
    assert.equal(await sqliteRegistry(again).setting('key'), 'value');
    await again.close();
  }));

test('the file and its log are readable by their owner only, even when they were not', () =>
  withFile(async (file) => {
    await writeFile(file, '', { mode: 0o644 });
    const database = openSqliteDatabase(file);
    await sqliteRegistry(database).putSetting('key', 'value');
    for (const name of [file, `${file}-wal`, `${file}-shm`])
      assert.equal((await stat(name)).mode & 0o777, 0o600, name);
    await database.close();
  }));

test('commits wait for the disk', () =>
  withFile(async (file) => {
    const database = openSqliteDatabase(file);
    assert.equal(database.prepare('PRAGMA journal_mode').get()?.journal_mode, 'wal');
    assert.equal(database.prepare('PRAGMA synchronous').get()?.synchronous, 2);
    await database.close();
  }));

test('a database of a newer version is left alone, with a clear error', () =>
  withFile(async (file) => {
    const newer = new DatabaseSync(file);
    newer.exec(`PRAGMA user_version = ${SCHEMA_STEPS.length + 1}`);
    newer.close();
    assert.throws(() => openSqliteDatabase(file), /newer Cinderblock: its schema is \d+, this one knows \d+/);
  }));

test('a file that is no database is refused, and not touched', () =>
  withFile(async (file) => {
    await writeFile(file, 'x'.repeat(5000));
    assert.throws(() => openSqliteDatabase(file), /not a database/);
    assert.equal((await stat(file)).size, 5000);
  }));

test('a database of the first version opens, and keeps its clusters and keys', () =>
  withFile(async (file) => {
    const old = new DatabaseSync(file);
    old.exec(`${SCHEMA_STEPS[0]}
      INSERT INTO clusters VALUES ('prod', 'Production', 'disabled', 5), ('dev', '', 'active', 6);
      INSERT INTO credentials VALUES ('AK1', 's', 'prod', 7, NULL), ('AK2', 't', 'dev', 8, 9);
      PRAGMA user_version = 1`);
    old.close();
    const database = openSqliteDatabase(file);
    const registry = sqliteRegistry(database);
    assert.deepEqual(await registry.listClusters(), [
      { cluster: 'dev', displayName: '', status: 'active', createdAt: 6 },
      { cluster: 'prod', displayName: 'Production', status: 'disabled', createdAt: 5 },
    ]);
    const key = { accessKeyId: 'AK1', secret: 's', cluster: 'prod', createdAt: 7 };
    assert.deepEqual(await registry.findCredential('AK1'), key);
    assert.equal((await registry.findCredential('AK2'))?.revokedAt, 9);
    await registry.setClusterStatus('prod', 'removed');
    await registry.addCredential({ ...key, accessKeyId: 'AK3' });
    assert.throws(() => database.prepare("DELETE FROM clusters WHERE cluster = 'prod'").run(), /FOREIGN KEY/);
    assert.deepEqual(database.prepare('PRAGMA foreign_key_check').all(), []);
    await database.close();
  }));

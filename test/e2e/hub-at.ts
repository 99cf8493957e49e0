import { join } from 'node:path';
import { defaultHubSettings, type Hub, type HubSettings } from '../../pipeline/hub.ts';
import { compileLinearRegex } from '../../pipeline/linear-regex.ts';
import { openFileObjectStore } from '../../storage/embedded/file-object-store.ts';
import { type EmbeddedStorage, openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { sqliteBatchQueue } from '../../storage/embedded/sqlite-batch-queue.ts';
import { sqliteBlockCatalog } from '../../storage/embedded/sqlite-block-catalog.ts';
import { openSqliteDatabase } from '../../storage/embedded/sqlite-database.ts';
import { sqliteLeaseStore } from '../../storage/embedded/sqlite-lease-store.ts';
import { sqliteRegistry } from '../../storage/embedded/sqlite-registry.ts';
import { gunzipBounded } from '../../storage/gzip.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';

/** A hub on a data folder, whose clock says what it is set to. */
export type HubAt = Hub & { time: { now: number }; close(): Promise<void> };

export async function openHubAt(
  folder: string,
  now: number,
  settings: Partial<HubSettings> = {},
): Promise<HubAt> {
  const time = { now };
  return hubOn(await openEmbeddedStorage({ folder, clock: () => time.now }), time, settings);
}

/**
 * The same on a folder that another process has open: as threads of a server share it, without its lock. So two processes
 * work on one hub, as two functions do on AWS.
 */
export async function joinHubAt(
  folder: string,
  now: number,
  settings: Partial<HubSettings> = {},
): Promise<HubAt> {
  const time = { now };
  const clock = () => time.now;
  const objects = await openFileObjectStore({ folder, clock, isJoining: true });
  const database = openSqliteDatabase(join(folder, 'cinderblock.sqlite'));
  const catalog = sqliteBlockCatalog(database, clock);
  const [queue, registry] = [sqliteBatchQueue(database, clock), sqliteRegistry(database)];
  const storage = { objects, catalog, queue, registry, leases: sqliteLeaseStore(database, clock) };
  return hubOn({ ...storage, close: () => database.close() }, time, settings);
}

function hubOn(storage: EmbeddedStorage, time: { now: number }, settings: Partial<HubSettings>): HubAt {
  return {
    ...storage,
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: compileLinearRegex,
    clock: () => time.now,
    // As in a real process: one that starts again makes other ids.
    random: Math.random,
    tenant: 'default',
    settings: { ...defaultHubSettings, ...settings },
    telemetry: { count() {}, gauge() {}, log() {} },
    time,
  };
}

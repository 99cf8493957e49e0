import type { Registry, Settings } from '../registry.ts';
import { sqliteAgents } from './sqlite-agents.ts';
import { sqliteBatchLedger } from './sqlite-batch-ledger.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { sqliteIdentities } from './sqlite-identities.ts';

/** Registry in SQLite. It takes all times from its callers, so it has no clock. */
export function sqliteRegistry(database: SqliteDatabase): Registry {
  return {
    ...sqliteIdentities(database),
    ...sqliteAgents(database),
    ...sqliteBatchLedger(database),
    ...sqliteSettings(database),
  };
}

function sqliteSettings(database: SqliteDatabase): Settings {
  const get = database.prepare('SELECT value FROM settings WHERE key = :key');
  const put = database.prepare(
    'INSERT INTO settings VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = :value',
  );
  const count = database.prepare(
    'INSERT INTO counters VALUES (:key, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value',
  );
  return {
    async setting(key) {
      return database.read(() => {
        const row = get.get({ key });
        return row && String(row.value);
      });
    },
    async putSetting(key, value) {
      await database.write(() => put.run({ key, value }));
    },
    async nextCount(key) {
      return database.write(() => Number(count.get({ key })?.value));
    },
  };
}

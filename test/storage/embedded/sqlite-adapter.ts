import { join } from 'node:path';
import { openSqliteDatabase, type SqliteDatabase } from '../../../storage/embedded/sqlite-database.ts';
import type { Adapter, MakeAdapter } from '../../contracts/adapter.ts';
import { freshFolder, removeFolder } from './fresh-folder.ts';

/** Adapters on a fresh database file; each further client has a connection of its own. */
export function onSqlite<Port, Options>(
  wrap: (database: SqliteDatabase, clock: () => number, options: Options) => Port,
): MakeAdapter<Port, Options> {
  return async (clock, options): Promise<Adapter<Port>> => {
    const folder = await freshFolder();
    const connections: SqliteDatabase[] = [];
    const connect = async () => {
      const database = openSqliteDatabase(join(folder, 'test.sqlite'));
      connections.push(database);
      return wrap(database, clock.read, options);
    };
    return {
      port: await connect(),
      another: connect,
      async close() {
        for (const connection of connections) await connection.close();
        await removeFolder(folder);
      },
    };
  };
}

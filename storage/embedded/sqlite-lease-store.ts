import { RejectedError } from '../../core/errors.ts';
import type { LeaseStore } from '../lease.ts';
import { checkCount } from '../object-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * LeaseStore in SQLite. A row stays when its lease ends, so that the token never goes back; `expires_at` 0 means released.
 * A lease holds while now < expires_at.
 */
export function sqliteLeaseStore(database: SqliteDatabase, clock: () => number): LeaseStore {
  const acquire = database.prepare(`
    INSERT INTO leases (name, owner, token, expires_at) VALUES (:name, :owner, 1, :expires)
    ON CONFLICT (name) DO UPDATE SET owner = :owner, token = token + 1, expires_at = :expires WHERE expires_at <= :now
    RETURNING token`);
  const renew = database.prepare(`
    UPDATE leases SET expires_at = :expires
    WHERE name = :name AND owner = :owner AND token = :token AND expires_at > :now`);
  return {
    async acquire(name, owner, ttlMs) {
      check(name, owner, ttlMs);
      return database.write(() => {
        const now = clock();
        const row = acquire.get({ name, owner, expires: now + ttlMs, now });
        return row && { token: Number(row.token) };
      });
    },
    async renew(name, owner, token, ttlMs) {
      check(name, owner, ttlMs);
      return database.write(() => {
        const now = clock();
        return renew.run({ name, owner, token, expires: now + ttlMs, now }).changes === 1;
      });
    },
    async release(name, owner, token) {
      check(name, owner, 1);
      return database.write(() => renew.run({ name, owner, token, expires: 0, now: clock() }).changes === 1);
    },
  };
}

function check(name: string, owner: string, ttlMs: number): void {
  if (name === '' || owner === '') throw new RejectedError('invalid', 'a lease needs a name and an owner');
  checkCount('ttlMs of a lease', ttlMs);
}

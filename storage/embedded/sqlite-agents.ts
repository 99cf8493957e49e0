import { RejectedError } from '../../core/errors.ts';
import type { AgentRegistry, AgentRow, Heartbeat } from '../registry.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Fields = Record<string, unknown>;

/** The newest heartbeat of every agent, in SQLite. */
export function sqliteAgents(database: SqliteDatabase): AgentRegistry {
  const record = database.prepare(`
    INSERT INTO agents VALUES
      (:cluster, :node, :bootId, :version, :engine, :at, :clockSkewMs, :counters, :lastError, :at)
    ON CONFLICT (cluster, node) DO UPDATE SET boot_id = :bootId, version = :version, engine = :engine, at = :at,
      clock_skew_ms = :clockSkewMs, counters = :counters, last_error = :lastError WHERE at <= :at`);
  const all = database.prepare('SELECT * FROM agents ORDER BY cluster, node');
  const ofCluster = database.prepare('SELECT * FROM agents WHERE cluster = :cluster ORDER BY node');
  const forget = database.prepare('DELETE FROM agents WHERE at < :before');
  return {
    async recordHeartbeat(heartbeat) {
      checkHeartbeat(heartbeat);
      const { counters, lastError = null } = heartbeat;
      await database.write(() => record.run({ ...heartbeat, counters: JSON.stringify(counters), lastError }));
    },
    async listAgents(cluster) {
      return database.read(() =>
        (cluster === undefined ? all.all() : ofCluster.all({ cluster })).map(toAgent),
      );
    },
    async forgetAgents(before) {
      return database.write(() => Number(forget.run({ before }).changes));
    },
  };
}

function checkHeartbeat({ cluster, node, at, clockSkewMs, counters }: Heartbeat): void {
  const finite = [clockSkewMs, ...Object.values(counters)].every(Number.isFinite);
  if (cluster !== '' && node !== '' && Number.isSafeInteger(at) && finite) return;
  throw new RejectedError(
    'invalid',
    `heartbeat of ${cluster}/${node}: a name is empty or a number is not finite`,
  );
}

function toAgent(fields: Fields): AgentRow {
  return {
    cluster: String(fields.cluster),
    node: String(fields.node),
    bootId: String(fields.boot_id),
    version: String(fields.version),
    engine: String(fields.engine),
    at: Number(fields.at),
    clockSkewMs: Number(fields.clock_skew_ms),
    counters: JSON.parse(String(fields.counters)),
    ...(fields.last_error === null ? {} : { lastError: String(fields.last_error) }),
    firstSeenAt: Number(fields.first_seen_at),
  };
}

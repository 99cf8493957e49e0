import {
  checkHeartbeat,
  decodeFormerSpools,
  decodeSpool,
  encodeFormerSpools,
  encodeSpool,
  formerSpoolsAfter,
} from '../agent-spools.ts';
import type { AgentRegistry, AgentRow, FormerSpool } from '../registry.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Fields = Record<string, unknown>;

/** The newest heartbeat of every agent, in SQLite. */
export function sqliteAgents(database: SqliteDatabase): AgentRegistry {
  const newest = database.prepare('SELECT * FROM agents WHERE cluster = :cluster AND node = :node');
  const record = database.prepare(`
    INSERT INTO agents VALUES (:cluster, :node, :bootId, :version, :engine, :at, :clockSkewMs, :counters, :lastError,
      :at, :spool, :formerSpools)
    ON CONFLICT (cluster, node) DO UPDATE SET boot_id = :bootId, version = :version, engine = :engine, at = :at,
      clock_skew_ms = :clockSkewMs, counters = :counters, last_error = :lastError, spool = :spool,
      former_spools = :formerSpools`);
  const keepFormer = database.prepare(
    'UPDATE agents SET former_spools = :formerSpools WHERE cluster = :cluster AND node = :node',
  );
  const all = database.prepare('SELECT * FROM agents ORDER BY cluster, node');
  const ofCluster = database.prepare('SELECT * FROM agents WHERE cluster = :cluster ORDER BY node');
  const forget = database.prepare('DELETE FROM agents WHERE at < :before');
  return {
    async recordHeartbeat(heartbeat) {
      checkHeartbeat(heartbeat);
      const { cluster, node, at, counters, spool, lastError = null } = heartbeat;
      await database.write(() => {
        const fields = newest.get({ cluster, node });
        const kept = fields && toAgent(fields);
        if (kept !== undefined && kept.at > at) return;
        record.run({
          ...heartbeat,
          ...{ counters: JSON.stringify(counters), lastError },
          spool: spool === undefined ? null : encodeSpool(spool),
          formerSpools: textOf(formerSpoolsAfter(kept, spool)),
        });
      });
    },
    async listAgents(cluster) {
      return database.read(() =>
        (cluster === undefined ? all.all() : ofCluster.all({ cluster })).map(toAgent),
      );
    },
    async forgetAgents(before) {
      return database.write(() => {
        const { changes } = forget.run({ before });
        for (const { cluster, node, formerSpools = [] } of all.all().map(toAgent)) {
          const kept = formerSpools.filter(({ at }) => at >= before);
          if (kept.length < formerSpools.length)
            keepFormer.run({ cluster, node, formerSpools: textOf(kept) });
        }
        return Number(changes);
      });
    },
  };
}

function textOf(formerSpools: readonly FormerSpool[]): string | null {
  return formerSpools.length === 0 ? null : encodeFormerSpools(formerSpools);
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
    ...(fields.spool === null ? {} : { spool: decodeSpool(String(fields.spool)) }),
    ...(fields.former_spools === null
      ? {}
      : { formerSpools: decodeFormerSpools(String(fields.former_spools)) }),
    ...(fields.last_error === null ? {} : { lastError: String(fields.last_error) }),
    firstSeenAt: Number(fields.first_seen_at),
  };
}

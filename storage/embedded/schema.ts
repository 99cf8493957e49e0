/**
 * The database's schema as steps: step n takes a database from `user_version` n to n + 1. A step that has shipped never
 * changes; what comes later is a further step.
 */
export const SCHEMA_STEPS: readonly string[] = [
  `
  -- How long blocks of a class can be: class c holds those of (2^(c-1), 2^c] ms. With the class in the index, the blocks
  -- that overlap a range are a short run of each class: those that begin after (from - 2^c) and before until. An index
  -- on the two times alone would read every block that is newer than the range, or older.
  CREATE TABLE span_classes (span_class INTEGER PRIMARY KEY, length INTEGER NOT NULL) STRICT;
  WITH RECURSIVE classes (c) AS (SELECT 0 UNION ALL SELECT c + 1 FROM classes WHERE c < 53)
    INSERT INTO span_classes SELECT c, 1 << c FROM classes;

  CREATE TABLE blocks (
    block_id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    level INTEGER NOT NULL,
    resolution_seconds INTEGER NOT NULL,
    min_time INTEGER NOT NULL,
    max_time INTEGER NOT NULL,
    span_class INTEGER NOT NULL,
    size INTEGER NOT NULL,
    directory_offset INTEGER NOT NULL,
    directory_length INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    datasets TEXT NOT NULL,
    batch_ids TEXT NOT NULL
  ) STRICT;
  CREATE INDEX blocks_by_time ON blocks (tenant, span_class, min_time, max_time);
  CREATE INDEX blocks_in_order ON blocks (tenant, min_time, block_id);
  CREATE INDEX blocks_by_level ON blocks (tenant, level, min_time, block_id);

  CREATE TABLE block_services (
    tenant TEXT NOT NULL,
    service TEXT NOT NULL,
    span_class INTEGER NOT NULL,
    min_time INTEGER NOT NULL,
    max_time INTEGER NOT NULL,
    block_id TEXT NOT NULL,
    PRIMARY KEY (tenant, service, span_class, min_time, max_time, block_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX block_services_by_block ON block_services (block_id);

  CREATE TABLE deletion_marks (
    block_id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    level INTEGER NOT NULL,
    marked_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX deletion_marks_by_age ON deletion_marks (marked_at, block_id);

  CREATE TABLE swaps (token TEXT PRIMARY KEY, effect TEXT NOT NULL, swapped_at INTEGER NOT NULL) STRICT;
  CREATE INDEX swaps_by_age ON swaps (swapped_at);

  -- Payloads stand apart, so that a delivery rewrites a short row and not the payload.
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    cluster TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    object_key TEXT,
    sent_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 0,
    delivery INTEGER NOT NULL DEFAULT 0,
    dead_at INTEGER
  ) STRICT;
  CREATE INDEX messages_by_visibility ON messages (visible_at, id) WHERE dead_at IS NULL;
  CREATE INDEX messages_by_wear ON messages (receive_count, visible_at) WHERE dead_at IS NULL;
  CREATE INDEX messages_by_age ON messages (sent_at) WHERE dead_at IS NULL;
  CREATE INDEX dead_letters ON messages (id) WHERE dead_at IS NOT NULL;
  CREATE TABLE payloads (
    id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    payload BLOB NOT NULL
  ) STRICT;

  CREATE TABLE clusters (
    cluster TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE credentials (
    access_key_id TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    cluster TEXT NOT NULL REFERENCES clusters (cluster),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT;
  CREATE INDEX credentials_by_cluster ON credentials (cluster, created_at);
  CREATE TABLE api_tokens (
    token_hash TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT;
  CREATE TABLE agents (
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    version TEXT NOT NULL,
    engine TEXT NOT NULL,
    at INTEGER NOT NULL,
    clock_skew_ms REAL NOT NULL,
    counters TEXT NOT NULL,
    last_error TEXT,
    first_seen_at INTEGER NOT NULL,
    PRIMARY KEY (cluster, node)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE batches (
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    samples_taken INTEGER NOT NULL,
    samples_lost INTEGER NOT NULL,
    samples_dropped INTEGER NOT NULL,
    samples_kept INTEGER NOT NULL,
    first_window INTEGER NOT NULL,
    last_window INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (cluster, node, boot_id, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX batches_by_window ON batches (first_window);
  CREATE INDEX batches_by_arrival ON batches (received_at);
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE counters (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;

  CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    token INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Clusters may be removed, and have external ids. SQLite cannot change a CHECK, so the table is built anew, and with it
  -- the one that refers to it.
  CREATE TABLE clusters_2 (
    cluster TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'removed')),
    created_at INTEGER NOT NULL,
    external_ids TEXT
  ) STRICT;
  INSERT INTO clusters_2 SELECT cluster, display_name, status, created_at, NULL FROM clusters;
  CREATE TABLE credentials_2 (
    access_key_id TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    cluster TEXT NOT NULL REFERENCES clusters_2 (cluster),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT;
  INSERT INTO credentials_2 SELECT access_key_id, secret, cluster, created_at, revoked_at FROM credentials;
  DROP TABLE credentials;
  DROP TABLE clusters;
  ALTER TABLE clusters_2 RENAME TO clusters;
  ALTER TABLE credentials_2 RENAME TO credentials;
  CREATE INDEX credentials_by_cluster ON credentials (cluster, created_at);
  `,
  `
  -- How often a batch came again.
  ALTER TABLE batches ADD COLUMN duplicates INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Why and when a block was set aside, as JSON; NULL while it is live.
  ALTER TABLE blocks ADD COLUMN aside TEXT;
  `,
  `
  -- What waits on the disks of agents, and what waited on those that are gone.
  ALTER TABLE agents ADD COLUMN spool TEXT;
  ALTER TABLE agents ADD COLUMN former_spools TEXT;
  `,
];

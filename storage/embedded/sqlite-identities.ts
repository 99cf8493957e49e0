import { RejectedError } from '../../core/errors.ts';
import { isKeySegment } from '../object-store.ts';
import type { ApiToken, Cluster, ClusterStatus, IdentityRegistry } from '../registry.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Fields = Record<string, unknown>;

/** Clusters, the keys their agents sign with, and API tokens, in SQLite. */
export function sqliteIdentities(database: SqliteDatabase): IdentityRegistry {
  return { ...clusters(database), ...credentials(database), ...apiTokens(database) };
}

function clusters(database: SqliteDatabase) {
  const insert = database.prepare(
    'INSERT OR IGNORE INTO clusters VALUES (:cluster, :displayName, :status, :createdAt, :externalIds)',
  );
  const get = database.prepare('SELECT * FROM clusters WHERE cluster = :cluster');
  const all = database.prepare('SELECT * FROM clusters ORDER BY cluster');
  const setStatus = database.prepare('UPDATE clusters SET status = :status WHERE cluster = :cluster');
  const replace = database.prepare(`UPDATE clusters SET display_name = :displayName, status = :status,
    created_at = :createdAt, external_ids = :externalIds WHERE cluster = :cluster AND status = :was`);
  return {
    async createCluster(row: Cluster): Promise<'created' | 'exists'> {
      if (!isKeySegment(row.cluster))
        refuse(`cluster ${JSON.stringify(row.cluster)} is not made of A-Z a-z 0-9 . _ = -`);
      return database.write(() => (insert.run(clusterFields(row)).changes === 1 ? 'created' : 'exists'));
    },
    async getCluster(cluster: string) {
      return database.read(() => {
        const fields = get.get({ cluster });
        return fields && toCluster(fields);
      });
    },
    async listClusters() {
      return database.read(() => all.all().map(toCluster));
    },
    async setClusterStatus(cluster: string, status: ClusterStatus) {
      await database.write(() => {
        if (setStatus.run({ cluster, status }).changes === 0) refuseUnknown(cluster);
      });
    },
    async replaceCluster(row: Cluster, was: ClusterStatus) {
      return database.write(() => replace.run({ ...clusterFields(row), was }).changes === 1);
    },
  };
}

function credentials(
  database: SqliteDatabase,
): Pick<IdentityRegistry, 'addCredential' | 'findCredential' | 'listCredentials' | 'revokeCredential'> {
  const clusterOf = database.prepare('SELECT 1 FROM clusters WHERE cluster = :cluster');
  const insert = database.prepare(
    'INSERT OR IGNORE INTO credentials VALUES (:accessKeyId, :secret, :cluster, :createdAt, :revokedAt)',
  );
  const find = database.prepare('SELECT * FROM credentials WHERE access_key_id = :accessKeyId');
  const list = database.prepare(`SELECT access_key_id, cluster, created_at, revoked_at FROM credentials
    WHERE cluster = :cluster ORDER BY created_at, access_key_id`);
  const revoke = database.prepare(
    'UPDATE credentials SET revoked_at = :at WHERE access_key_id = :accessKeyId AND ifnull(revoked_at > :at, true)',
  );
  return {
    async addCredential(credential) {
      const { accessKeyId, secret, cluster, revokedAt = null } = credential;
      if (accessKeyId === '' || secret === '') refuse('a credential needs an access key id and a secret');
      await database.write(() => {
        if (!clusterOf.get({ cluster })) refuseUnknown(cluster);
        if (insert.run({ ...credential, revokedAt }).changes === 0)
          refuse(`access key id ${accessKeyId} is taken`);
      });
    },
    async findCredential(accessKeyId) {
      return database.read(() => {
        const fields = find.get({ accessKeyId });
        return fields && { ...toCredential(fields), secret: String(fields.secret) };
      });
    },
    async listCredentials(cluster) {
      return database.read(() => list.all({ cluster }).map(toCredential));
    },
    async revokeCredential(accessKeyId, at) {
      return database.write(() => revoke.run({ accessKeyId, at }).changes === 1);
    },
  };
}

function apiTokens(
  database: SqliteDatabase,
): Pick<IdentityRegistry, 'addApiToken' | 'findApiToken' | 'listApiTokens' | 'revokeApiToken'> {
  const insert = database.prepare(
    'INSERT OR IGNORE INTO api_tokens VALUES (:tokenHash, :name, :scopes, :createdAt, :revokedAt)',
  );
  const find = database.prepare('SELECT * FROM api_tokens WHERE token_hash = :tokenHash');
  const all = database.prepare('SELECT * FROM api_tokens ORDER BY created_at, token_hash');
  const revoke = database.prepare(
    'UPDATE api_tokens SET revoked_at = :at WHERE token_hash = :tokenHash AND ifnull(revoked_at > :at, true)',
  );
  return {
    async addApiToken(token) {
      if (token.tokenHash === '') refuse('an API token needs a hash');
      const fields = { ...token, scopes: JSON.stringify(token.scopes), revokedAt: token.revokedAt ?? null };
      await database.write(() => {
        if (insert.run(fields).changes === 0) refuse(`the hash of API token ${token.name} is taken`);
      });
    },
    async findApiToken(tokenHash) {
      return database.read(() => {
        const fields = find.get({ tokenHash });
        return fields && toApiToken(fields);
      });
    },
    async listApiTokens() {
      return database.read(() => all.all().map(toApiToken));
    },
    async revokeApiToken(tokenHash, at) {
      return database.write(() => revoke.run({ tokenHash, at }).changes === 1);
    },
  };
}

function refuse(message: string): never {
  throw new RejectedError('invalid', message);
}

function refuseUnknown(cluster: string): never {
  throw new RejectedError('not-found', `there is no cluster ${JSON.stringify(cluster)}`);
}

function clusterFields({ externalIds, ...row }: Cluster) {
  return { ...row, externalIds: externalIds === undefined ? null : JSON.stringify(externalIds) };
}

function toCluster(fields: Fields): Cluster {
  return {
    cluster: String(fields.cluster),
    displayName: String(fields.display_name),
    status: fields.status as ClusterStatus,
    createdAt: Number(fields.created_at),
    ...(fields.external_ids === null ? {} : { externalIds: JSON.parse(String(fields.external_ids)) }),
  };
}

function toCredential(fields: Fields) {
  return {
    accessKeyId: String(fields.access_key_id),
    cluster: String(fields.cluster),
    createdAt: Number(fields.created_at),
    ...revokedAt(fields),
  };
}

function toApiToken(fields: Fields): ApiToken {
  return {
    tokenHash: String(fields.token_hash),
    name: String(fields.name),
    scopes: JSON.parse(String(fields.scopes)),
    createdAt: Number(fields.created_at),
    ...revokedAt(fields),
  };
}

function revokedAt(fields: Fields): { revokedAt?: number } {
  return fields.revoked_at === null ? {} : { revokedAt: Number(fields.revoked_at) };
}

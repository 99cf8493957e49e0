import { RejectedError } from '../../core/errors.ts';
import { isKeySegment } from '../object-store.ts';
import type { ApiToken, Cluster, ClusterStatus, Credential, IdentityRegistry } from '../registry.ts';
import { type Item, number, optionalNumber, text } from './attribute-values.ts';
import { digestOf, newNonce } from './digests.ts';
import type { DynamoTable } from './dynamodb-table.ts';
import {
  API_TOKENS,
  apiTokenEntryKey,
  apiTokenKey,
  CLUSTERS,
  clusterKey,
  credentialEntryKey,
  credentialKey,
  credentialsPartition,
  type Key,
} from './names.ts';

const ABSENT = { condition: 'attribute_not_exists(pk)' };

/**
 * Clusters, the keys their agents sign with, and API tokens, in DynamoDB. What is looked up by a secret name (access key,
 * hash) has an item of its own; entries beside it list those of a cluster, or all, and say nothing themselves.
 */
export function dynamodbIdentities(table: DynamoTable): IdentityRegistry {
  return { ...clusters(table), ...credentials(table), ...apiTokens(table) };
}

type Clusters = Pick<
  IdentityRegistry,
  'createCluster' | 'getCluster' | 'listClusters' | 'setClusterStatus' | 'replaceCluster'
>;
function clusters(table: DynamoTable): Clusters {
  return {
    async createCluster(row) {
      const { cluster } = row;
      if (!isKeySegment(cluster))
        refuse(`cluster ${JSON.stringify(cluster)} is not made of A-Z a-z 0-9 . _ = -`);
      const nonce = newNonce();
      const outcome = await table.put(clusterKey(cluster), { ...clusterFields(row), nonce }, ABSENT);
      return outcome.done || isOwn(outcome.old, nonce) ? 'created' : 'exists';
    },
    async getCluster(cluster) {
      if (cluster === '') return undefined;
      const item = await table.get(clusterKey(cluster));
      return item && toCluster(item);
    },
    async listClusters() {
      const all: Cluster[] = [];
      for await (const item of table.query(CLUSTERS)) all.push(toCluster(item));
      return all;
    },
    async setClusterStatus(cluster, status) {
      if (cluster === '') refuseUnknown(cluster);
      const outcome = await table.update(clusterKey(cluster), {
        update: 'SET #status = :status',
        condition: 'attribute_exists(pk)',
        values: { status },
      });
      if (!outcome.done) refuseUnknown(cluster);
    },
    async replaceCluster(row, was) {
      if (row.cluster === '') return false;
      const nonce = newNonce();
      const outcome = await table.put(
        clusterKey(row.cluster),
        { ...clusterFields(row), nonce },
        { condition: '#status = :was', values: { was } },
      );
      // What stands in the way may be this very write, whose answer was lost.
      return outcome.done || isOwn(outcome.old, nonce);
    },
  };
}

type Credentials = Pick<
  IdentityRegistry,
  'addCredential' | 'findCredential' | 'listCredentials' | 'revokeCredential'
>;
function credentials(table: DynamoTable): Credentials {
  return {
    async addCredential(credential) {
      const { accessKeyId, secret, cluster, createdAt, revokedAt } = credential;
      if (accessKeyId === '' || secret === '') refuse('a credential needs an access key id and a secret');
      const known = cluster === '' ? undefined : await table.get(clusterKey(cluster));
      if (!known) refuseUnknown(cluster);
      const added = await addListed(
        table,
        table.putPart(credentialKey(accessKeyId), { secret, cluster, createdAt, revokedAt }, ABSENT),
        table.putPart(credentialEntryKey(cluster, createdAt, accessKeyId), { accessKeyId }),
      );
      if (!added) refuse(`access key id ${accessKeyId} is taken`);
    },
    async findCredential(accessKeyId) {
      if (accessKeyId === '') return undefined;
      const item = await table.get(credentialKey(accessKeyId));
      return item && { ...toCredential(item), secret: text(item, 'secret') };
    },
    async listCredentials(cluster) {
      const items = await readListed(table, credentialsPartition(cluster), (entry) =>
        credentialKey(text(entry, 'accessKeyId')),
      );
      return items.map(toCredential);
    },
    revokeCredential: (accessKeyId, at) => revoke(table, accessKeyId, credentialKey, at),
  };
}

type ApiTokens = Pick<IdentityRegistry, 'addApiToken' | 'findApiToken' | 'listApiTokens' | 'revokeApiToken'>;
function apiTokens(table: DynamoTable): ApiTokens {
  return {
    async addApiToken(token) {
      const { tokenHash, name, scopes, createdAt, revokedAt } = token;
      if (tokenHash === '') refuse('an API token needs a hash');
      const fields = { name, scopes: JSON.stringify(scopes), createdAt, revokedAt };
      const added = await addListed(
        table,
        table.putPart(apiTokenKey(tokenHash), fields, ABSENT),
        table.putPart(apiTokenEntryKey(createdAt, tokenHash), { tokenHash }),
      );
      if (!added) refuse(`the hash of API token ${name} is taken`);
    },
    async findApiToken(tokenHash) {
      if (tokenHash === '') return undefined;
      const item = await table.get(apiTokenKey(tokenHash));
      return item && toApiToken(item);
    },
    async listApiTokens() {
      const items = await readListed(table, API_TOKENS, (entry) => apiTokenKey(text(entry, 'tokenHash')));
      return items.map(toApiToken);
    },
    revokeApiToken: (tokenHash, at) => revoke(table, tokenHash, apiTokenKey, at),
  };
}

/** Writes an item and the entry that lists it, both or neither; false when the item is there already. */
function addListed(table: DynamoTable, ...parts: Parameters<DynamoTable['transact']>[0]): Promise<boolean> {
  // A caller that repeats the call is told that the name is taken: the token only covers repeats by the SDK.
  return table.transact(parts, digestOf(newNonce()).slice(0, 36));
}

/** The items that the entries of a partition list, in the order of the entries. */
async function readListed(
  table: DynamoTable,
  partition: string,
  keyOf: (entry: Item) => Key,
): Promise<Item[]> {
  const keys: Key[] = [];
  for await (const entry of table.query(partition)) keys.push(keyOf(entry));
  const items = new Map((await table.getMany(keys)).map((item) => [text(item, 'pk'), item]));
  return keys.map(({ pk }) => items.get(pk)).filter((item) => item !== undefined);
}

async function revoke(
  table: DynamoTable,
  name: string,
  keyOf: (name: string) => Key,
  at: number,
): Promise<boolean> {
  if (name === '') return false;
  const outcome = await table.update(keyOf(name), {
    update: 'SET #revokedAt = :at',
    condition: 'attribute_exists(pk) AND (attribute_not_exists(#revokedAt) OR #revokedAt > :at)',
    values: { at },
  });
  return outcome.done;
}

function isOwn(item: Item | undefined, nonce: string): boolean {
  return item !== undefined && text(item, 'nonce') === nonce;
}

function refuse(message: string): never {
  throw new RejectedError('invalid', message);
}

function refuseUnknown(cluster: string): never {
  throw new RejectedError('not-found', `there is no cluster ${JSON.stringify(cluster)}`);
}

function clusterFields({ displayName, status, createdAt, externalIds }: Cluster) {
  return { displayName, status, createdAt, externalIds: externalIds && JSON.stringify(externalIds) };
}

function toCluster(item: Item): Cluster {
  const externalIds = text(item, 'externalIds');
  return {
    cluster: text(item, 'sk'),
    displayName: text(item, 'displayName'),
    status: text(item, 'status') as ClusterStatus,
    createdAt: number(item, 'createdAt'),
    ...(externalIds === '' ? {} : { externalIds: JSON.parse(externalIds) }),
  };
}

function toCredential(item: Item): Omit<Credential, 'secret'> {
  return {
    accessKeyId: text(item, 'pk').slice(credentialKey('').pk.length),
    cluster: text(item, 'cluster'),
    createdAt: number(item, 'createdAt'),
    ...revokedAt(item),
  };
}

function toApiToken(item: Item): ApiToken {
  return {
    tokenHash: text(item, 'pk').slice(apiTokenKey('').pk.length),
    name: text(item, 'name'),
    scopes: JSON.parse(text(item, 'scopes')),
    createdAt: number(item, 'createdAt'),
    ...revokedAt(item),
  };
}

function revokedAt(item: Item): { revokedAt?: number } {
  const at = optionalNumber(item, 'revokedAt');
  return at === undefined ? {} : { revokedAt: at };
}

// Names of the table's attributes and the layout of its keys: the only place that spells them. Free of any SDK, so that
// infrastructure code reads it too. docs/design/0003-storage-on-aws.md draws the layout and says why.
import { crc32 } from 'node:zlib';

/** Attribute names of the table's key. Both are text. */
export const PARTITION_KEY = 'pk';
export const SORT_KEY = 'sk';

/** The attribute with which DynamoDB expires items, in seconds since epoch. It may be days late: readers filter too. */
export const EXPIRES = 'expires';

/** Name of the binary message attribute that carries a batch. */
export const PAYLOAD_ATTRIBUTE = 'payload';

/** Settings that the queue and its dead-letter queue must have; infrastructure code and tests create them with these. */
export const QUEUE_MESSAGE_BYTES = 1024 * 1024;
export const DEAD_LETTER_RETENTION_SECONDS = 14 * 24 * 3600;

export interface Key {
  pk: string;
  sk: string;
}

/** Digits of a time or number in a key, so that the order of text is that of numbers up to 2^53. */
const DIGITS = 16;

export function padded(value: number): string {
  return String(value).padStart(DIGITS, '0');
}

/** Spreads names over `shards`: the same name, the same shard, everywhere and forever. */
export function shardOf(name: string, shards: number): number {
  return crc32(name) % shards;
}

// Blocks.

export const blockPartition = (blockId: string) => `block#${blockId}`;
export const blockKey = (blockId: string): Key => ({ pk: blockPartition(blockId), sk: 'row' });
/** Parts of rows past the size of an item. The digest of the content keeps those of rival rows of one id apart. */
export const rowPartPrefix = (digest: string) => `part#${digest}#`;
export const rowPartKey = (blockId: string, digest: string, part: number): Key => ({
  pk: blockPartition(blockId),
  sk: `${rowPartPrefix(digest)}${part}`,
});
/** Holds the number of swaps that a tenant has seen. */
export const tenantSwapsKey = (tenant: string): Key => ({ pk: `tenant#${tenant}`, sk: 'swaps' });
export const swapTokenKey = (digest: string): Key => ({ pk: `swap#${digest}`, sk: 'swap' });

/** Swaps are listed for deletion in as many partitions; each takes hundreds of swaps a second. */
export const MARK_SHARDS = 4;
export const marksPartition = (shard: number) => `marks#${shard}`;
export const marksKey = (markedAt: number, digest: string): Key => ({
  pk: marksPartition(shardOf(digest, MARK_SHARDS)),
  sk: `${padded(markedAt)}#${digest}`,
});

// Registry.

export const CLUSTERS = 'clusters';
export const clusterKey = (cluster: string): Key => ({ pk: CLUSTERS, sk: cluster });
export const credentialKey = (accessKeyId: string): Key => ({
  pk: `credential#${accessKeyId}`,
  sk: 'credential',
});
export const credentialsPartition = (cluster: string) => `credentials#${cluster}`;
export const credentialEntryKey = (cluster: string, createdAt: number, accessKeyId: string): Key => ({
  pk: credentialsPartition(cluster),
  sk: `${padded(createdAt)}#${accessKeyId}`,
});
export const apiTokenKey = (tokenHash: string): Key => ({ pk: `api-token#${tokenHash}`, sk: 'api-token' });
export const API_TOKENS = 'api-tokens';
export const apiTokenEntryKey = (createdAt: number, tokenHash: string): Key => ({
  pk: API_TOKENS,
  sk: `${padded(createdAt)}#${tokenHash}`,
});
export const settingKey = (key: string): Key => ({ pk: `setting#${key}`, sk: 'setting' });
export const counterKey = (key: string): Key => ({ pk: `counter#${key}`, sk: 'counter' });
export const leaseKey = (name: string): Key => ({ pk: `lease#${name}`, sk: 'lease' });

/** Heartbeats of one cluster go to as many partitions: 10,000 nodes every 30 s are 83 writes a second to each. */
export const AGENT_SHARDS = 4;
export const agentsPartition = (cluster: string, shard: number) => `agents#${cluster}#${shard}`;
export const agentKey = (cluster: string, node: string): Key => ({
  pk: agentsPartition(cluster, shardOf(node, AGENT_SHARDS)),
  sk: node,
});
/** Clusters that ever sent a heartbeat: where `agents#` is to be looked for. */
export const AGENT_CLUSTERS = 'agent-clusters';

/** Batches of one hour go to as many partitions: 10,000 nodes every 15 s are 83 writes a second to each. */
export const LEDGER_SHARDS = 8;
export const ledgerPartition = (hour: number, shard: number) => `ledger#${padded(hour)}#${shard}`;
/** Hours in which a batch was recorded: where `ledger#` is to be looked for. */
export const LEDGER_HOURS = 'ledger-hours';

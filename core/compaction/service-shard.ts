// Where a range holds more than one job can take, its services are dealt to shards, so that each job holds all of its
// time and some of its services. What shard a service is in follows from its name alone; nothing is stored of it.

/** Most shards; a power of two, so that each of fewer shards is a union of these. */
export const SHARDS_MAX = 16;

/** The blocks whose services are in one shard of so many. */
export interface ShardClass {
  /** A power of two; 1 = services of any shard. */
  readonly shards: number;
  /** In [0, shards). */
  readonly shard: number;
}

/**
 * The shard of a service, in [0, shards): the same for good, on every machine. 32 bits of FNV-1a over UTF-16 code units,
 * folded to the bits that are used, as its authors advise (http://www.isthe.com/chongo/tech/comp/fnv/).
 * @param shards a power of two, at most SHARDS_MAX
 */
export function shardOf(service: string, shards: number = SHARDS_MAX): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < service.length; i++) hash = Math.imul(hash ^ service.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 16;
  hash ^= hash >>> 8;
  return (hash ^ (hash >>> 4)) & (shards - 1);
}

/** The shards of SHARDS_MAX that services of a block are in, a bit each. Blocks without a common bit share no service. */
export function shardMask(datasets: readonly { readonly service: string }[]): number {
  return datasets.reduce((mask, { service }) => mask | (1 << shardOf(service)), 0);
}

/** The largest number of shards, up to `most`, of which one holds all bits of the mask, and which one that is. */
export function shardClassOf(mask: number, most: number): ShardClass {
  for (let shards = most; shards > 1; shards /= 2) {
    for (let shard = 0; shard < shards; shard++) {
      if ((mask & ~maskOf({ shards, shard })) === 0) return { shards, shard };
    }
  }
  return { shards: 1, shard: 0 };
}

/** Least number of shards of which each has at most `bytesMax`, were all alike; SHARDS_MAX when none is enough. */
export function shardsFor(bytes: number, bytesMax: number): number {
  let shards = 1;
  while (shards < SHARDS_MAX && bytes / shards > bytesMax) shards *= 2;
  return shards;
}

/** The shards of SHARDS_MAX that a shard of fewer is made of. */
function maskOf({ shards, shard }: ShardClass): number {
  let mask = 0;
  for (let one = shard; one < SHARDS_MAX; one += shards) mask |= 1 << one;
  return mask;
}

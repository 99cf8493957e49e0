// A block's batch table says where its rows come from. Three kinds of entries stand in it:
//   cluster/node/boot/sequence   a batch: rows of it can be told from rows that come twice
//   cluster/sealed               batches of a cluster that are too old to come twice; their ids were shed
//   <block id>                   in a downsampled block: the raw block (the family) whose rows it sums

const SEALED = 'sealed';

/** Whether it names one batch, which may have come twice. */
export function isBatchId(entry: string): boolean {
  return entry.indexOf('/') !== entry.lastIndexOf('/');
}

/** Whether it names a raw block that a downsampled one sums. */
export function isFamily(entry: string): boolean {
  return !entry.includes('/');
}

/** What stands for a batch, or for other sealed ones of its cluster, once its id is shed. */
export function sealedEntry(entry: string): string {
  return `${clusterOf(entry)}/${SEALED}`;
}

/** The clusters whose batches a table names. */
export function clustersOf(entries: readonly string[]): string[] {
  return [...new Set(entries.filter((entry) => !isFamily(entry)).map(clusterOf))].sort();
}

/** The raw blocks that a downsampled block sums. */
export function familiesOf(entries: readonly string[]): string[] {
  return entries.filter(isFamily);
}

function clusterOf(entry: string): string {
  return entry.slice(0, Math.max(0, entry.indexOf('/')));
}

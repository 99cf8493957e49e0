import type { TimeSpan } from '../query/time-span.ts';

// A block's batch table says where its rows come from. Seven kinds of entries stand in it:
//   cluster/node/boot/sequence   a batch: rows of it can be told from rows that come twice; an index row names runs of
//                                them, cluster/node/boot/first-last (batch-runs.ts)
//   cluster/sealed               batches of a cluster that are too old to come twice; their ids were shed
//   <block id>                   in a downsampled block: the raw block (the family) whose rows it sums; in a raw block
//                                that was rewritten: the one that it stands for
//   ~partial                     series are gone from it that its coarser versions still hold
//   ~hole:start:end              rows of [start, end) are gone from it, and its families answer for them
//   ~rolled:name                 series that differed in this label alone are one: it is dropped. The name is encoded as in
//                                a URL, so that it may hold any character
//   ~kept:id                     what the deletion of this id names is still in it: it rolled up a label that tells it apart

const SEALED = 'sealed';

/** Says of a block that series are gone from it that its coarser versions still hold. */
export const PARTIAL = '~partial';

/** Whether it names one batch, which may have come twice. */
export function isBatchId(entry: string): boolean {
  return entry.indexOf('/') !== entry.lastIndexOf('/');
}

/** Whether it names a raw block that a downsampled one sums. */
export function isFamily(entry: string): boolean {
  return !entry.includes('/') && !isNote(entry);
}

/** Whether it says something of the block itself. Batch ids and block ids have no such character. */
function isNote(entry: string): boolean {
  return entry.startsWith('~');
}

/** The family of a block that sums one: the raw block that it is, stands for, or sums. */
export function familyIdOf({
  blockId,
  batchIds,
}: {
  readonly blockId: string;
  readonly batchIds: readonly string[];
}): string {
  return familiesOf(batchIds)[0] ?? blockId;
}

export function isPartial(entries: readonly string[]): boolean {
  return entries.includes(PARTIAL);
}

/** The entry that says that rows of a time are gone. */
export function holeEntry({ start, end }: TimeSpan): string {
  return `~hole:${start}:${end}`;
}

/** Times whose rows are gone from a block, and that its families answer for. */
export function holesOf(entries: readonly string[]): TimeSpan[] {
  return entries.flatMap((entry) => {
    const [, start, end] = /^~hole:(\d+):(\d+)$/.exec(entry) ?? [];
    return end === undefined ? [] : [{ start: Number(start), end: Number(end) }];
  });
}

const ROLLED = '~rolled:';
const KEPT = '~kept:';

/** The entry that says that a label was rolled up. */
export function rolledEntry(label: string): string {
  return `${ROLLED}${encodeURIComponent(label)}`;
}

/** Labels that a block rolled up, sorted: rows of it say nothing of them. */
export function rolledLabelsOf(entries: readonly string[]): string[] {
  return valuesAfter(ROLLED, entries).map(decodeURIComponent).sort();
}

/** The entry that says that what a deletion names could not be taken out. */
export function keptEntry(deletionId: string): string {
  return `${KEPT}${deletionId}`;
}

/** Deletions whose samples a block still holds, and cannot tell apart. */
export function keptDeletionsOf(entries: readonly string[]): string[] {
  return valuesAfter(KEPT, entries);
}

function valuesAfter(prefix: string, entries: readonly string[]): string[] {
  const found: string[] = [];
  for (const entry of entries) if (entry.startsWith(prefix)) found.push(entry.slice(prefix.length));
  return found;
}

/** What stands for a batch, or for other sealed ones of its cluster, once its id is shed. */
export function sealedEntry(entry: string): string {
  if (!entry.includes('/')) return entry;
  return `${clusterOf(entry)}/${SEALED}`;
}

/** The clusters whose batches a table names. */
export function clustersOf(entries: readonly string[]): string[] {
  return [...new Set(entries.filter((entry) => entry.includes('/')).map(clusterOf))].sort();
}

/** The raw blocks that a downsampled block sums. */
export function familiesOf(entries: readonly string[]): string[] {
  return entries.filter(isFamily);
}

function clusterOf(entry: string): string {
  return entry.slice(0, Math.max(0, entry.indexOf('/')));
}

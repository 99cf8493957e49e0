import { MAX_CATALOG_PAGE } from '../storage/block-catalog.ts';
import { blocksPrefix, inboxPrefix, parseBlockKey, parseSealedKey, sealedPrefix } from '../storage/names.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import { eachObject } from './each-object.ts';
import { aloneAt } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { familiesOfDay } from './sealed-batches.ts';

/** What lies in only one of object store and catalog. */
export interface SweepReport {
  /** Block objects, and rows of blocks that are live or lie aside, that were looked at. */
  objects: number;
  rows: number;
  /** Keys of objects that no row refers to; deleted unless it was a dry run. */
  orphans: string[];
  orphanBytes: number;
  /** Objects whose time was over, as it is for each some day: what names the batches of days that were sealed long ago. */
  outdated: number;
  /** Ids of live blocks whose object is gone. Their rows stay, so that answers go on saying what they lack. */
  missing: string[];
  /** True when objects were left alone since too many deletions are under way to tell which of them are meant. */
  postponed: boolean;
}

/** A block's object comes before its row: one without a row is nobody's only after this long, ms. */
export const ORPHAN_AGE_MS = 24 * 3_600_000;

/**
 * So long after a batch was accepted no message points to it any more, dead letters included, ms: then a waiting batch is
 * nobody's, and nobody has to tell whether it comes twice.
 */
export const INBOX_AGE_MS = 21 * 24 * 3_600_000;

/**
 * Compares all objects of the tenant with the catalog, in both directions. Crashes between two steps leave such
 * objects; nothing but damage leaves a row without one. Memory: an id per live block.
 * @throws RetryableError while somebody else does the same
 */
export async function sweepOrphans(hub: Hub, options: { dryRun: boolean }): Promise<SweepReport> {
  return aloneAt(hub, 'sweep', () => sweep(hub, options));
}

async function sweep(hub: Hub, options: { dryRun: boolean }): Promise<SweepReport> {
  const report: SweepReport = {
    ...{ objects: 0, rows: 0, orphans: [], orphanBytes: 0, outdated: 0, missing: [], postponed: false },
  };
  const before = hub.clock() - ORPHAN_AGE_MS;
  // Rows first: a block that is published while objects are listed is no orphan, since its object is young.
  const known = await knownBlocks(hub);
  report.rows = known.size;
  const marked = await markedBlocks(hub);
  report.postponed = marked === undefined;
  const found = new Set<string>();
  for await (const { key, size, writtenAt } of eachObject(hub, blocksPrefix(hub.tenant))) {
    report.objects++;
    const id = parseBlockKey(key)?.blockId;
    if (id !== undefined && known.has(id)) found.add(id);
    else if (writtenAt < before && marked !== undefined && !(id !== undefined && marked.has(id)))
      await removeOrphan(hub, { key, size, writtenAt }, options.dryRun, report);
  }
  for await (const entry of eachObject(hub, inboxPrefix(hub.tenant)))
    if (entry.writtenAt < hub.clock() - INBOX_AGE_MS) await removeOrphan(hub, entry, options.dryRun, report);
  await sweepSealed(hub, options.dryRun, report);
  // A block may have been merged away since its row was read: only one that is live still lacks its object.
  for (const id of known)
    if (!found.has(id) && (await hub.catalog.get(id)) !== undefined) report.missing.push(id);
  tell(hub, report);
  return report;
}

/** What names the batches of sealed families goes with its time, or with its family. */
async function sweepSealed(hub: Hub, dryRun: boolean, report: SweepReport): Promise<void> {
  const now = hub.clock();
  let known: { readonly day: number; readonly families: ReadonlySet<string> } | undefined;
  for await (const entry of eachObject(hub, sealedPrefix(hub.tenant))) {
    if (entry.writtenAt < now - INBOX_AGE_MS) {
      report.outdated++;
      if (!dryRun) await hub.objects.delete(entry.key);
    } else if (entry.writtenAt < now - ORPHAN_AGE_MS) {
      const name = parseSealedKey(entry.key);
      // In order of days: each is looked up once.
      if (name !== undefined && name.day !== known?.day)
        known = { day: name.day, families: await familiesOfDay(hub, name.day) };
      if (name === undefined || !known!.families.has(name.family))
        await removeOrphan(hub, entry, dryRun, report);
    }
  }
}

async function removeOrphan(
  hub: Hub,
  { key, size }: ObjectEntry,
  dryRun: boolean,
  report: SweepReport,
): Promise<void> {
  const id = parseBlockKey(key)?.blockId;
  // Published meanwhile by a host whose clock is far off.
  if (id !== undefined && (await hub.catalog.get(id, { withAside: true })) !== undefined) return;
  report.orphans.push(key);
  report.orphanBytes += size;
  if (!dryRun) await hub.objects.delete(key);
}

function tell(hub: Hub, { orphans, orphanBytes, missing }: SweepReport): void {
  hub.telemetry.count('sweep_orphans_total', orphans.length);
  hub.telemetry.gauge('blocks_missing', missing.length);
  if (orphans.length > 0)
    hub.telemetry.log('info', `sweep: ${orphans.length} objects without a row, ${orphanBytes} bytes`);
  if (missing.length > 0)
    hub.telemetry.log(
      'error',
      `sweep: ${missing.length} blocks have no object: ${missing.slice(0, 10).join(', ')}`,
    );
}

/** Live ones and those that lie aside: the objects of both are kept. */
async function knownBlocks(hub: Hub): Promise<Set<string>> {
  const ids = new Set<string>();
  let after: { minTime: number; blockId: string } | undefined;
  for (;;) {
    const page = await hub.catalog.list({
      ...{ tenant: hub.tenant, withAside: true },
      after,
      limit: MAX_CATALOG_PAGE,
    });
    for (const { blockId } of page) ids.add(blockId);
    after = page.at(-1);
    if (page.length < MAX_CATALOG_PAGE) return ids;
  }
}

/** Blocks whose objects wait for their deletion; undefined when there are more than one call lists. */
async function markedBlocks(hub: Hub): Promise<Set<string> | undefined> {
  const marks = await hub.catalog.listDeletionMarks(Number.MAX_SAFE_INTEGER, MAX_CATALOG_PAGE);
  return marks.length < MAX_CATALOG_PAGE ? new Set(marks.map(({ blockId }) => blockId)) : undefined;
}

import { familiesOf, familyIdOf, isPartial } from '../block/batch-table.ts';
import { isAnsweredByFamilies, isJoined, versionsByFamily } from '../block/families.ts';
import type { TimeSpan } from '../query/time-span.ts';
import { untoldDeletions } from '../retention/deletion-reach.ts';
import { cutSteps, type Tombstones, touchedSteps } from '../retention/tombstone.ts';
import type { CompactionRules } from './compaction-rules.ts';
import { type CompactionInput, type CompactionJob, isSealed, LEVEL_MAX } from './plan-compaction.ts';

// What was deleted leaves a block when it is merged next. Blocks that no merge will touch soon are rewritten: of each
// family its finest whole block, from which its coarser versions are made anew, so that all agree to the window. A
// block that sums many families cannot be made anew from one of them: steps that a deletion takes in part, or whose rows
// it cannot tell, are cut out of it, and its families answer for them from then on.

/** What planning needs of a block's index row. */
export interface RewriteRow extends CompactionInput {
  readonly datasets: readonly { readonly service: string }[];
}

/** One block to write again without what was deleted, with the versions that are made of it anew. */
export interface RewriteJob extends Omit<CompactionJob, 'step'> {
  readonly step: 'rewrite';
  /**
   * What to leave out, and no other: a downsampled block that was written after a deletion still has the steps that it
   * takes in part, with what is left of them.
   */
  readonly tombstoneIds: readonly string[];
  /** Of a block that sums many families: what to cut out of it, since they answer for it. */
  readonly holes: readonly TimeSpan[];
  /** Deletions that no block can tell the rows of any more: what is written goes on holding them, and says so. */
  readonly keptIds: readonly string[];
  /** Deletions that had not settled by then are left to another job. */
  readonly plannedAt: number;
}

/** One block to write again without what retention keeps no longer. Its versions stay as they are. */
export interface ExpiryJob extends Omit<CompactionJob, 'step'> {
  readonly step: 'expire';
}

/** One block to write again as it is, because somebody wishes it. Its level and resolution stay, whatever this says. */
export interface CopyJob extends Omit<CompactionJob, 'step'> {
  readonly step: 'copy';
  /** Whether what can be read of a damaged block is saved. */
  readonly salvage: boolean;
}

/** Whatever takes blocks out of the catalog and puts others in their place. */
export type BlockJob = CompactionJob | RewriteJob | ExpiryJob | CopyJob;

const HOUR_MS = 3_600_000;
/** Blocks of an hour that nobody closed so long after its time are not waited for. */
const CLOSE_OVERDUE_MS = HOUR_MS;

/**
 * Jobs that take what was deleted out of blocks. Each removes what its blocks are concerned by, so plans come to an end.
 * @param rows all blocks of the time of the tombstones
 * @param tombstones those that have settled
 */
export function planRewrites(
  rows: readonly RewriteRow[],
  tombstones: Tombstones,
  options: { readonly nowMs: number; readonly settleMs: number; readonly rules: CompactionRules },
): RewriteJob[] {
  const { settleMs } = options;
  const live = rows.filter((row) => row.aside === undefined);
  const finestAside = finestAsideOf(rows);
  const families = versionsByFamily(live);
  const concerning = (row: RewriteRow) => tombstones.concerning(row, settleMs);
  const untold = (row: RewriteRow) => untoldDeletions(row, tombstones, families, settleMs);
  const idsOf = (deletions: readonly { readonly id: string }[]) => deletions.map(({ id }) => id);
  const jobOf = (group: string, blocks: readonly RewriteRow[]): RewriteJob => ({
    ...rewriteJob(group, blocks),
    tombstoneIds: idsOf(concerning(blocks[0]!).all),
    keptIds: idsOf(untold(blocks[0]!).outOfReach),
    plannedAt: options.nowMs,
  });
  const jobs: RewriteJob[] = [];
  for (const [family, versions] of families) {
    if (isMergedSoon(versions, options)) continue;
    // One that lacks series cannot give them to coarser ones.
    const apart = versions.filter((row) => isPartial(row.batchIds));
    const together = versions.filter((row) => !isPartial(row.batchIds));
    for (const block of [...apart.map((row) => [row]), together]) {
      const [finest] = block;
      if (finest !== undefined && waitsFor(finestAside.get(family), finest)) continue;
      // What it cannot tell is not taken out of coarser ones either.
      const told = finest === undefined ? tombstones : tombstones.toldBy(finest);
      const isConcerned = (row: RewriteRow) =>
        !told.concerning(row, settleMs).isEmpty || !told.untoldIn(row, settleMs).isEmpty;
      if (block.some(isConcerned)) jobs.push(jobOf(`rewrite-${family}`, block));
    }
  }
  for (const row of live) {
    if (!isJoined(row) || familiesOf(row.batchIds).some((family) => finestAside.has(family))) continue;
    const deletions = concerning(row);
    const { withinReach } = untold(row);
    if (deletions.isEmpty && withinReach.length === 0) continue;
    const stepMs = row.resolutionSeconds * 1000;
    const cut = isAnsweredByFamilies(row, families) ? cutSteps(deletions.all, stepMs) : [];
    const holes = [...cut, ...touchedSteps(withinReach, stepMs)];
    jobs.push({ ...jobOf(`rewrite-${row.blockId}`, [row]), holes });
  }
  return jobs;
}

/** The finest resolution of which a block lies aside, by family. */
function finestAsideOf(rows: readonly RewriteRow[]): ReadonlyMap<string, number> {
  const finest = new Map<string, number>();
  for (const row of rows) {
    if (row.aside === undefined || isJoined(row)) continue;
    const family = familyIdOf(row);
    finest.set(family, Math.min(finest.get(family) ?? Number.POSITIVE_INFINITY, row.resolutionSeconds));
  }
  return finest;
}

/** What a deletion takes in part would go as a whole, and be missing once the finer block that lies aside is back. */
function waitsFor(asideSeconds: number | undefined, { resolutionSeconds }: RewriteRow): boolean {
  return asideSeconds !== undefined && asideSeconds < resolutionSeconds;
}

/** Whether it is of an hour that is not closed yet: that merge drops what is deleted. */
function isMergedSoon(
  versions: readonly RewriteRow[],
  { nowMs, rules }: { readonly nowMs: number; readonly rules: CompactionRules },
): boolean {
  const [raw] = versions;
  if (raw === undefined || versions.length > 1 || raw.resolutionSeconds > 0 || isSealed(raw)) return false;
  const closesAt = (Math.floor(raw.minTime / HOUR_MS) + 1) * HOUR_MS + rules.closeAfterMs;
  return nowMs < Math.max(closesAt, raw.createdAt + rules.closeAfterMs) + CLOSE_OVERDUE_MS;
}

function rewriteJob(
  group: string,
  [finest, ...coarser]: readonly RewriteRow[],
): Omit<RewriteJob, 'tombstoneIds' | 'keptIds' | 'plannedAt'> {
  return {
    group,
    step: 'rewrite',
    holes: [],
    level: Math.min(finest!.level + 1, LEVEL_MAX),
    resolutionSeconds: finest!.resolutionSeconds,
    blockIds: [finest!.blockId],
    versionIds: coarser.map(({ blockId }) => blockId),
    downsampleTo: coarser.map(({ resolutionSeconds }) => resolutionSeconds),
  };
}

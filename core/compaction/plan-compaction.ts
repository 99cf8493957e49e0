import { familiesOf, familyIdOf, isBatchId } from '../block/batch-table.ts';
import { type CompactionRules, DEFAULT_COMPACTION_RULES } from './compaction-rules.ts';

// Planning is pure: index rows in, jobs out. Raw blocks go through three steps, each over a range aligned to its length:
//   gather  while an hour is young, `fanIn` blocks of one level become one of the next
//   close   once it is over, its blocks become one family: a raw block and its downsampled versions
//   seal    once nothing of a day can come any more, its families become few, and batch ids are shed
// A block belongs to the hour and day in which it starts. Whatever comes late is closed again, with the families that
// are small or hold some of the same batches. `join` merges downsampled blocks of many sealed days.
//
// No block is in two jobs. Plans come to an end: gather and join leave fewer blocks, close fewer blocks that are in no
// family, and seal fewer that are not sealed.

/** What planning needs of a block's index row. Times are ms, half-open. */
export interface CompactionInput {
  readonly blockId: string;
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly size: number;
  readonly createdAt: number;
  readonly batchIds: readonly string[];
}

export type CompactionStep = 'gather' | 'close' | 'seal' | 'join';

/** Blocks to merge. */
export interface CompactionJob {
  /** Names the group of blocks that only one compactor may work on at a time. */
  readonly group: string;
  readonly step: CompactionStep;
  /** Level of the output. */
  readonly level: number;
  /** Of inputs and merged output, seconds; 0 = raw. */
  readonly resolutionSeconds: number;
  /** Ordered by (minTime, blockId), so that the same job gives the same bytes. */
  readonly blockIds: readonly string[];
  /** Downsampled versions of inputs, which leave the catalog with them. */
  readonly versionIds: readonly string[];
  /** Resolutions in seconds that the merged block is downsampled to in the same transaction. */
  readonly downsampleTo: readonly number[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The highest level that object keys can hold. */
export const LEVEL_MAX = 99;

/** Whether all of its batches are too old to come again. */
export function isSealed(row: Pick<CompactionInput, 'batchIds'>): boolean {
  return !row.batchIds.some(isBatchId);
}

/** Jobs that can run now, by rules that pass `checkCompactionRules`. */
export function planCompaction(
  rows: readonly CompactionInput[],
  nowMs: number,
  rules: CompactionRules = DEFAULT_COMPACTION_RULES,
): CompactionJob[] {
  const plan = new Planner(rows, nowMs, rules);
  const jobs: CompactionJob[] = [];
  for (const [day, ofDay] of groupedBy(plan.unsealed, DAY_MS)) {
    if (nowMs >= (day + 1) * DAY_MS + rules.sealAfterMs) jobs.push(...plan.sealJobs(`day-${day}`, ofDay));
    else for (const [hour, blocks] of groupedBy(ofDay, HOUR_MS)) jobs.push(...plan.hourJobs(hour, blocks));
  }
  return [...jobs, ...plan.joinJobs()];
}

class Planner {
  /** Raw blocks that are not sealed, ordered. */
  readonly unsealed: readonly CompactionInput[];
  readonly #rows: readonly CompactionInput[];
  readonly #now: number;
  readonly #rules: CompactionRules;
  /** Downsampled blocks by each raw block that they sum. */
  readonly #versions = new Map<string, CompactionInput[]>();

  constructor(rows: readonly CompactionInput[], nowMs: number, rules: CompactionRules) {
    this.#rows = [...rows].sort(byTime);
    this.#now = nowMs;
    this.#rules = rules;
    this.unsealed = this.#rows.filter((row) => row.resolutionSeconds === 0 && !isSealed(row));
    for (const row of this.#rows) {
      if (row.resolutionSeconds === 0) continue;
      for (const family of familiesOf(row.batchIds)) {
        const known = this.#versions.get(family);
        if (known === undefined) this.#versions.set(family, [row]);
        else known.push(row);
      }
    }
  }

  hourJobs(hour: number, blocks: readonly CompactionInput[]): CompactionJob[] {
    const group = `hour-${hour}`;
    const isOver = this.#now >= (hour + 1) * HOUR_MS + this.#rules.closeAfterMs;
    return isOver ? this.#closeJobs(group, blocks) : this.#gatherJobs(group, blocks);
  }

  #gatherJobs(group: string, blocks: readonly CompactionInput[]): CompactionJob[] {
    const { fanIn, levelMax } = this.#rules;
    const jobs: CompactionJob[] = [];
    for (let level = 0; level < levelMax; level++) {
      const ofLevel = blocks.filter((block) => block.level === level && !this.#isClosed(block));
      if (ofLevel.length < fanIn) continue;
      const chunks = this.#chunked(ofLevel).filter((chunk) => chunk.length >= fanIn);
      for (const chunk of chunks) jobs.push(this.#jobOf(group, 'gather', chunk));
    }
    return jobs;
  }

  /** Blocks that are in no family yet, with the families of the hour that should take them in. */
  #closeJobs(group: string, blocks: readonly CompactionInput[]): CompactionJob[] {
    const { closeAfterMs, fanIn, rejoinBytesMax } = this.#rules;
    const open = blocks.filter((block) => !this.#isClosed(block));
    const closed = blocks.filter((block) => this.#isClosed(block));
    if (open.length === 0) return [];
    // What trickles in late waits for company, so that a family is not written again for each of it.
    const oldest = open.reduce((least, block) => Math.min(least, block.createdAt), this.#now);
    if (closed.length > 0 && open.length < fanIn && this.#now - oldest < closeAfterMs) return [];
    const batches = new Set(open.flatMap((block) => block.batchIds));
    const isTaken = (block: CompactionInput) =>
      block.size <= rejoinBytesMax || block.batchIds.some((id) => batches.has(id));
    const inputs = [...open, ...closed.filter(isTaken)].sort(byTime);
    const chunks = this.#chunked(inputs).filter((chunk) => chunk.some((block) => !this.#isClosed(block)));
    return chunks.map((chunk) => this.#jobOf(group, 'close', chunk));
  }

  sealJobs(group: string, blocks: readonly CompactionInput[]): CompactionJob[] {
    return this.#chunked(blocks).map((chunk) => this.#jobOf(group, 'seal', chunk));
  }

  joinJobs(): CompactionJob[] {
    const jobs: CompactionJob[] = [];
    for (const { seconds, joinMs } of this.#rules.resolutions) {
      if (joinMs === 0) continue;
      const blocks = this.#rows.filter((row) => row.resolutionSeconds === seconds);
      for (const [range, ofRange] of groupedBy(blocks, joinMs)) {
        const end = (range + 1) * joinMs;
        if (this.#now < end + this.#rules.sealAfterMs || this.#hasUnsealed(end - joinMs, end)) continue;
        for (const chunk of this.#chunked(ofRange)) {
          if (chunk.length >= 2) jobs.push(this.#jobOf(`join-${seconds}-${range}`, 'join', chunk));
        }
      }
    }
    return jobs;
  }

  #hasUnsealed(from: number, until: number): boolean {
    return this.unsealed.some((row) => row.minTime >= from && row.minTime < until);
  }

  /** Whether it has its downsampled versions: it was closed. */
  #isClosed(block: CompactionInput): boolean {
    return this.#versions.has(familyIdOf(block));
  }

  #versionsOf(block: CompactionInput): CompactionInput[] {
    return block.resolutionSeconds === 0 ? (this.#versions.get(familyIdOf(block)) ?? []) : [];
  }

  /**
   * Cuts blocks into runs within the limits. Blocks that hold some of the same batches stay together whatever the
   * limits: sums that are downsampled, or sealed, apart could not be told to be the same.
   */
  #chunked(blocks: readonly CompactionInput[]): CompactionInput[][] {
    const { blocksMax, bytesMax } = this.#rules;
    const chunks: CompactionInput[][] = [];
    let size = 0;
    let count = 0;
    for (const unit of unitsOf(blocks)) {
      const taken = unit.reduce((sum, block) => sum + 1 + this.#versionsOf(block).length, 0);
      const bytes = unit.reduce((sum, block) => sum + block.size, 0);
      if (chunks.length === 0 || count + taken > blocksMax || size + bytes > bytesMax) {
        chunks.push([]);
        size = 0;
        count = 0;
      }
      chunks.at(-1)!.push(...unit);
      size += bytes;
      count += taken;
    }
    return chunks.map((chunk) => chunk.sort(byTime));
  }

  #jobOf(group: string, step: CompactionStep, blocks: readonly CompactionInput[]): CompactionJob {
    const level = 1 + blocks.reduce((highest, block) => Math.max(highest, block.level), 0);
    const wanted = this.#rules.resolutions.filter(
      ({ from }) => step === 'seal' || (step === 'close' && from === 'close'),
    );
    return {
      group,
      step,
      level: Math.min(level, LEVEL_MAX),
      resolutionSeconds: blocks[0]!.resolutionSeconds,
      blockIds: blocks.map((block) => block.blockId),
      versionIds: blocks.flatMap((block) => this.#versionsOf(block)).map((block) => block.blockId),
      downsampleTo: wanted.map(({ seconds }) => seconds),
    };
  }
}

/** Blocks that share batches, directly or by way of others, together; ordered by their first block. */
function unitsOf(blocks: readonly CompactionInput[]): CompactionInput[][] {
  const unitOf = new Map<string, CompactionInput[]>();
  const units = new Set<CompactionInput[]>();
  for (const block of blocks) {
    let unit: CompactionInput[] = [block];
    units.add(unit);
    for (const id of block.batchIds) {
      if (!isBatchId(id)) continue;
      const other = unitOf.get(id);
      if (other !== undefined && other !== unit) {
        // The smaller one moves.
        const [into, from] = other.length >= unit.length ? [other, unit] : [unit, other];
        into.push(...from);
        units.delete(from);
        for (const moved of from)
          for (const batch of moved.batchIds) if (unitOf.get(batch) === from) unitOf.set(batch, into);
        unit = into;
      }
      unitOf.set(id, unit);
    }
  }
  return [...units].map((unit) => unit.sort(byTime)).sort((a, b) => byTime(a[0]!, b[0]!));
}

function byTime(a: CompactionInput, b: CompactionInput): number {
  return a.minTime - b.minTime || (a.blockId < b.blockId ? -1 : 1);
}

/** Blocks by the range of that length in which they start. By the start: a window may run over the edge. */
function groupedBy(blocks: readonly CompactionInput[], lengthMs: number): Map<number, CompactionInput[]> {
  const groups = new Map<number, CompactionInput[]>();
  for (const block of blocks) {
    const range = Math.floor(block.minTime / lengthMs);
    const group = groups.get(range);
    if (group === undefined) groups.set(range, [block]);
    else group.push(block);
  }
  return groups;
}

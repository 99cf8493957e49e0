// Planning is pure: index rows in, jobs out. Blocks of one hour are merged among themselves: while the hour is young,
// `fanIn` blocks of one level become one of the next; once it is over, whatever is left becomes one block. A level is
// how often samples were merged, never a time step.

/** What planning needs of a block's index row. Times are ms, half-open. */
export interface CompactionInput {
  readonly blockId: string;
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly size: number;
}

/** Blocks to merge into one of the given level. */
export interface CompactionJob {
  /** Names the group of blocks that only one compactor may work on at a time. */
  readonly group: string;
  readonly level: number;
  /** Ordered by (minTime, blockId), so that the same job gives the same bytes. */
  readonly blockIds: readonly string[];
}

export interface CompactionRules {
  /** Blocks of one level that are merged into one of the next. */
  readonly fanIn: number;
  /** Most blocks of one job. */
  readonly blocksMax: number;
  /** Most stored bytes of one job's inputs: bounds its memory. */
  readonly bytesMax: number;
  /** An hour is over this long after its end, ms. */
  readonly sealAfterMs: number;
  /** Highest level there is; a block of it is not merged while its hour is young. */
  readonly levelMax: number;
}

export const DEFAULT_COMPACTION_RULES: CompactionRules = {
  fanIn: 12,
  blocksMax: 90,
  bytesMax: 192 * 1024 * 1024,
  sealAfterMs: 900_000,
  levelMax: 9,
};

const HOUR_MS = 3_600_000;

/** Jobs that can run now. No block is in two jobs, and every job leaves fewer blocks than it takes. */
export function planCompaction(
  rows: readonly CompactionInput[],
  nowMs: number,
  rules: CompactionRules = DEFAULT_COMPACTION_RULES,
): CompactionJob[] {
  const jobs: CompactionJob[] = [];
  for (const [hour, blocks] of byHour(rows)) {
    const group = `hour-${hour}`;
    const isOver = nowMs >= (hour + 1) * HOUR_MS + rules.sealAfterMs;
    if (isOver) jobs.push(...chunked(blocks, 2, rules).map((chunk) => jobOf(group, chunk)));
    else jobs.push(...youngJobs(group, blocks, rules));
  }
  return jobs;
}

function youngJobs(
  group: string,
  blocks: readonly CompactionInput[],
  rules: CompactionRules,
): CompactionJob[] {
  const jobs: CompactionJob[] = [];
  for (let level = 0; level < rules.levelMax; level++) {
    const ofLevel = blocks.filter((block) => block.level === level);
    if (ofLevel.length < rules.fanIn) continue;
    for (const chunk of chunked(ofLevel, rules.fanIn, rules)) jobs.push(jobOf(group, chunk));
  }
  return jobs;
}

/** Cuts blocks into runs within the limits; runs of fewer than `least` are left for later. */
function chunked(
  blocks: readonly CompactionInput[],
  least: number,
  { blocksMax, bytesMax }: CompactionRules,
): CompactionInput[][] {
  const chunks: CompactionInput[][] = [];
  let chunk: CompactionInput[] = [];
  let size = 0;
  for (const block of blocks) {
    if (chunk.length === blocksMax || (chunk.length > 0 && size + block.size > bytesMax)) {
      chunks.push(chunk);
      chunk = [];
      size = 0;
    }
    chunk.push(block);
    size += block.size;
  }
  chunks.push(chunk);
  return chunks.filter((candidate) => candidate.length >= least);
}

function jobOf(group: string, blocks: readonly CompactionInput[]): CompactionJob {
  const level = 1 + blocks.reduce((highest, block) => Math.max(highest, block.level), 0);
  return { group, level, blockIds: blocks.map((block) => block.blockId) };
}

/** Raw blocks by the hour in which they start, each list ordered. */
function byHour(rows: readonly CompactionInput[]): Map<number, CompactionInput[]> {
  const hours = new Map<number, CompactionInput[]>();
  const sorted = rows
    .filter((row) => row.resolutionSeconds === 0)
    .sort((a, b) => a.minTime - b.minTime || (a.blockId < b.blockId ? -1 : 1));
  for (const row of sorted) {
    // By the start: a window that runs over the full hour belongs to the hour in which it starts.
    const hour = Math.floor(row.minTime / HOUR_MS);
    const blocks = hours.get(hour);
    if (blocks === undefined) hours.set(hour, [row]);
    else blocks.push(row);
  }
  return hours;
}

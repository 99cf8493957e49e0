import { familiesOf, familyIdOf, isBatchId } from '../block/batch-table.ts';
import { type BlockChunk, byTime, chunksOf, eachSharing, type PlannedInput, unitsOf } from './block-units.ts';
import type { CompactionRules } from './compaction-rules.ts';
import { type ShardClass, shardClassOf, shardMask, shardsFor } from './service-shard.ts';
import { withoutWaiting } from './waiting-blocks.ts';

// Planning is pure: index rows in, jobs out. Raw blocks go through steps, each over a range aligned to its length:
//   gather  while an hour is young, `fanIn` blocks of one level become one of the next
//   split   once it is over, and holds more than a job can take: its blocks become one per shard of services
//   close   its blocks become families, a raw block and its downsampled versions: one, or some per shard
//   seal    once nothing of a day can come any more, its families become few, and batch ids are shed
// A block belongs to the hour and day in which it starts, and all blocks that hold a batch to the same hour. Whatever
// comes late is closed again, with the families that are small or hold some of the same batches. `join` merges
// downsampled blocks of many sealed days (plan-joins.ts).
//
// What lies aside is in no job, and neither are blocks that could not be told from it once it is back (waiting-blocks.ts).
//
// No block is in two jobs. Plans come to an end: gather and join leave fewer blocks, split fewer blocks of several
// shards, close fewer blocks that are in no family, and seal fewer that are not sealed.

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
  readonly datasets: readonly { readonly service: string }[];
  /** Present while it lies aside: see waiting-blocks.ts. */
  readonly aside?: object;
}

export type CompactionStep = 'gather' | 'split' | 'close' | 'seal' | 'join';

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
  /** Of a split: each block of the output has services of one of so many shards. */
  readonly shards?: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The highest level that object keys can hold. */
export const LEVEL_MAX = 99;

/** Whether all of its batches are too old to come again. */
export function isSealed(row: Pick<CompactionInput, 'batchIds'>): boolean {
  return !row.batchIds.some(isBatchId);
}

/**
 * Jobs that can run now, by rules that pass `checkCompactionRules`, but those that join days. A day is planned alone:
 * versions start in the day of what they sum.
 * @param rows all blocks that start in one day
 */
export function planDay(
  rows: readonly CompactionInput[],
  nowMs: number,
  rules: CompactionRules,
): CompactionJob[] {
  const plan = new DayPlan(withoutWaiting(rows), nowMs, rules);
  const [first] = plan.unsealed;
  if (first === undefined) return [];
  const day = Math.floor(first.block.minTime / DAY_MS);
  if (nowMs >= (day + 1) * DAY_MS + rules.sealAfterMs) return plan.sealJobs(`day-${day}`);
  const hours = Map.groupBy(plan.unsealed, ({ block }) => Math.floor(block.minTime / HOUR_MS));
  return [...hours].flatMap(([hour, inputs]) => plan.hourJobs(hour, inputs));
}

/** Whether it is to be sealed still. */
export function isUnsealed(row: CompactionInput): boolean {
  return row.resolutionSeconds === 0 && row.aside === undefined && !isSealed(row);
}

class DayPlan {
  /** Raw blocks that are not sealed, ordered. */
  readonly unsealed: readonly PlannedInput[];
  readonly #now: number;
  readonly #rules: CompactionRules;

  constructor(rows: readonly CompactionInput[], nowMs: number, rules: CompactionRules) {
    this.#now = nowMs;
    this.#rules = rules;
    const sorted = [...rows].sort(byTime);
    const versions = versionsByFamily(sorted);
    this.unsealed = sorted.filter(isUnsealed).map((block) => ({
      block,
      versions: versions.get(familyIdOf(block)) ?? [],
      mask: shardMask(block.datasets),
    }));
  }

  hourJobs(hour: number, inputs: readonly PlannedInput[]): CompactionJob[] {
    const group = `hour-${hour}`;
    const isOver = this.#now >= (hour + 1) * HOUR_MS + this.#rules.closeAfterMs;
    return isOver ? this.#closeJobs(group, inputs) : this.#gatherJobs(group, inputs);
  }

  #gatherJobs(group: string, inputs: readonly PlannedInput[]): CompactionJob[] {
    const { fanIn, levelMax } = this.#rules;
    const jobs: CompactionJob[] = [];
    for (let level = 0; level < levelMax; level++) {
      const ofLevel = inputs.filter((input) => input.block.level === level && !isClosed(input));
      if (ofLevel.length < fanIn) continue;
      const chunks = this.#chunked(ofLevel, 1).filter((chunk) => chunk.inputs.length >= fanIn);
      for (const chunk of chunks) jobs.push(this.#jobOf(group, 'gather', chunk));
    }
    return jobs;
  }

  /** Blocks that are in no family yet, with the families of the hour that should take them in. */
  #closeJobs(group: string, inputs: readonly PlannedInput[]): CompactionJob[] {
    const { closeAfterMs, fanIn, bytesMax } = this.#rules;
    const open = inputs.filter((input) => !isClosed(input));
    if (open.length === 0) return [];
    // What trickles in late waits for company, so that a family is not written again for each of it.
    if (open.length < inputs.length && open.length < fanIn && this.#ageOf(open) < closeAfterMs) return [];
    const taken = this.#takenWith(open, inputs);
    const bytes = [...open, ...taken].reduce((sum, { block }) => sum + block.size, 0);
    const shards = shardsFor(bytes, bytesMax);
    const isPure = ({ mask }: PlannedInput) => shardClassOf(mask, shards).shards === shards;
    const [pure, mixed] = [open.filter(isPure), open.filter((input) => !isPure(input))];
    const splits = this.#splitJobs(group, mixed, shards);
    // What is split waits for what is being split, but not for ever: some may come with every plan.
    if (splits.length > 0 && this.#ageOf(pure) < closeAfterMs) return splits;
    const chunks = this.#chunked([...(splits.length > 0 ? pure : open), ...taken], shards);
    const closing = chunks.filter((chunk) => chunk.inputs.some((input) => !isClosed(input)));
    return [...splits, ...closing.map((chunk) => this.#jobOf(groupOf(group, chunk.of), 'close', chunk))];
  }

  /** Each in a group of its own: they can run side by side, and have no block in common with one another. */
  #splitJobs(group: string, mixed: readonly PlannedInput[], shards: number): CompactionJob[] {
    if (shards === 1) return [];
    return this.#chunked(mixed, 1).map((chunk) => {
      const name = `${group}/split-${chunk.inputs[0]!.block.blockId}`;
      return { ...this.#jobOf(name, 'split', chunk), shards };
    });
  }

  /** Families that are merged again with open blocks: small ones, and those that may hold the same rows. */
  #takenWith(open: readonly PlannedInput[], inputs: readonly PlannedInput[]): PlannedInput[] {
    const closed = inputs.filter(isClosed);
    const sharing = new Set<PlannedInput>();
    eachSharing([...open, ...closed], (a, b) => {
      if (a < open.length && b >= open.length) sharing.add(closed[b - open.length]!);
    });
    return closed.filter((input) => input.block.size <= this.#rules.rejoinBytesMax || sharing.has(input));
  }

  sealJobs(group: string): CompactionJob[] {
    const bytes = this.unsealed.reduce((sum, { block }) => sum + block.size, 0);
    const chunks = this.#chunked(this.unsealed, shardsFor(bytes, this.#rules.bytesMax));
    return chunks.map((chunk) => this.#jobOf(groupOf(group, chunk.of), 'seal', chunk));
  }

  /** For how long the oldest of them has been there, ms; 0 without any. */
  #ageOf(inputs: readonly PlannedInput[]): number {
    return inputs.reduce((age, { block }) => Math.max(age, this.#now - block.createdAt), 0);
  }

  #chunked(inputs: readonly PlannedInput[], shards: number): BlockChunk[] {
    const sorted = [...inputs].sort((a, b) => byTime(a.block, b.block));
    return chunksOf(unitsOf(sorted), shards, this.#rules);
  }

  #jobOf(group: string, step: CompactionStep, { inputs }: BlockChunk): CompactionJob {
    const wanted = this.#rules.resolutions.filter(
      ({ from }) => step === 'seal' || (step === 'close' && from === 'close'),
    );
    return {
      group,
      step,
      level: levelAbove(inputs.map(({ block }) => block)),
      resolutionSeconds: 0,
      blockIds: inputs.map(({ block }) => block.blockId),
      versionIds: inputs.flatMap(({ versions }) => versions.map(({ blockId }) => blockId)),
      downsampleTo: wanted.map(({ seconds }) => seconds),
    };
  }
}

/** The level of what blocks are merged into. */
export function levelAbove(blocks: readonly CompactionInput[]): number {
  return Math.min(1 + blocks.reduce((highest, block) => Math.max(highest, block.level), 0), LEVEL_MAX);
}

/** The group of a shard of a range: jobs of different shards run side by side. */
export function groupOf(range: string, { shards, shard }: ShardClass): string {
  return shards === 1 ? range : `${range}/${shard}of${shards}`;
}

/** Whether it has its downsampled versions: it was closed. */
function isClosed({ versions }: PlannedInput): boolean {
  return versions.length > 0;
}

/** Downsampled blocks by each raw block that they sum. */
function versionsByFamily(rows: readonly CompactionInput[]): Map<string, CompactionInput[]> {
  const versions = new Map<string, CompactionInput[]>();
  for (const row of rows) {
    if (row.resolutionSeconds === 0) continue;
    for (const family of familiesOf(row.batchIds)) {
      const known = versions.get(family);
      if (known === undefined) versions.set(family, [row]);
      else known.push(row);
    }
  }
  return versions;
}

/** Blocks by the range of that length in which they start. By the start: a window may run over the edge. */
export function groupedBy<Row extends CompactionInput>(
  blocks: readonly Row[],
  lengthMs: number,
): Map<number, Row[]> {
  return Map.groupBy(blocks, ({ minTime }) => Math.floor(minTime / lengthMs));
}

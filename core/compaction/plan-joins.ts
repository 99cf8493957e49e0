import { familiesOf } from '../block/batch-table.ts';
import { rolledUpIn } from '../block/families.ts';
import { type BlockChunk, byTime, chunksOf, type PlannedInput, unitsOf } from './block-units.ts';
import type { CompactionRules } from './compaction-rules.ts';
import {
  type CompactionInput,
  type CompactionJob,
  groupedBy,
  groupOf,
  levelAbove,
} from './plan-compaction.ts';
import { shardMask, shardsFor } from './service-shard.ts';

const DAY_MS = 24 * 3_600_000;

/**
 * Jobs that merge downsampled blocks of many sealed days. What comes of one is a single block, whatever it holds, since it
 * speaks for all families that it sums: so they take no more than `rejoinBytesMax`.
 * @param rows all blocks of a range, or only those of resolutions that are joined
 * @param unsealedDays days, by their number, of which a raw block is not sealed
 */
export function planJoins(
  rows: readonly CompactionInput[],
  unsealedDays: ReadonlySet<number>,
  nowMs: number,
  rules: CompactionRules,
): CompactionJob[] {
  const jobs: CompactionJob[] = [];
  for (const { seconds, joinMs } of rules.resolutions) {
    if (joinMs === 0) continue;
    const blocks = withoutStandIns(rows.filter((row) => row.resolutionSeconds === seconds)).sort(byTime);
    for (const [range, ofRange] of groupedBy(blocks, joinMs)) {
      const end = (range + 1) * joinMs;
      if (nowMs < end + rules.sealAfterMs || hasDay(unsealedDays, end - joinMs, end)) continue;
      // What rolled up other labels stays apart: neither loses any for the sake of the other.
      for (const alike of Map.groupBy(ofRange, (row) => JSON.stringify(rolledUpIn(row))).values()) {
        for (const chunk of chunksOfRange(alike, rules))
          if (chunk.inputs.length > 1) jobs.push(jobOf(groupOf(`join-${seconds}-${range}`, chunk.of), chunk));
      }
    }
  }
  return jobs;
}

/** Those that do not lie aside. What was saved of one leaves when it is put back: joined, it could not. */
function withoutStandIns(rows: readonly CompactionInput[]): CompactionInput[] {
  const aside = rows.filter((row) => row.aside !== undefined);
  const families = new Set(aside.flatMap(({ batchIds }) => familiesOf(batchIds)));
  const standsIn = ({ batchIds }: CompactionInput) => familiesOf(batchIds).some((id) => families.has(id));
  return rows.filter((row) => row.aside === undefined && (families.size === 0 || !standsIn(row)));
}

function hasDay(days: ReadonlySet<number>, from: number, until: number): boolean {
  return [...days].some((day) => day * DAY_MS < until && (day + 1) * DAY_MS > from);
}

function chunksOfRange(blocks: readonly CompactionInput[], rules: CompactionRules): BlockChunk[] {
  const inputs = blocks.map(
    (block): PlannedInput => ({
      block,
      versions: [],
      mask: shardMask(block.datasets),
    }),
  );
  const limits = { blocksMax: rules.blocksMax, bytesMax: rules.rejoinBytesMax };
  const bytes = blocks.reduce((sum, { size }) => sum + size, 0);
  const shards = Math.max(shardsFor(bytes, limits.bytesMax), shardsFor(blocks.length, limits.blocksMax));
  return chunksOf(unitsOf(inputs), shards, limits);
}

function jobOf(group: string, { inputs }: BlockChunk): CompactionJob {
  const blocks = inputs.map(({ block }) => block);
  return {
    group,
    step: 'join',
    level: levelAbove(blocks),
    resolutionSeconds: blocks[0]!.resolutionSeconds,
    blockIds: blocks.map(({ blockId }) => blockId),
    versionIds: [],
    downsampleTo: [],
  };
}

import { eachSharedRun } from '../block/shared-runs.ts';
import type { CompactionInput } from './plan-compaction.ts';
import { type ShardClass, shardClassOf } from './service-shard.ts';

/** A block with the versions that leave the catalog with it. */
export interface PlannedInput {
  readonly block: CompactionInput;
  readonly versions: readonly CompactionInput[];
  /** Shards of its services, a bit each. */
  readonly mask: number;
}

/** Blocks that one job must take together, whatever the limits: they may hold the same rows. */
export interface BlockUnit {
  readonly inputs: readonly PlannedInput[];
  /** Shards of all of them. */
  readonly mask: number;
}

/** Blocks of one shard, or of all, that one job takes. */
export interface BlockChunk {
  readonly of: ShardClass;
  readonly inputs: readonly PlannedInput[];
}

/**
 * Blocks that may hold the same rows, directly or by way of others, together: those that name the same batch and have
 * services of the same shard. Units are ordered by their first block.
 * @param inputs ordered by (minTime, blockId)
 */
export function unitsOf(inputs: readonly PlannedInput[]): BlockUnit[] {
  const above = inputs.map((_, place) => place);
  const rootOf = (place: number): number => {
    let root = place;
    while (above[root] !== root) root = above[root] = above[above[root]!]!;
    return root;
  };
  eachSharing(inputs, (a, b) => {
    const [first, second] = [rootOf(a), rootOf(b)];
    above[Math.max(first, second)] = Math.min(first, second);
  });
  const units = new Map<number, PlannedInput[]>();
  for (const [place, input] of inputs.entries()) {
    const root = rootOf(place);
    const unit = units.get(root);
    if (unit === undefined) units.set(root, [input]);
    else unit.push(input);
  }
  return [...units.values()].map((unit) => ({
    inputs: unit,
    mask: unit.reduce((mask, input) => mask | input.mask, 0),
  }));
}

/** Tells of each two that may hold the same rows; places a < b, a pair may be told more than once. */
export function eachSharing(inputs: readonly PlannedInput[], tell: (a: number, b: number) => void): void {
  const tables = inputs.map(({ block }) => block.batchIds);
  eachSharedRun(tables, (a, b) => (inputs[a]!.mask & inputs[b]!.mask) !== 0, tell);
}

/**
 * Cuts units into runs within the limits, those of each shard apart. A unit whose services are of several shards is in a
 * run of fewer, larger shards: at worst of one, which has all services.
 * @param shards a power of two
 */
export function chunksOf(
  units: readonly BlockUnit[],
  shards: number,
  { blocksMax, bytesMax }: { readonly blocksMax: number; readonly bytesMax: number },
): BlockChunk[] {
  const classes = new Map<
    string,
    { of: ShardClass; chunks: PlannedInput[][]; count: number; size: number }
  >();
  for (const unit of units) {
    const of = shardClassOf(unit.mask, shards);
    const name = `${of.shards} ${of.shard}`;
    let known = classes.get(name);
    if (known === undefined) classes.set(name, (known = { of, chunks: [], count: 0, size: 0 }));
    const count = unit.inputs.reduce((sum, { versions }) => sum + 1 + versions.length, 0);
    const size = unit.inputs.reduce((sum, { block }) => sum + block.size, 0);
    if (known.chunks.length === 0 || known.count + count > blocksMax || known.size + size > bytesMax) {
      known.chunks.push([]);
      known.count = 0;
      known.size = 0;
    }
    known.chunks.at(-1)!.push(...unit.inputs);
    known.count += count;
    known.size += size;
  }
  return [...classes.values()].flatMap(({ of, chunks }) =>
    chunks.map((inputs) => ({ of, inputs: inputs.sort((a, b) => byTime(a.block, b.block)) })),
  );
}

/** By (minTime, blockId). */
export function byTime(
  a: Pick<CompactionInput, 'minTime' | 'blockId'>,
  b: Pick<CompactionInput, 'minTime' | 'blockId'>,
): number {
  return a.minTime - b.minTime || (a.blockId < b.blockId ? -1 : 1);
}

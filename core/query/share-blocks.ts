import { eachSharedRun, haveCommon } from '../block/shared-runs.ts';

/** A block of a plan, and what it costs to read. */
export interface PricedBlock {
  readonly batchIds: readonly string[];
  /** Those that are read of it. */
  readonly services: ReadonlySet<string>;
  readonly bytes: number;
}

/**
 * Deals blocks out to at most `count` readers, each about the same bytes, so that no two readers have to know of one
 * another: blocks that may hold the same rows, of a batch and service, go to one, which drops its repetitions. Answers
 * places in `blocks`, every one once; no share is empty. Blocks that all hang together stay one share.
 * @param shared batches of which more than one of the blocks may hold rows; without any, none hang together
 */
export function shareBlocks(
  blocks: readonly PricedBlock[],
  shared: ReadonlySet<string>,
  count: number,
): number[][] {
  const groups = groupsOf(blocks, shared);
  const priced = groups.map((places) => ({
    places,
    bytes: places.reduce((sum, place) => sum + blocks[place]!.bytes, 0),
  }));
  // The largest first, each to who has least so far.
  priced.sort((a, b) => b.bytes - a.bytes || a.places[0]! - b.places[0]!);
  const shares = Array.from({ length: Math.min(count, groups.length) }, () => ({
    places: [] as number[],
    bytes: 0,
  }));
  for (const group of priced) {
    const least = shares.reduce((best, share) => (share.bytes < best.bytes ? share : best));
    least.places.push(...group.places);
    least.bytes += group.bytes;
  }
  return shares.map(({ places }) => places.sort((a, b) => a - b)).filter(({ length }) => length > 0);
}

/** Blocks that are tied by batches, directly or through others; places ascend. */
function groupsOf(blocks: readonly PricedBlock[], shared: ReadonlySet<string>): number[][] {
  const above = blocks.map((_, place) => place);
  const rootOf = (place: number): number => {
    let root = place;
    while (above[root] !== root) root = above[root] = above[above[root]!]!;
    return root;
  };
  const tables = shared.size === 0 ? [] : blocks.map(({ batchIds }) => batchIds);
  const mayShare = (a: number, b: number) => haveCommon(blocks[a]!.services, blocks[b]!.services);
  eachSharedRun(tables, mayShare, (a, b) => {
    above[rootOf(b)] = rootOf(a);
  });
  const groups = new Map<number, number[]>();
  for (const place of blocks.keys()) {
    const root = rootOf(place);
    const known = groups.get(root);
    if (known === undefined) groups.set(root, [place]);
    else known.push(place);
  }
  return [...groups.values()];
}

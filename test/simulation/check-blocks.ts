import assert from 'node:assert/strict';
import { unpackBatchIds } from '../../core/block/batch-runs.ts';
import { familiesOf, isBatchId } from '../../core/block/batch-table.ts';
import { TRAILER_LENGTH } from '../../core/block/block-format.ts';
import { BlockReader } from '../../core/block/block-reader.ts';
import { objectSource } from '../../pipeline/block-source.ts';
import type { Hub } from '../../pipeline/hub.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { addTo, DAY_MS, type ExpectedSums, keyOf, type Sums } from './expected-sums.ts';

// Conservation, read straight from the directories of blocks, of every service at once.

/** Service and type → sum of a block, as its directory says; merge and query hold directories to their rows. */
export async function sumsOfBlock(hub: Hub, row: BlockRow): Promise<Sums> {
  const source = objectSource(hub.objects, blockKey(row.tenant, row.level, row.blockId), row.size);
  const tailLength = row.directoryLength + TRAILER_LENGTH;
  const { directory } = await BlockReader.open(source, hub.codec, { blockId: row.blockId, tailLength });
  const sums: Sums = new Map();
  for (const { service, types } of directory.datasets)
    for (const { profileType, total, samples } of types)
      addTo(sums, keyOf(service, profileType), total, samples);
  return sums;
}

/**
 * Of blocks that begin in [from, until): each one that names its batches holds exactly these, each downsampled one exactly
 * what its family holds. Answers how many sums were compared.
 */
export async function checkBlocks(
  hub: Hub,
  expected: ExpectedSums,
  from: number,
  until: number,
  when: string,
): Promise<number> {
  const rows = await blocksOf(hub, from, until);
  const sums = new Map<string, Sums>();
  for (const row of rows) sums.set(row.blockId, await sumsOfBlock(hub, row));
  let compared = 0;
  for (const row of rows) {
    const own = sums.get(row.blockId)!;
    const what = `${when}: block ${row.blockId} of level ${row.level}, ${row.resolutionSeconds} s`;
    if (row.resolutionSeconds === 0 && row.batchIds.every(isBatchId)) {
      compared += compareSums(
        own,
        sumOf(unpackBatchIds(row.batchIds).map((id) => expected.ofBatch.get(id)!)),
        what,
      );
    }
    const [family, ...others] = row.resolutionSeconds === 0 ? [] : familiesOf(row.batchIds);
    const raw = others.length === 0 && family !== undefined ? sums.get(family) : undefined;
    if (raw !== undefined) compared += compareSums(own, raw, `${what}, of ${family}`);
  }
  return compared;
}

/**
 * All that lies in blocks of a resolution which begin on the days [from, until), numbers of days, is what came, no more
 * and no less. Only where every batch of these days is closed, and no batch stands in two blocks any more: sealed days.
 */
export async function checkSealedDays(
  hub: Hub,
  expected: ExpectedSums,
  from: number,
  until: number,
  resolutions: readonly number[],
): Promise<number> {
  const rows = await blocksOf(hub, from * DAY_MS, until * DAY_MS);
  let compared = 0;
  for (const seconds of resolutions) {
    const found: Sums[] = [];
    for (const row of rows) if (row.resolutionSeconds === seconds) found.push(await sumsOfBlock(hub, row));
    const what = `days ${from} to ${until}, ${found.length} blocks of ${seconds} s`;
    compared += compareSums(sumOf(found), expected.blockDays(from, until), what);
  }
  return compared;
}

export async function blocksOf(hub: Hub, from: number, until: number): Promise<BlockRow[]> {
  const rows = await hub.catalog.find({ tenant: hub.tenant, from, until });
  return rows.filter((row) => row.minTime >= from && row.minTime < until);
}

export function sumOf(parts: readonly Sums[]): Sums {
  const sums: Sums = new Map();
  for (const part of parts) for (const [key, { value, samples }] of part) addTo(sums, key, value, samples);
  return sums;
}

/** @throws AssertionError that names each sum that differs */
export function compareSums(found: Sums, wanted: Sums, what: string): number {
  const wrong: string[] = [];
  for (const key of new Set([...found.keys(), ...wanted.keys()])) {
    const [a, b] = [found.get(key), wanted.get(key)];
    if (a?.value !== b?.value || a?.samples !== b?.samples)
      wrong.push(`${key} is ${a?.value} (${a?.samples} samples), not ${b?.value} (${b?.samples})`);
  }
  assert.deepEqual(wrong.slice(0, 10), [], `${what}: ${wrong.length} sums differ`);
  return wanted.size;
}

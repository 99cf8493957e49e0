import assert from 'node:assert/strict';
import { unpackBatchIds } from '../../core/block/batch-runs.ts';
import { familiesOf, holesOf, isBatchId, isPartial } from '../../core/block/batch-table.ts';
import { CLUSTER, labelValue } from '../../core/labels/labels.ts';
import type { TimeSpan } from '../../core/query/time-span.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { addTo, DAY_MS, keyOf, type Sums } from './expected-sums.ts';
import type { YearState } from './year-state.ts';

// Conservation, read straight from blocks, of every service at once.

/** Service and type → sum of a block, as its directory says; merge and query hold directories to their rows. */
export async function sumsOfBlock(hub: Hub, row: BlockRow): Promise<Sums> {
  const { directory } = await openBlockOf(hub, row, 0);
  const sums: Sums = new Map();
  for (const { service, types } of directory.datasets)
    for (const { profileType, total, samples } of types)
      addTo(sums, keyOf(service, profileType), total, samples);
  return sums;
}

/**
 * Service, type and cluster → sum of a block, row by row; all of them together are what its directory says.
 * @param holes times that others answer for: rows of them are left out
 */
async function sumsByCluster(hub: Hub, row: BlockRow, holes: readonly TimeSpan[]): Promise<Sums> {
  const reader = await openBlockOf(hub, row, row.size);
  const sums: Sums = new Map();
  for (const dataset of reader.directory.datasets)
    for (const type of dataset.types) {
      const { labelSets, totals } = await reader.totals(dataset, type);
      const clusters = labelSets.map((labels) => labelValue(labels, CLUSTER));
      let samples = 0;
      for (let i = 0; i < totals.count; i++) {
        samples += totals.samples[i]!;
        const start = totals.start[i]!;
        if (holes.some((hole) => start >= hole.start && start < hole.end)) continue;
        const value = BigInt(totals.total[i]!) * BigInt(totals.scale[i]!);
        addTo(
          sums,
          keyOf(dataset.service, type.profileType, clusters[totals.series[i]!]!),
          value,
          totals.samples[i]!,
        );
      }
      assert.equal(samples, type.samples, `block ${row.blockId}: directory of ${dataset.service}`);
    }
  return sums;
}

/**
 * Of blocks that begin in [from, until): each one that names its batches holds exactly these, but for what deletions took
 * that it obeys; each downsampled one exactly what its family holds. Answers how many sums were compared.
 */
export async function checkBlocks(
  { hub, sums: expected, damaged, splitHours }: YearState,
  from: number,
  until: number,
  when: string,
): Promise<number> {
  const rows = (await blocksOf(hub.sound, from, until)).filter(({ blockId }) => !damaged.has(blockId));
  const sums = new Map<string, Sums>();
  for (const row of rows) sums.set(row.blockId, await sumsOfBlock(hub.sound, row));
  const partial = new Set(rows.filter((row) => isPartial(row.batchIds)).map(({ blockId }) => blockId));
  let compared = 0;
  for (const row of rows) {
    const own = sums.get(row.blockId)!;
    const what = `${when}: block ${row.blockId} of level ${row.level}, ${row.resolutionSeconds} s`;
    const ids = unpackBatchIds(row.batchIds).filter((entry) => entry.includes('/'));
    if (row.resolutionSeconds === 0 && ids.every(isBatchId)) {
      const wanted = expected.ofBatches(ids, hub.appliedTo(row.blockId));
      if (splitHours.has(from)) keepServices(wanted, row);
      compared += compareSums(own, wanted, what);
    }
    const [family, ...others] = row.resolutionSeconds === 0 ? [] : familiesOf(row.batchIds);
    if (family === undefined || others.length > 0 || partial.has(family) || isPartial(row.batchIds)) continue;
    const raw = sums.get(family);
    if (raw !== undefined) compared += compareSums(own, raw, `${what}, of ${family}`);
  }
  return compared;
}

/** What a block holds of its batches when others have their other services. */
function keepServices(sums: Sums, { datasets }: BlockRow): void {
  const services = new Set(datasets.map(({ service }) => service));
  for (const key of sums.keys()) if (!services.has(key.split('|')[0]!)) sums.delete(key);
}

/**
 * All that lies in blocks of a resolution which begin on the days [from, until), numbers of days, is what came and was not
 * deleted, no more and no less, as far as retention surely keeps it, and nothing that it surely took. Only where every batch
 * of these days is closed, and no batch stands in two blocks any more: sealed days.
 */
export async function checkSealedDays(
  { hub, sums: expected, retention }: YearState,
  from: number,
  until: number,
  resolutions: readonly number[],
): Promise<number> {
  const rows = await blocksOf(hub.sound, from * DAY_MS, until * DAY_MS);
  const range = { start: from * DAY_MS, end: until * DAY_MS };
  const unproven = expected.unprovenBlockDays(from, until);
  let compared = 0;
  for (const seconds of resolutions) {
    const found: Sums = new Map();
    const blocks = rows.filter((row) => row.resolutionSeconds === seconds);
    const holes = blocks.flatMap((row) => holesOf(row.batchIds));
    for (const row of blocks)
      for (const [key, { value, samples }] of await sumsByCluster(hub.sound, row, holes))
        addTo(found, key, value, samples);
    const wanted = expected.blockDays(from, until, holes);
    for (const key of new Set([...found.keys(), ...wanted.keys()])) {
      const [service, , cluster] = key.split('|') as [string, string, string];
      const fate = retention.fate(service, cluster, seconds, range, hub.now);
      if (fate !== 'kept') wanted.delete(key);
      if (fate === 'either' || isWithin(found, wanted, unproven, key)) {
        found.delete(key);
        wanted.delete(key);
      }
    }
    compared += compareSums(
      found,
      wanted,
      `days ${from} to ${until}, ${blocks.length} blocks of ${seconds} s`,
    );
  }
  return compared;
}

/** Whether a sum differs by no more than what deletions take that are under way. */
function isWithin(found: Sums, wanted: Sums, unproven: Sums, key: string): boolean {
  const [more, less] = [found.get(key)?.samples ?? 0, wanted.get(key)?.samples ?? 0];
  const most = unproven.get(key)?.samples ?? 0;
  return most > 0 && more >= less && more <= less + most;
}

export async function blocksOf(hub: Hub, from: number, until: number): Promise<BlockRow[]> {
  const rows = await hub.catalog.find({ tenant: hub.tenant, from, until });
  return rows.filter((row) => row.minTime >= from && row.minTime < until);
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

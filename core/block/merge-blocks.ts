import { DatasetBuilder } from '../profile/dataset-builder.ts';
import type { ProfileRows } from '../profile/profile-rows.ts';
import type { BlockReader } from './block-reader.ts';
import { BlockWriter, type WrittenBlock } from './block-writer.ts';
import type { Codec } from './codec.ts';
import type { BlockMeta, DatasetEntry } from './directory.ts';
import { DuplicateRows, sharedBatches } from './duplicate-rows.ts';

// The one verb. Merging is concatenating rows whose stacks were renumbered into one symbol table; a row that another
// input already brought (same batch, series, profile type and window) is dropped. Dataset by dataset, so memory holds
// one dataset of the output, one of an input, and the output's bytes.

/** What a merge left out because another input had brought it. */
export interface MergeReport {
  duplicateRows: number;
  duplicateSamples: number;
}

/**
 * Merges blocks (or batches, which are blocks) into one.
 * @param inputs in the order that decides table order; same inputs in the same order give the same bytes
 * @throws CorruptBlockError when an input is damaged
 * @throws Error when totals out do not equal totals in less duplicates: a bug, and nothing may be published
 */
export async function mergeBlocks(
  inputs: readonly BlockReader[],
  meta: BlockMeta,
  codec: Codec,
): Promise<WrittenBlock & { batchIds: string[]; report: MergeReport }> {
  const merge: Merge = {
    inputs,
    batches: await mergeBatchTables(inputs),
    report: { duplicateRows: 0, duplicateSamples: 0 },
  };
  const writer = new BlockWriter(codec);
  for (const service of servicesOf(inputs)) writer.addDataset(await mergeService(service, merge));
  const batchIds = merge.batches.ids;
  return { ...writer.finish(meta, batchIds), batchIds, report: merge.report };
}

interface Merge {
  readonly inputs: readonly BlockReader[];
  readonly batches: BatchTables;
  readonly report: MergeReport;
}

interface BatchTables {
  /** Batch table of the output. */
  readonly ids: string[];
  /** Per input: where its batch i is in `ids`. */
  readonly indexOf: Uint32Array[];
  readonly shared: ReadonlySet<string>;
}

async function mergeBatchTables(inputs: readonly BlockReader[]): Promise<BatchTables> {
  const lists = await Promise.all(inputs.map((input) => input.batchIds()));
  const ids = [...new Set(lists.flat())];
  const known = new Map(ids.map((id, index) => [id, index]));
  const indexOf = lists.map((list) => Uint32Array.from(list, (id) => known.get(id)!));
  return { ids, indexOf, shared: sharedBatches(lists) };
}

function servicesOf(inputs: readonly BlockReader[]): string[] {
  const services = new Set<string>();
  for (const input of inputs) for (const dataset of input.directory.datasets) services.add(dataset.service);
  return [...services].sort();
}

async function mergeService(service: string, { inputs, batches, report }: Merge): Promise<DatasetBuilder> {
  const merged = new DatasetBuilder(service);
  const totals = new Map<string, bigint>();
  const duplicates = new DuplicateRows(batches.shared);
  for (const [i, input] of inputs.entries()) {
    const entry = input.directory.datasets.find((dataset) => dataset.service === service);
    if (entry === undefined) continue;
    const dataset = await input.dataset(entry);
    const batchOf = batches.indexOf[i]!;
    addTotals(totals, entry);
    merged.addDataset(dataset, batchOf, (profileType, rows, row) => {
      const batchId = batches.ids[batchOf[rows.batch[row]!]!]!;
      const labels = dataset.labelSets[rows.series[row]!]!;
      if (!duplicates.seenBefore(batchId, profileType, labels, rows, row)) return false;
      report.duplicateRows++;
      report.duplicateSamples += rows.samples[row]!;
      totals.set(profileType, totals.get(profileType)! - BigInt(rows.total[row]!) * BigInt(rows.scale[row]!));
      return true;
    });
  }
  checkConserved(merged, totals);
  return merged;
}

function addTotals(totals: Map<string, bigint>, entry: DatasetEntry): void {
  for (const type of entry.types)
    totals.set(type.profileType, (totals.get(type.profileType) ?? 0n) + type.total);
}

/** Totals out must equal totals in. Sums what was merged value by value, not what rows claim. */
function checkConserved(merged: DatasetBuilder, expected: ReadonlyMap<string, bigint>): void {
  for (const [profileType, total] of expected) {
    const rows = merged.types.get(profileType);
    const sum = rows === undefined ? 0n : sumOfEntries(rows);
    if (sum !== total) {
      throw new Error(
        `merge of ${merged.service} ${profileType} holds ${sum}, its inputs ${total}: refusing to publish`,
      );
    }
  }
}

function sumOfEntries(rows: ProfileRows): bigint {
  let sum = 0n;
  for (let row = 0; row < rows.count; row++) {
    let part = 0;
    for (let i = rows.entryStarts[row]!, end = rows.entryStarts[row + 1]!; i < end; i++)
      part += rows.values[i]!;
    sum += BigInt(part) * BigInt(rows.scale[row]!);
  }
  return sum;
}

import { labelsKey } from '../labels/labels.ts';
import { DatasetBuilder } from '../profile/dataset-builder.ts';
import type { ProfileRows } from '../profile/profile-rows.ts';
import type { BlockReader } from './block-reader.ts';
import { BlockWriter, type WrittenBlock } from './block-writer.ts';
import type { Codec } from './codec.ts';
import type { BlockMeta, DatasetEntry } from './directory.ts';

// The one verb. Merging is concatenating rows whose stacks were renumbered into one symbol table; a row that another
// input already brought (same batch, series, profile type and window) is dropped. Dataset by dataset, so memory holds
// one dataset of the output, one of an input, and the output's bytes.

/** What a merge did. */
export interface MergeReport {
  /** Rows and samples left out because another input had brought them. */
  readonly duplicateRows: number;
  readonly duplicateSamples: number;
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
): Promise<WrittenBlock & { report: MergeReport }> {
  const batches = await mergeBatchTables(inputs);
  const writer = new BlockWriter(codec);
  const report = { duplicateRows: 0, duplicateSamples: 0 };
  for (const service of servicesOf(inputs)) {
    const dataset = await mergeService(service, inputs, batches, report);
    writer.addDataset(dataset);
  }
  return { ...writer.finish(meta, batches.ids), report };
}

interface BatchTables {
  /** Batch table of the output. */
  readonly ids: string[];
  /** Per input: where its batch i is in `ids`. */
  readonly indexOf: Uint32Array[];
  /** Batches that more than one input holds: only their rows can be duplicates. */
  readonly shared: ReadonlySet<number>;
}

async function mergeBatchTables(inputs: readonly BlockReader[]): Promise<BatchTables> {
  const ids: string[] = [];
  const known = new Map<string, number>();
  const shared = new Set<number>();
  const indexOf: Uint32Array[] = [];
  for (const input of inputs) {
    const own = await input.batchIds();
    indexOf.push(
      Uint32Array.from(own, (id) => {
        const before = known.get(id);
        if (before !== undefined) {
          shared.add(before);
          return before;
        }
        known.set(id, ids.length);
        return ids.push(id) - 1;
      }),
    );
  }
  return { ids, indexOf, shared };
}

function servicesOf(inputs: readonly BlockReader[]): string[] {
  const services = new Set<string>();
  for (const input of inputs) for (const dataset of input.directory.datasets) services.add(dataset.service);
  return [...services].sort();
}

async function mergeService(
  service: string,
  inputs: readonly BlockReader[],
  batches: BatchTables,
  report: { duplicateRows: number; duplicateSamples: number },
): Promise<DatasetBuilder> {
  const merged = new DatasetBuilder(service);
  const totals = new Map<string, bigint>();
  const seen = new Set<string>();
  for (const [i, input] of inputs.entries()) {
    const entry = input.directory.datasets.find((dataset) => dataset.service === service);
    if (entry === undefined) continue;
    const dataset = await input.dataset(entry);
    addTotals(totals, entry);
    merged.addDataset(dataset, batches.indexOf[i]!, (profileType, rows, row) => {
      const batch = batches.indexOf[i]![rows.batch[row]!]!;
      if (!batches.shared.has(batch)) return false;
      const labels = dataset.labelSets[rows.series[row]!]!;
      const key = `${batch}|${profileType}|${rows.start[row]}|${rows.duration[row]}|${labelsKey(labels)}`;
      if (!seen.has(key)) {
        seen.add(key);
        return false;
      }
      report.duplicateRows++;
      report.duplicateSamples += rows.samples[row]!;
      totals.set(profileType, totals.get(profileType)! - exactRowTotal(rows, row));
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

function exactRowTotal(rows: ProfileRows, row: number): bigint {
  return BigInt(rows.total[row]!) * BigInt(rows.scale[row]!);
}

/** Totals out must equal totals in. Sums what was merged row by row and value by value, not what rows claim. */
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

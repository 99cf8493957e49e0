import type { Labels } from '../labels/labels.ts';
import { DatasetBuilder } from '../profile/dataset-builder.ts';
import type { ProfileRows } from '../profile/profile-rows.ts';
import type { TimeSpan } from '../query/time-span.ts';
import { deletingSpan } from '../retention/tombstone.ts';
import { sealedEntry } from './batch-table.ts';
import type { BlockReader } from './block-reader.ts';
import { BlockWriter, type WrittenBlock } from './block-writer.ts';
import type { Codec } from './codec.ts';
import type { BlockMeta, DatasetEntry, TypeEntry } from './directory.ts';
import { DuplicateRows, sharedBatches } from './duplicate-rows.ts';
import { pruneDataset } from './prune-dataset.ts';
import type { BlockDataset, BlockRows, WindowSpread } from './window-spread.ts';

// The one verb. Merging is concatenating rows whose stacks were renumbered into one symbol table; a row that another
// input already brought (same batch, series, profile type and window), or that is stored elsewhere, is dropped. Dataset
// by dataset, so memory holds one dataset of the output, one of an input, and the output's bytes.

/** What a merge left out: because another input had brought it, or a sealed block holds it, or it was to be dropped. */
export interface MergeReport {
  duplicateRows: number;
  duplicateSamples: number;
  deletedRows: number;
  deletedSamples: number;
  /** The same by the span that deleted them, as `drop` gave it. */
  readonly deletedBy: Map<TimeSpan, { rows: number; samples: number }>;
}

/**
 * Merges blocks (or batches, which are blocks) of one resolution into one.
 * @param inputs in the order that decides table order; same inputs in the same order give the same bytes
 * @param options as far as a merge into one block takes them
 * @throws CorruptBlockError when an input is damaged
 * @throws Error when totals out do not equal totals in less duplicates: a bug, and nothing may be published
 */
export async function mergeBlocks(
  inputs: readonly BlockReader[],
  meta: BlockMeta,
  codec: Codec,
  options: Pick<MergeOptions, 'storedElsewhere'> = {},
): Promise<WrittenBlock & { batchIds: string[]; report: MergeReport }> {
  const merge = new BlockMerge(inputs, await readBatchTables(inputs), options);
  const writer = new BlockWriter(codec, meta.resolutionSeconds);
  for await (const dataset of merge.datasets()) writer.addDataset(dataset);
  const { batchIds, report } = merge;
  return { ...writer.finish(meta, batchIds), batchIds, report };
}

/** The batch tables of all inputs, in their order. */
export function readBatchTables(inputs: readonly BlockReader[]): Promise<string[][]> {
  return Promise.all(inputs.map((input) => input.batchIds()));
}

export interface MergeOptions {
  /** Replaces ids of batches by one entry per cluster: for batches that are too old to come again. */
  readonly seal?: boolean;
  /** Most unfolded bytes of inputs that one merged dataset is made of, unless a single input has more. */
  readonly datasetBytesMax?: number;
  /** Awaited before each dataset is read; what it throws ends the merge. */
  readonly beforeDataset?: () => Promise<void>;
  /** Asked once per series of an input: rows of it that start in one of the spans (downsampled: touch it) are left out. */
  readonly drop?: (labels: Labels) => readonly TimeSpan[];
  /** Entries of batch tables that the output keeps; absent = all. Only what no kept row refers to may be left out. */
  readonly keepsEntry?: (entry: string) => boolean;
  /** Asked once per batch of an input: services whose rows of it other blocks hold. They are left out as duplicates. */
  readonly storedElsewhere?: (batchId: string) => ReadonlySet<string> | undefined;
  /** Told of each service of each input which entries of its batch table rows refer to: 1 in `used`. */
  readonly noteBatches?: (service: string, table: readonly string[], used: Uint8Array) => void;
  /** Services come group by group, ascending; absent = all are of one. */
  readonly groupOf?: (service: string) => number;
}

/** A merge under way: gives the datasets of the output one after the other. */
export class BlockMerge {
  /** Batch table of the output. */
  readonly batchIds: string[];
  readonly report: MergeReport = {
    ...{ duplicateRows: 0, duplicateSamples: 0, deletedRows: 0, deletedSamples: 0 },
    deletedBy: new Map(),
  };
  /** Largest sum of unfolded bytes that one dataset was merged from: what bounds memory. */
  peakDatasetBytes = 0;
  /** In the order in which their datasets come: by group, then by name. */
  readonly services: readonly string[];
  readonly groupOf: (service: string) => number;
  readonly #inputs: readonly BlockReader[];
  readonly #tables: readonly string[][];
  /** Per input: where its batch i is in `batchIds`. */
  readonly #batchOf: Uint32Array[];
  readonly #shared: ReadonlySet<string>;
  readonly #datasetBytesMax: number;
  readonly #beforeDataset: () => Promise<void>;
  readonly #drop: MergeOptions['drop'];
  readonly #noteBatches: MergeOptions['noteBatches'];
  /** Per input and batch: services whose rows are duplicates; undefined for inputs without any. */
  readonly #elsewhere: readonly (StoredElsewhere | undefined)[];

  /** @param tables the batch table of each input, as `readBatchTables` answers */
  constructor(inputs: readonly BlockReader[], tables: readonly string[][], options: MergeOptions = {}) {
    const written = options.seal ? tables.map((table) => table.map(sealedEntry)) : tables;
    this.batchIds = [...new Set(written.flat())].filter(options.keepsEntry ?? (() => true));
    const known = new Map(this.batchIds.map((id, index) => [id, index]));
    this.groupOf = options.groupOf ?? (() => 0);
    this.services = servicesOf(inputs, this.groupOf);
    this.#inputs = inputs;
    this.#tables = tables;
    this.#batchOf = written.map((table) => Uint32Array.from(table, (id) => known.get(id)!));
    this.#shared = sharedBatches(tables);
    this.#datasetBytesMax = options.datasetBytesMax ?? Number.POSITIVE_INFINITY;
    this.#beforeDataset = options.beforeDataset ?? (async () => undefined);
    this.#drop = options.drop;
    this.#noteBatches = options.noteBatches;
    this.#elsewhere = tables.map((table) => {
      const services = table.map(options.storedElsewhere ?? (() => undefined));
      return services.some((some) => some !== undefined) ? services : undefined;
    });
  }

  /**
   * In the order of `services`; one comes in several datasets, which then follow each other, when its inputs pass
   * `datasetBytesMax`.
   */
  async *datasets(): AsyncGenerator<BlockDataset> {
    for (const service of this.services) {
      const duplicates = new DuplicateRows(this.#shared);
      const sources = this.#sourcesOf(service);
      const newPart = () => new DatasetMerge(service, duplicates, this.report, sampleBytes(sources));
      let part = newPart();
      for (const { input, entry, batchOf, table, elsewhere } of sources) {
        const bytes = unfoldedBytes(entry);
        if (part.bytes > 0 && part.bytes + bytes > this.#datasetBytesMax) {
          yield part.finish();
          part = newPart();
        }
        await this.#beforeDataset();
        const dataset = await input.dataset(entry);
        this.#noteBatches?.(service, table, usedBatches(dataset, table.length));
        const drop = this.#drop && rowsToDrop(dataset, input.directory.resolutionSeconds * 1000, this.#drop);
        part.add(dataset, entry, { batchOf, table, elsewhere, drop });
        part.bytes += bytes;
        this.peakDatasetBytes = Math.max(this.peakDatasetBytes, part.bytes);
      }
      yield part.finish();
    }
  }

  #sourcesOf(service: string): DatasetSource[] {
    return this.#inputs.flatMap((input, i) => {
      const entry = input.directory.datasets.find((dataset) => dataset.service === service);
      return entry === undefined
        ? []
        : [
            {
              ...{ input, entry, batchOf: this.#batchOf[i]!, table: this.#tables[i]! },
              elsewhere: this.#elsewhere[i],
            },
          ];
    });
  }
}

function usedBatches({ types }: BlockDataset, length: number): Uint8Array {
  const used = new Uint8Array(length);
  for (const { batch, count } of types.values()) for (let row = 0; row < count; row++) used[batch[row]!] = 1;
  return used;
}

/** Which span deletes a row, if any. */
type RowsToDrop = (rows: ProfileRows, row: number) => TimeSpan | undefined;

function rowsToDrop(
  { labelSets }: BlockDataset,
  stepMs: number,
  drop: (labels: Labels) => readonly TimeSpan[],
): RowsToDrop | undefined {
  const spansOf = labelSets.map(drop);
  if (spansOf.every((spans) => spans.length === 0)) return undefined;
  return (rows, row) => deletingSpan(spansOf[rows.series[row]!]!, rows.start[row]!, stepMs);
}

/** By place in a batch table: services whose rows of the batch other blocks hold. */
type StoredElsewhere = readonly (ReadonlySet<string> | undefined)[];

/** One input's slice of a service. */
interface DatasetSource {
  readonly input: BlockReader;
  readonly entry: DatasetEntry;
  /** Where its batch i is in the output's batch table, and which one that is. */
  readonly batchOf: Uint32Array;
  readonly table: readonly string[];
  readonly elsewhere: StoredElsewhere | undefined;
}

/** Unfolded bytes of all samples, by profile type. */
function sampleBytes(sources: readonly DatasetSource[]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const { entry } of sources) {
    for (const { profileType, samplesSection } of entry.types)
      bytes.set(profileType, (bytes.get(profileType) ?? 0) + samplesSection.rawLength);
  }
  return bytes;
}

/** What reading a dataset whole unfolds to. */
export function unfoldedBytes({ seriesSection, symbolsSection, types }: DatasetEntry): number {
  const samples = types.reduce(
    (sum, { totalsSection, samplesSection }) => sum + totalsSection.rawLength + samplesSection.rawLength,
    0,
  );
  return seriesSection.rawLength + symbolsSection.rawLength + samples;
}

function servicesOf(inputs: readonly BlockReader[], groupOf: (service: string) => number): string[] {
  const services = new Set<string>();
  for (const input of inputs) for (const dataset of input.directory.datasets) services.add(dataset.service);
  return [...services].sort((a, b) => groupOf(a) - groupOf(b) || (a < b ? -1 : 1));
}

/** One dataset of the output being merged. */
class DatasetMerge {
  bytes = 0;
  #hasDropped = false;
  readonly #merged: DatasetBuilder;
  readonly #duplicates: DuplicateRows;
  readonly #report: MergeReport;
  /** What the inputs' directories say, less duplicates and what is dropped. */
  readonly #totals = new Map<string, bigint>();
  readonly #spreads = new Map<string, Spreads>();
  readonly #sampleBytes: ReadonlyMap<string, number>;

  /** @param sampleBytes unfolded bytes of the samples to come, by profile type */
  constructor(
    service: string,
    duplicates: DuplicateRows,
    report: MergeReport,
    sampleBytes: ReadonlyMap<string, number>,
  ) {
    this.#merged = new DatasetBuilder(service);
    this.#sampleBytes = sampleBytes;
    this.#duplicates = duplicates;
    this.#report = report;
  }

  add(
    dataset: BlockDataset,
    entry: DatasetEntry,
    {
      batchOf,
      table,
      elsewhere,
      drop,
    }: Omit<DatasetSource, 'input' | 'entry'> & {
      drop: RowsToDrop | undefined;
    },
  ): void {
    const totals = this.#totals;
    const { service } = dataset;
    for (const type of entry.types) {
      totals.set(type.profileType, (totals.get(type.profileType) ?? 0n) + type.total);
      this.#reserve(type, dataset.types.get(type.profileType)!);
    }
    this.#merged.addDataset(dataset, batchOf, (profileType, rows, row) => {
      const span = drop?.(rows, row);
      if (span !== undefined) {
        this.#countDeleted(span, rows.samples[row]!);
        totals.set(profileType, totals.get(profileType)! - exactTotalOf(rows, row));
        return true;
      }
      const batch = rows.batch[row]!;
      const isElsewhere = elsewhere?.[batch]?.has(service) ?? false;
      const labels = dataset.labelSets[rows.series[row]!]!;
      if (!isElsewhere && !this.#duplicates.seenBefore(table[batch]!, profileType, labels, rows, row)) {
        this.#keepSpread(profileType, rows, row);
        return false;
      }
      // What came twice within this merge is still in it.
      this.#hasDropped ||= isElsewhere;
      this.#report.duplicateRows++;
      this.#report.duplicateSamples += rows.samples[row]!;
      totals.set(profileType, totals.get(profileType)! - exactTotalOf(rows, row));
      return true;
    });
  }

  #countDeleted(span: TimeSpan, samples: number): void {
    const report = this.#report;
    this.#hasDropped = true;
    report.deletedRows++;
    report.deletedSamples += samples;
    const counted = report.deletedBy.get(span);
    if (counted === undefined) report.deletedBy.set(span, { rows: 1, samples });
    else {
      counted.rows++;
      counted.samples += samples;
    }
  }

  /** Room for all entries to come, judged by those of the first input: growing step by step would copy them, and need twice as much. */
  #reserve({ profileType, samplesSection }: TypeEntry, first: BlockRows): void {
    const rows = this.#merged.rowsOf(profileType);
    if (rows.entryCount > 0) return;
    const bytes = Math.min(this.#sampleBytes.get(profileType) ?? 0, RESERVED_BYTES_MAX);
    const entriesPerByte = first.entryStarts[first.count]! / Math.max(1, samplesSection.rawLength);
    rows.reserveEntries(Math.ceil(bytes * entriesPerByte * 1.05));
  }

  /** Rows are appended in the order in which they are kept, so spreads are too. */
  #keepSpread(profileType: string, { spread }: BlockRows, row: number): void {
    if (spread === undefined) return;
    let kept = this.#spreads.get(profileType);
    if (kept === undefined) this.#spreads.set(profileType, (kept = { windows: [], least: [], most: [] }));
    kept.windows.push(spread.windows[row]!);
    kept.least.push(spread.least[row]!);
    kept.most.push(spread.most[row]!);
  }

  finish(): BlockDataset {
    checkConserved(this.#merged, this.#totals);
    const dataset = this.#withSpreads();
    return this.#hasDropped ? pruneDataset(dataset) : dataset;
  }

  #withSpreads(): BlockDataset {
    const merged = this.#merged;
    if (this.#spreads.size === 0) return merged;
    const types = new Map<string, BlockRows>();
    for (const [profileType, rows] of merged.types)
      types.set(profileType, { ...rows, spread: columnsOf(this.#spreads.get(profileType) ?? NO_SPREADS) });
    return { service: merged.service, symbols: merged.symbols, labelSets: merged.labelSets, types };
  }
}

type Spreads = { readonly [column in keyof WindowSpread]: number[] };

const NO_SPREADS: Spreads = { windows: [], least: [], most: [] };

/** Most unfolded bytes of samples that room is made for ahead: what is larger grows step by step. */
const RESERVED_BYTES_MAX = 128 * 1024 * 1024;

function columnsOf({ windows, least, most }: Spreads): WindowSpread {
  return {
    windows: Float64Array.from(windows),
    least: Float64Array.from(least),
    most: Float64Array.from(most),
  };
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

function exactTotalOf(rows: ProfileRows, row: number): bigint {
  return BigInt(rows.total[row]!) * BigInt(rows.scale[row]!);
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

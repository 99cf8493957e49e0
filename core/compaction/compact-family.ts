import { rolledEntry, sealedEntry } from '../block/batch-table.ts';
import { BlockWriter, type WrittenBlock } from '../block/block-writer.ts';
import type { Codec } from '../block/codec.ts';
import { downsampleDataset } from '../block/downsample-dataset.ts';
import type { BlockMerge } from '../block/merge-blocks.ts';
import type { BlockDataset, BlockRows } from '../block/window-spread.ts';
import { RejectedError } from '../errors.ts';

// A merged block and its downsampled versions are a family. They are written side by side from one merged dataset after
// the other, so that they hold the same samples by construction. Memory holds one dataset of the output, one of an
// input, and the bytes of the family being written: at most `partBytesMax` and the dataset that passes it.

/** A block with the entries of its batch table. */
export type FamilyBlock = WrittenBlock & { readonly batchIds: string[] };

export interface FamilyOptions {
  readonly tenant: string;
  /** Of the output. */
  readonly level: number;
  /** Of the inputs, and of the block that they are merged into, in seconds. */
  readonly resolutionSeconds: number;
  /** Ascending, each a multiple of the one before. */
  readonly downsampleTo: readonly number[];
  /** Labels that a downsampled block loses, at least those that finer ones lose; absent = none. */
  readonly rollUpAt?: (resolutionSeconds: number) => readonly string[];
  readonly partBytesMax: number;
  /** Most families that may come of it: they have to fit one transaction. */
  readonly partsMax: number;
  readonly nextBlockId: () => string;
  /** The family that the output goes on to be: the merged block stands for it. Absent = the merged block is a new one. */
  readonly family?: string;
  /** Entries that are added to the batch tables. */
  readonly notes?: readonly string[];
}

/**
 * Gives families one by one, each as its merged block and then its downsampled ones. More than one when the output is
 * large; each service, or each part of a service that is too large for one dataset, is in one of them. None has services
 * of two groups of the merge.
 * @throws CorruptBlockError when an input is damaged; RejectedError('too-large') when partsMax do not hold it
 * @throws Error when totals change: a bug, and nothing may be published
 */
export async function* compactFamilies(
  merge: BlockMerge,
  options: FamilyOptions,
  codec: Codec,
): AsyncGenerator<FamilyBlock[]> {
  let family = new FamilyWriter(options, codec);
  let finished = 0;
  // With the one at hand.
  let groupsLeft = new Set(merge.services.map(merge.groupOf)).size;
  const datasets = new NextDataset(merge.datasets());
  while (await datasets.read()) {
    const { lastService } = family;
    const { service } = datasets;
    const isNewGroup = lastService !== undefined && merge.groupOf(lastService) !== merge.groupOf(service);
    if (isNewGroup) groupsLeft--;
    const isFull =
      lastService !== undefined &&
      family.length > options.partBytesMax &&
      finished + groupsLeft < options.partsMax;
    if (isFull || isNewGroup || lastService === service) {
      if (++finished === options.partsMax) throw tooManyParts(options.partsMax);
      yield family.finish(merge.batchIds);
      family = new FamilyWriter(options, codec);
    }
    family.add(datasets.take());
  }
  if (family.lastService !== undefined) yield family.finish(merge.batchIds);
}

/** The variable of a loop would hold a dataset while the next is merged, and memory two of them. */
class NextDataset {
  readonly #datasets: AsyncGenerator<BlockDataset>;
  #next: BlockDataset | undefined;

  constructor(datasets: AsyncGenerator<BlockDataset>) {
    this.#datasets = datasets;
  }

  async read(): Promise<boolean> {
    this.#next = (await this.#datasets.next()).value;
    return this.#next !== undefined;
  }

  get service(): string {
    return this.#next!.service;
  }

  /** Lets go of it. */
  take(): BlockDataset {
    const dataset = this.#next!;
    this.#next = undefined;
    return dataset;
  }
}

function tooManyParts(partsMax: number): RejectedError {
  return new RejectedError(
    'too-large',
    `the merged blocks do not fit ${partsMax} families; lower compaction.bytesMax or raise compaction.datasetBytesMax`,
  );
}

/** A downsampled block being written. */
interface Version {
  readonly seconds: number;
  readonly rollUp: readonly string[];
  readonly writer: BlockWriter;
}

class FamilyWriter {
  lastService: string | undefined;
  readonly #options: FamilyOptions;
  readonly #merged: BlockWriter;
  readonly #versions: Version[];
  /** Where batches of the merge's table are in that of the merged block, which names those that its rows are of. */
  readonly #placeOf = new Map<number, number>();

  constructor(options: FamilyOptions, codec: Codec) {
    this.#options = options;
    this.#merged = new BlockWriter(codec, options.resolutionSeconds);
    const { downsampleTo, rollUpAt = () => [] } = options;
    this.#versions = downsampleTo.map((seconds) => ({
      seconds,
      rollUp: rollUpAt(seconds),
      writer: new BlockWriter(codec, seconds),
    }));
  }

  /** Bytes of the merged block so far. */
  get length(): number {
    return this.#merged.length;
  }

  add(dataset: BlockDataset): void {
    // Every row may have been a duplicate.
    if ([...dataset.types.values()].every((rows) => rows.count === 0)) return;
    this.lastService = dataset.service;
    this.#merged.addDataset(this.#isRaw ? this.#withOwnBatches(dataset) : dataset);
    let finer = dataset;
    for (const { seconds, rollUp, writer } of this.#versions) {
      finer = downsampleDataset(finer, seconds * 1000, rollUp);
      writer.addDataset(finer);
    }
  }

  /** Rows of downsampled blocks do not say which batches they sum. */
  get #isRaw(): boolean {
    return this.#options.resolutionSeconds === 0;
  }

  #withOwnBatches(dataset: BlockDataset): BlockDataset {
    const types = new Map<string, BlockRows>();
    for (const [profileType, rows] of dataset.types) {
      const batch = new Uint32Array(rows.count);
      for (let row = 0; row < rows.count; row++) batch[row] = this.#ownPlace(rows.batch[row]!);
      types.set(profileType, { ...rows, batch });
    }
    return { service: dataset.service, symbols: dataset.symbols, labelSets: dataset.labelSets, types };
  }

  #ownPlace(batch: number): number {
    let place = this.#placeOf.get(batch);
    if (place === undefined) this.#placeOf.set(batch, (place = this.#placeOf.size));
    return place;
  }

  #ownEntries(batchIds: readonly string[]): string[] {
    if (!this.#isRaw) return [...batchIds];
    const batches = [...this.#placeOf.keys()].map((batch) => batchIds[batch]!);
    return [...batches, ...batchIds.filter((entry) => !entry.includes('/'))];
  }

  finish(batchIds: readonly string[]): FamilyBlock[] {
    const { tenant, level, resolutionSeconds, nextBlockId, family, notes = [] } = this.#options;
    const blockId = nextBlockId();
    const meta = { blockId, tenant, level, resolutionSeconds };
    const entries = this.#ownEntries(batchIds);
    const table = [...new Set([...entries, ...(family === undefined ? [] : [family]), ...notes])];
    const merged = { ...this.#merged.finish(meta, table), batchIds: table };
    const sources = [...table.map(sealedEntry), family ?? blockId];
    const versions = this.#versions.map(({ seconds, rollUp, writer }) => {
      const metaOf = { blockId: nextBlockId(), tenant, level, resolutionSeconds: seconds };
      const batchIds = [...new Set([...sources, ...rollUp.map(rolledEntry)])];
      return { ...writer.finish(metaOf, batchIds), batchIds };
    });
    return [merged, ...versions];
  }
}

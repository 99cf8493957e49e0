import { DatasetBuilder } from '../profile/dataset-builder.ts';
import { BlockWriter, type WrittenBlock } from './block-writer.ts';
import type { Codec } from './codec.ts';
import type { BlockMeta } from './directory.ts';

/** Gathers a block in memory: the datasets of all services, and the batches that brought their rows. */
export class BlockBuilder {
  readonly batchIds: string[] = [];
  readonly #batches = new Map<string, number>();
  readonly #datasets = new Map<string, DatasetBuilder>();

  /** Number of a batch in the batch table. */
  batch(batchId: string): number {
    let index = this.#batches.get(batchId);
    if (index === undefined) {
      index = this.batchIds.push(batchId) - 1;
      this.#batches.set(batchId, index);
    }
    return index;
  }

  dataset(service: string): DatasetBuilder {
    let dataset = this.#datasets.get(service);
    if (dataset === undefined) this.#datasets.set(service, (dataset = new DatasetBuilder(service)));
    return dataset;
  }

  /** Datasets sorted by service. */
  datasets(): DatasetBuilder[] {
    return [...this.#datasets.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
  }

  write(meta: BlockMeta, codec: Codec): WrittenBlock {
    const writer = new BlockWriter(codec);
    for (const dataset of this.datasets()) writer.addDataset(dataset);
    return writer.finish(meta, this.batchIds);
  }
}

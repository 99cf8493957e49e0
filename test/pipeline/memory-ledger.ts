import { summarize } from '../../storage/aws/ledger-records.ts';
import type { BatchRecord, BootSequences, SequenceSearch } from '../../storage/registry.ts';

/** Records of batches in memory, summed up as the ledger on DynamoDB does. */
export interface MemoryLedger {
  /** What was listed so far. */
  readonly searches: SequenceSearch[];
  record(batch: BatchRecord): void;
  list(search: SequenceSearch): Promise<BootSequences[]>;
}

export function memoryLedger(): MemoryLedger {
  const records: BatchRecord[] = [];
  const searches: SequenceSearch[] = [];
  return {
    searches,
    record: (batch) => void records.push(batch),
    async list(search) {
      searches.push(search);
      const { cluster, from, until, stepMs = 3_600_000 } = search;
      const found = records.filter(
        (batch) =>
          (cluster === undefined || batch.cluster === cluster) &&
          from <= batch.firstWindow &&
          batch.firstWindow < until,
      );
      return summarize(
        found.map((batch) => ({ ...batch, duplicates: 0 })),
        stepMs,
      );
    },
  };
}

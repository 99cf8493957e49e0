// What the ledger of batches and the sums made of it take to write and to read, in DynamoDB's units.
import { ASSUMPTIONS } from './cost-inputs.ts';

/** An item of the ledger: names and key, and one record. test/bench/cost-model.test.ts packs real ones. */
export const LEDGER_ITEM_BYTES = 260;
export const LEDGER_RECORD_BYTES = 50;
const LEDGER_SLICE_SECONDS = 900;
export const READ_UNIT_BYTES = 4096;
/** A value of sums has so much of each cluster, and one of boots of each boot. docs/design/0007-loss-sums.md. */
const SUMS_CLUSTER_BYTES = 150;
/** Most values that an answer reads besides the state: 46 hours, 60 days, and the months of ten years. */
const SUMS_READ_MAX = 46 + 60 + 120;

/** Mean write units of a record: an item is billed by its size after the write. */
export function ledgerWriteUnits(flushSeconds: number): number {
  const records = Math.max(1, Math.round(LEDGER_SLICE_SECONDS / flushSeconds));
  let units = 0;
  for (let i = 1; i <= records; i++) units += Math.ceil((LEDGER_ITEM_BYTES + i * LEDGER_RECORD_BYTES) / 1024);
  return units / records;
}

/** Read units of an hour of the ledger. */
export function ledgerReadUnits(batchesPerHour: number, nodes: number): number {
  const items = nodes * (3600 / LEDGER_SLICE_SECONDS);
  return Math.ceil((batchesPerHour * LEDGER_RECORD_BYTES + items * LEDGER_ITEM_BYTES) / READ_UNIT_BYTES);
}

/**
 * Read units of the sums that an answer reads: the state, and the hours that overlap its range. Of more than a day it reads
 * days and months instead, so this is the most then. test/pipeline/sum-loss.test.ts holds the keys.
 */
export function lossReadUnits(hours: number): number {
  const values = Math.min(Math.ceil(hours) + 1, SUMS_READ_MAX);
  return 1 + values * Math.ceil((ASSUMPTIONS.clusters * SUMS_CLUSTER_BYTES) / READ_UNIT_BYTES);
}

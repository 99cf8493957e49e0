// The accounts of a spool. All numbers are running totals over the life of the folder and never shrink, so that one
// difference answers how much of something is still to be said, across any crash.

/** Running totals of samples and batches. */
export interface Ledger {
  /** Samples that the engine took. */
  readonly taken: number;
  /** Samples that the kernel could not deliver. */
  readonly lost: number;
  /** Batches that the spool gave up: no room, too old, refused by the hub, damaged. */
  readonly droppedBatches: number;
  /** Samples that those batches stood for. */
  readonly droppedSamples: number;
}

export const emptyLedger: Ledger = { taken: 0, lost: 0, droppedBatches: 0, droppedSamples: 0 };

export function addLedgers(a: Ledger, b: Ledger): Ledger {
  return {
    taken: a.taken + b.taken,
    lost: a.lost + b.lost,
    droppedBatches: a.droppedBatches + b.droppedBatches,
    droppedSamples: a.droppedSamples + b.droppedSamples,
  };
}

/** What `later` says beyond `earlier`. */
export function ledgerSince(later: Ledger, earlier: Ledger): Ledger {
  return {
    taken: later.taken - earlier.taken,
    lost: later.lost - earlier.lost,
    droppedBatches: later.droppedBatches - earlier.droppedBatches,
    droppedSamples: later.droppedSamples - earlier.droppedSamples,
  };
}

/** Field by field the larger one: two notes of the same totals, one of them older. */
export function latestLedger(a: Ledger, b: Ledger): Ledger {
  return {
    taken: Math.max(a.taken, b.taken),
    lost: Math.max(a.lost, b.lost),
    droppedBatches: Math.max(a.droppedBatches, b.droppedBatches),
    droppedSamples: Math.max(a.droppedSamples, b.droppedSamples),
  };
}

/**
 * What has to be said again when `batches` batches that together said `said` never reach the hub: their samples are
 * lost, and so is what they would have told about earlier losses.
 */
export function givenUp(batches: number, said: Ledger): Ledger {
  return {
    taken: 0,
    lost: said.lost,
    droppedBatches: batches + said.droppedBatches,
    droppedSamples: said.taken + said.droppedSamples,
  };
}

// What an agent's spool holds, as a heartbeat tells it. The numbers of a batch are those that the hub's ledger will hold
// once it arrives, so the audit counts the same samples before and after.

/** Batches on disk that no hub has acknowledged: of one boot, with first windows in one hour. */
export interface SpooledHour {
  readonly bootId: string;
  /** Start of the hour, ms since epoch. */
  readonly hourMs: number;
  /** Their sequence numbers lie in [first, end). Others in there were given up, and never come. */
  readonly first: number;
  readonly end: number;
  readonly batches: number;
  /** Samples in them. */
  readonly kept: number;
  /** Samples that they report as dropped, those of batches that were given up before included. */
  readonly dropped: number;
  /** Samples that they report as lost by the kernel. */
  readonly lost: number;
}

export interface SpoolAccount {
  /** Of the spool's folder, for as long as it lives: another id on the same node means that the folder is gone. */
  readonly spoolId: string;
  /** All that is there, also what `hours` has no room for. */
  readonly batches: number;
  readonly samples: number;
  /** Newest first, at most SPOOLED_HOURS_MAX. */
  readonly hours: readonly SpooledHour[];
}

/** 72 hours, after which a hub takes no batch, and room for restarts in between. */
export const SPOOLED_HOURS_MAX = 96;

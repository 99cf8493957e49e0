/** A block in quarantine. Times are ms since epoch. */
export interface KeptBlock {
  readonly blockId: string;
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly bytes: number;
  readonly services: readonly string[];
  readonly reason: string;
  readonly quarantinedAt: number;
}

/** What a copy of a damaged block lacks. */
export interface LostPart {
  readonly service: string;
  readonly profileType: string;
  readonly rows: number;
  readonly samples: number;
  /** Exact, in digits. */
  readonly total: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly problem: string;
}

/** What came of rewriting a block, or would. */
export interface Rewrite {
  readonly blockId: string;
  /** What stands for it now; absent when nothing was changed. */
  readonly newBlockId?: string;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly isCurrent: boolean;
  readonly lost: readonly LostPart[];
  /** Why it failed, and whether that is damage. */
  readonly problem?: string;
  readonly isDamaged?: boolean;
  /** Asked for, and not done yet. */
  readonly isWaiting?: boolean;
}

/** Who changes single blocks: a data folder that no server holds, or a hub. Both do the same by the same use cases. */
export interface BlockKeeper {
  quarantine(request: { blockId: string; reason?: string; dryRun: boolean }): Promise<KeptBlock>;
  list(): Promise<KeptBlock[]>;
  restore(blockId: string): Promise<{ readonly problem?: string; readonly replaced: readonly string[] }>;
  discard(request: { blockId: string; dryRun: boolean }): Promise<KeptBlock>;
  /** @param request.wait whether it answers only when the block is rewritten */
  rewrite(request: { blockId: string; salvage: boolean; dryRun: boolean; wait: boolean }): Promise<Rewrite>;
  close(): Promise<void>;
}

import type { LeftOutTime } from './rolled-up-blocks.ts';

/** How complete an answer is. Every answer carries one, and every host, page and tool uses these words. */
export interface Completeness {
  /**
   * True when every block of the selection was read, and no sample of its clusters and time is known lost. What is kept
   * without a label that was asked for cannot be read.
   */
  complete: boolean;
  blocksRead: number;
  bytesRead: number;
  /** Blocks that the catalog names and the object store does not have. */
  missingBlocks: number;
  /** Blocks that failed a checksum or another check; they were left out. */
  corruptBlocks: number;
  /** Blocks that somebody set aside, and that nothing else in the answer stands for. */
  asideBlocks: number;
  /** Samples in the answer. */
  samples: number;
  /** Samples of the selection's clusters and time that are known lost: by the kernel, by the agent, or with a missing batch. */
  samplesLost: number;
  /** Now less the arrival of the newest batch of the selection's clusters and time, in ms; -1 when there is none. */
  lagMs: number;
  /** Coarsest time step of the windows read, in seconds; 0 when all were raw. */
  resolutionSeconds: number;
  /**
   * How long the windows in the answer are together, ms; what is covered by several series counts once. Exact for raw
   * windows, to the resolution for others.
   */
  coveredMs: number;
  /**
   * Set when reading all would have taken more than the limit: the answer covers [continueBefore, end), ms since epoch,
   * and the same question with this as its end goes on.
   */
  continueBefore?: number;
  /** What else a reader should know, in sentences. */
  notes: string[];
}

export function newCompleteness(): Completeness {
  return {
    complete: true,
    blocksRead: 0,
    bytesRead: 0,
    missingBlocks: 0,
    corruptBlocks: 0,
    asideBlocks: 0,
    samples: 0,
    samplesLost: 0,
    lagMs: -1,
    resolutionSeconds: 0,
    coveredMs: 0,
    notes: [],
  };
}

/**
 * Of an answer made from two: as incomplete, as late and as coarse as the worse of both. It cannot be gone on with: its
 * sides may end at different times.
 */
export function bothComplete(a: Completeness, b: Completeness): Completeness {
  return {
    complete: a.complete && b.complete,
    blocksRead: a.blocksRead + b.blocksRead,
    bytesRead: a.bytesRead + b.bytesRead,
    missingBlocks: a.missingBlocks + b.missingBlocks,
    corruptBlocks: a.corruptBlocks + b.corruptBlocks,
    asideBlocks: a.asideBlocks + b.asideBlocks,
    samples: a.samples + b.samples,
    samplesLost: a.samplesLost + b.samplesLost,
    lagMs: Math.max(a.lagMs, b.lagMs),
    resolutionSeconds: Math.max(a.resolutionSeconds, b.resolutionSeconds),
    coveredMs: a.coveredMs + b.coveredMs,
    notes: [...new Set([...a.notes, ...b.notes])],
  };
}

/** Says what an answer lacks because labels that it depends on were rolled up, and what to do. */
export function leftOutNote({ labels, start, end, resolutionSeconds }: LeftOutTime): string {
  const names = labels.join(' and ');
  return (
    `${names} ${labels.length === 1 ? 'is' : 'are'} rolled up in windows of ${stepText(resolutionSeconds)} and more: ` +
    `what of the time from ${new Date(start).toISOString()} to ${new Date(end).toISOString()} is kept in no finer ` +
    `windows is left out; ask without ${names} for the sum of it`
  );
}

function stepText(seconds: number): string {
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`;
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${seconds / 60} min`;
}

/** Says that sums hold what was deleted. */
export function keptDeletionsNote(count: number): string {
  const deletions = count === 1 ? 'a deletion asks' : `${count} deletions ask`;
  return `${deletions} for labels that are rolled up in some of the blocks read: sums may still hold what was deleted`;
}

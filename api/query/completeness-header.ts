import type { HandlerContext } from '@connectrpc/connect';
import type { Completeness } from '../../core/query/completeness.ts';

export const COMPLETENESS_HEADER = 'cinderblock-completeness';

/** The completeness as a header value: JSON, ASCII only. */
export function completenessHeader(completeness: Completeness): string {
  return JSON.stringify(completeness).replace(/[^\x20-\x7e]/g, '?');
}

/** Tells a querier.v1 client what its answer lacks, where stock clients do not look. */
export function noteCompleteness(context: HandlerContext, completeness: Completeness): void {
  context.responseHeader.set(COMPLETENESS_HEADER, completenessHeader(completeness));
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

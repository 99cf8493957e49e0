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

import type { AsideBlock } from '../core/query/aside-blocks.ts';
import type { Completeness } from '../core/query/completeness.ts';
import type { BlockRow } from '../storage/block-catalog.ts';

/** Blocks aside that an answer names before it counts the rest. */
const NAMED_MAX = 10;

/** Says in an answer's completeness which blocks that it asks for lie aside, and whether something else stands for them. */
export function noteAside(blocks: readonly AsideBlock<BlockRow>[], completeness: Completeness): void {
  completeness.asideBlocks = blocks.filter(({ isAnswered }) => !isAnswered).length;
  completeness.complete &&= completeness.asideBlocks === 0;
  const lackedFirst = [...blocks].sort((a, b) => Number(a.isAnswered) - Number(b.isAnswered));
  for (const { row, isAnswered } of lackedFirst.slice(0, NAMED_MAX)) {
    const rest = isAnswered ? '; other versions of it answer' : '';
    completeness.notes.push(`block ${row.blockId} was set aside: ${row.aside?.reason}${rest}`);
  }
  const more = blocks.length - NAMED_MAX;
  if (more > 0) completeness.notes.push(`${more} more blocks were set aside`);
}

import { familiesOf, familyIdOf } from '../block/batch-table.ts';
import { isJoined } from '../block/families.ts';
import type { IndexRow } from './query-plan.ts';
import { type TimeSpan, withoutSpans } from './time-span.ts';

// Blocks that lie aside are not read. Most of what one holds may be there all the same, in other versions of its family;
// an answer lacks only what no block of its plan stands for.

/** A block that a question asks for, and that lies aside. */
export interface AsideBlock<Row extends IndexRow = IndexRow> {
  readonly row: Row;
  /** Whether other versions answer for all that is asked of it. */
  readonly isAnswered: boolean;
}

/** A block that is read, and for what. */
interface ReadBlock {
  readonly row: IndexRow;
  readonly spans: readonly TimeSpan[];
  /** The only service that it answers for; absent = all. */
  readonly service?: string;
}

/** Whether blocks that are read stand for all that is asked of one that is not: these services of it, in this range. */
export function isAnsweredBy(
  read: readonly ReadBlock[],
  aside: IndexRow,
  services: Iterable<string>,
  { start, end }: TimeSpan,
): boolean {
  const asked = { start: Math.max(start, aside.minTime), end: Math.min(end, aside.maxTime) };
  const families = familiesIn(aside);
  return [...services].every((service) =>
    families.every((family) => {
      const standing = read.filter(
        ({ row, service: only = service }) =>
          only === service &&
          familiesIn(row).includes(family) &&
          row.datasets.some((dataset) => dataset.service === service),
      );
      return (
        withoutSpans(
          [asked],
          standing.flatMap(({ spans }) => spans),
        ).length === 0
      );
    }),
  );
}

function familiesIn(row: IndexRow): string[] {
  return isJoined(row) ? familiesOf(row.batchIds) : [familyIdOf(row)];
}

import { type Labels, labelsOf } from '../labels/labels.ts';
import { SeriesTable } from '../profile/series-table.ts';

/** Series without some of their labels, in the order of the first of each. */
export interface RolledUpSeries {
  readonly labelSets: readonly Labels[];
  /** Where each series went; absent when none has such a label, and all stay where they are. */
  readonly seriesOf?: Uint32Array;
}

/** @param rollUp names of the labels that series lose: those that agree in all others become one */
export function rolledUpSeries(labelSets: readonly Labels[], rollUp: readonly string[]): RolledUpSeries {
  const isLost = ([name]: Labels[number]) => rollUp.includes(name);
  if (!labelSets.some((labels) => labels.some(isLost))) return { labelSets };
  const kept = new SeriesTable();
  const seriesOf = Uint32Array.from(labelSets, (labels) =>
    kept.intern(labelsOf(labels.filter((label) => !isLost(label)))),
  );
  return { labelSets: kept.labelSets, seriesOf };
}

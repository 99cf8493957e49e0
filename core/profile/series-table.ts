import { type Labels, labelsKey } from '../labels/labels.ts';

/** Distinct label sets of one dataset, numbered from 0 in order of first sight. */
export class SeriesTable {
  readonly labelSets: Labels[] = [];
  readonly #byKey = new Map<string, number>();

  get count(): number {
    return this.labelSets.length;
  }

  intern(labels: Labels): number {
    const key = labelsKey(labels);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const id = this.labelSets.length;
    this.labelSets.push(labels);
    this.#byKey.set(key, id);
    return id;
  }
}

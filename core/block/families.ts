import { familiesOf, familyIdOf } from './batch-table.ts';

// A family is a raw block and its downsampled versions, as their batch tables name it. A joined block sums many.

interface FamilyRow {
  readonly blockId: string;
  readonly resolutionSeconds: number;
  readonly batchIds: readonly string[];
}

/** Whether it sums more than one family. */
export function isJoined(row: FamilyRow): boolean {
  return row.resolutionSeconds > 0 && familiesOf(row.batchIds).length > 1;
}

/** The raw block of each family, as far as it is there, and its downsampled ones; the finest first. */
export function versionsByFamily<Row extends FamilyRow>(rows: readonly Row[]): Map<string, Row[]> {
  const families = new Map<string, Row[]>();
  for (const row of [...rows].sort((a, b) => a.resolutionSeconds - b.resolutionSeconds)) {
    if (isJoined(row)) continue;
    const family = familyIdOf(row);
    const versions = families.get(family);
    if (versions === undefined) families.set(family, [row]);
    else versions.push(row);
  }
  return families;
}

import { familiesOf, familyIdOf, rolledLabelsOf } from './batch-table.ts';

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

/** Labels that a block rolled up. Its row alone tells. */
export function rolledUpIn({ resolutionSeconds, batchIds }: Omit<FamilyRow, 'blockId'>): string[] {
  // Raw blocks have all labels, and long tables.
  return resolutionSeconds === 0 ? [] : rolledLabelsOf(batchIds);
}

/** Whether a block has each of these labels as it was. */
export function hasLabels(row: Omit<FamilyRow, 'blockId'>, labels: readonly string[]): boolean {
  return labels.length === 0 || !rolledUpIn(row).some((label) => labels.includes(label));
}

/** Resolutions from here on are kept equally long. */
const LONG_KEPT_SECONDS = 3600;

/**
 * Whether finer blocks can answer for a step of a joined block. Families that are missing either hold nothing any more
 * or, where others have versions that are kept as long as the joined block itself, are past their time.
 */
export function isAnsweredByFamilies(
  row: FamilyRow,
  versionsOf: ReadonlyMap<string, readonly FamilyRow[]>,
): boolean {
  const families = familiesOf(row.batchIds).map((family) => versionsOf.get(family));
  const isLongKept = ({ resolutionSeconds }: FamilyRow) => resolutionSeconds >= LONG_KEPT_SECONDS;
  return (
    families.every((versions) => versions !== undefined) ||
    families.some((versions) => versions?.some(isLongKept))
  );
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

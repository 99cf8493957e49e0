import { clustersOf, familiesOf, isPartial } from '../block/batch-table.ts';
import { hasLabels, isAnsweredByFamilies, rolledUpIn } from '../block/families.ts';
import type { IndexRow, PlannedBlock, PlanRequest } from './query-plan.ts';
import type { TimeSpan } from './time-span.ts';

// Which blocks can answer a question that depends on labels, when some of them rolled these up.

/** What an answer lacks because it is kept in blocks alone that rolled up a label that it depends on. */
export interface LeftOutTime extends TimeSpan {
  /** Labels that the answer depends on and that are rolled up there. */
  readonly labels: readonly string[];
  /** From which resolution on they are, seconds, as far as the blocks left out show. */
  readonly resolutionSeconds: number;
}

/** Of what a question asks for, the labels that blocks may have rolled up. */
type AskedLabels = Pick<PlanRequest, 'uses' | 'prefers' | 'wantsCluster'>;

/** The versions of a family that can answer, finest first: none when all of them rolled up what the answer depends on. */
export function versionsWithLabels<Row extends IndexRow>(
  versions: readonly Row[],
  { uses = [], prefers = [] }: AskedLabels,
): readonly Row[] {
  const having = versions.filter((row) => hasLabels(row, uses));
  const preferred = having.filter((row) => hasPreferred(row, prefers));
  return preferred.some(isWhole) ? preferred : having;
}

/** Whether a block that sums many families can answer, and none of them answers better. */
export function answersWithLabels<Row extends IndexRow>(
  row: Row,
  versionsOf: ReadonlyMap<string, readonly Row[]>,
  { uses = [], prefers = [] }: AskedLabels,
): boolean {
  if (!hasLabels(row, uses)) return false;
  if (hasPreferred(row, prefers) || !isAnsweredByFamilies(row, versionsOf)) return true;
  const isBetter = (version: Row) => isWhole(version) && hasPreferred(version, prefers);
  return !familiesOf(row.batchIds).some((family) => versionsOf.get(family)?.some(isBetter));
}

/** What of a family only versions have that are not among those that can answer: rows, each with a service or all. */
export function missedVersions<Row extends IndexRow>(
  versions: readonly Row[],
  having: readonly Row[],
  { uses = [], wantsCluster = () => true }: AskedLabels,
): { readonly row: Row; readonly service?: string }[] {
  if (having.some(isWhole)) return [];
  const services = new Set(having.flatMap(servicesOf));
  const clusters = new Set(having.flatMap(({ batchIds }) => clustersOf(batchIds)));
  return versions.flatMap((row) => {
    if (hasLabels(row, uses)) return [];
    const lacksCluster = clustersOf(row.batchIds).some((name) => wantsCluster(name) && !clusters.has(name));
    if (having.length === 0 || lacksCluster) return [{ row }];
    const missed = servicesOf(row).filter((service) => !services.has(service));
    return missed.map((service) => ({ row, service }));
  });
}

/** All of it together; undefined when it is nothing. */
export function leftOutTime(
  blocks: readonly PlannedBlock[],
  { uses = [] }: AskedLabels,
): LeftOutTime | undefined {
  if (blocks.length === 0) return undefined;
  const labels = new Set<string>();
  let [start, end, resolutionSeconds] = [Number.POSITIVE_INFINITY, 0, Number.POSITIVE_INFINITY];
  for (const { row, spans } of blocks) {
    for (const label of rolledUpIn(row)) if (uses.includes(label)) labels.add(label);
    resolutionSeconds = Math.min(resolutionSeconds, row.resolutionSeconds);
    start = Math.min(start, Math.max(row.minTime, spans[0]!.start));
    end = Math.max(end, Math.min(row.maxTime, spans.at(-1)!.end));
  }
  return { start, end, resolutionSeconds, labels: [...labels].sort() };
}

function isWhole({ batchIds }: IndexRow): boolean {
  return !isPartial(batchIds);
}

function hasPreferred(row: IndexRow, prefers: readonly string[] | 'all'): boolean {
  return prefers === 'all' ? rolledUpIn(row).length === 0 : hasLabels(row, prefers);
}

function servicesOf({ datasets }: IndexRow): string[] {
  return datasets.map(({ service }) => service);
}

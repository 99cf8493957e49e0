import {
  clustersOf,
  familyIdOf,
  holeEntry,
  isFamily,
  keptEntry,
  PARTIAL,
} from '../core/block/batch-table.ts';
import type { BlockReader } from '../core/block/block-reader.ts';
import { isJoined, versionsByFamily } from '../core/block/families.ts';
import type { MergeOptions, MergeReport } from '../core/block/merge-blocks.ts';
import type { BlockJob, RewriteJob } from '../core/compaction/plan-rewrites.ts';
import { CLUSTER, type Labels, labelValue, SERVICE_NAME } from '../core/labels/labels.ts';
import type { TimeSpan } from '../core/query/time-span.ts';
import { untoldDeletions } from '../core/retention/deletion-reach.ts';
import { isExpired } from '../core/retention/plan-retention.ts';
import type { Tombstones } from '../core/retention/tombstone.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import type { Hub } from './hub.ts';
import { retentionRules } from './retention-policies.ts';
import { countDeleted, loadTombstones, SETTLE_MS } from './tombstone-store.ts';

/** What a job leaves out of its output, and what the output says of itself. */
export interface JobDeletions {
  readonly merge: Pick<MergeOptions, 'seal' | 'drop' | 'keepsEntry'>;
  readonly family?: string;
  readonly notes?: readonly string[];
  /** Of the output: when the tombstones were read that it obeys. */
  readonly createdAt: number;
}

const ALWAYS: readonly TimeSpan[] = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];
const NEVER: readonly TimeSpan[] = [];

/** Undefined when the job is not to be done, or not yet. */
export async function deletionsOf(
  hub: Hub,
  job: BlockJob,
  inputs: readonly BlockRow[],
  readers: readonly BlockReader[],
): Promise<JobDeletions | undefined> {
  if (job.step === 'expire') return expiryOf(hub, inputs[0]!, readers[0]!);
  const createdAt = hub.clock();
  const tombstones = await loadTombstones(hub);
  if (job.step === 'rewrite') return rewriteOf(job, inputs[0]!, tombstones);
  if (job.step === 'join') return joinOf(hub, inputs, tombstones, createdAt);
  return {
    createdAt,
    merge: {
      seal: job.step === 'seal',
      drop: tombstones.isEmpty ? undefined : (labels) => tombstones.spansOf(labels),
      // What comes of it is a family of its own, whichever its inputs stood for.
      keepsEntry: (entry) => !isFamily(entry),
    },
  };
}

/** Finer blocks may still hold what a deletion takes in part, or what only they can tell: they are rewritten first. */
async function joinOf(
  hub: Hub,
  inputs: readonly BlockRow[],
  tombstones: Tombstones,
  createdAt: number,
): Promise<JobDeletions | undefined> {
  if (inputs.some((row) => !tombstones.concerning(row, SETTLE_MS).isEmpty)) return undefined;
  const concerned = inputs.filter((row) => !tombstones.untoldIn(row, SETTLE_MS).isEmpty);
  if (concerned.length === 0) return { merge: {}, createdAt };
  const from = Math.min(...concerned.map(({ minTime }) => minTime));
  const until = Math.max(...concerned.map(({ maxTime }) => maxTime));
  const families = versionsByFamily(await hub.catalog.find({ tenant: hub.tenant, from, until }));
  const untold = concerned.map((row) => untoldDeletions(row, tombstones, families, SETTLE_MS));
  if (untold.some(({ withinReach }) => withinReach.length > 0)) return undefined;
  const kept = new Set(untold.flatMap(({ outOfReach }) => outOfReach.map(({ id }) => id)));
  return { merge: {}, createdAt, notes: [...kept].map(keptEntry) };
}

function rewriteOf(job: RewriteJob, row: BlockRow, all: Tombstones): JobDeletions {
  const tombstones = all.having(job.tombstoneIds);
  return {
    createdAt: job.plannedAt,
    family: familyIdOf(row),
    notes: [...job.holes.map(holeEntry), ...job.keptIds.map(keptEntry)],
    merge: { drop: (labels) => [...tombstones.spansOf(labels), ...job.holes] },
  };
}

/** Whole series go: those that their policy keeps no longer. The rest of the block, and its versions, stay as they are. */
async function expiryOf(hub: Hub, row: BlockRow, reader: BlockReader): Promise<JobDeletions | undefined> {
  const rules = await retentionRules(hub);
  const now = hub.clock();
  const isGone = (labels: Labels) =>
    isExpired(row, labelValue(labels, CLUSTER), labelValue(labels, SERVICE_NAME), rules, now);
  const kept = new Set<string>();
  let hasExpired = false;
  for (const dataset of reader.directory.datasets) {
    for (const labels of await reader.labelSets(dataset)) {
      if (isGone(labels)) hasExpired = true;
      else kept.add(labelValue(labels, CLUSTER));
    }
  }
  if (!hasExpired) return undefined;
  return {
    createdAt: row.createdAt,
    family: familyIdOf(row),
    notes: isJoined(row) ? [] : [PARTIAL],
    merge: {
      // Batches of its time can come no more, and it must not be merged again: its versions hold more than it does.
      seal: true,
      drop: (labels) => (isGone(labels) ? ALWAYS : NEVER),
      keepsEntry: (entry) => {
        const [cluster] = clustersOf([entry]);
        return cluster === undefined || kept.has(cluster);
      },
    },
  };
}

/** Records what a job took out, once it is done. */
export async function recordDeleted(
  hub: Hub,
  job: BlockJob,
  inputs: readonly BlockRow[],
  { deletedBy, deletedSamples }: MergeReport,
): Promise<void> {
  if (deletedBy.size === 0) return;
  hub.telemetry.count('deleted_samples_total', deletedSamples, { step: job.step });
  const counts = new Map<string, { rows: number; samples: number }>();
  // What a joined block sums is counted where its families are rewritten.
  const isCounted = !inputs.some(isJoined);
  for (const [span, counted] of deletedBy)
    if ('id' in span) counts.set(span.id as string, isCounted ? counted : { rows: 0, samples: 0 });
  await countDeleted(hub, counts);
}

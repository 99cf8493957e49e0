import type { CompactionJob } from '../core/compaction/plan-compaction.ts';
import type { CopyJob } from '../core/compaction/plan-rewrites.ts';

/** What a plan says there is to do. */
export type PlannedJob = CompactionJob | CopyJob;

/** First field of every message. One with another number is of another version of this code. */
const VERSION = 1;

/** A job as text: its group and the ids of its blocks, so 3 KB for the most that one swap takes. */
export function toJobMessage(job: PlannedJob): string {
  return JSON.stringify({ v: VERSION, ...job });
}

/** The job of a message, or undefined when it is none of ours. */
export function fromJobMessage(text: string): PlannedJob | undefined {
  try {
    const { v, ...job } = JSON.parse(text);
    return v === VERSION && isJob(job) ? job : undefined;
  } catch {
    return undefined;
  }
}

/** Steps are not told apart here: what a version of this code sends, the same version takes. */
function isJob(job: Partial<Record<keyof CompactionJob | 'salvage', unknown>>): boolean {
  return (
    (job.step === 'copy') === (typeof job.salvage === 'boolean') &&
    [job.group, job.step].every(isText) &&
    [job.level, job.resolutionSeconds].every(isCount) &&
    isListOf(job.blockIds, isText) &&
    isListOf(job.versionIds, isText) &&
    isListOf(job.downsampleTo, isCount) &&
    (job.shards === undefined || isCount(job.shards))
  );
}

const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isListOf = (value: unknown, isItem: (item: unknown) => boolean) =>
  Array.isArray(value) && value.every(isItem);

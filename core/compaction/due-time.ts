import type { CompactionRules } from './compaction-rules.ts';
import type { CompactionInput, CompactionJob } from './plan-compaction.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Since when a job could have been done, about, in ms: since its newest block is there and its range is over for so long as
 * the rules ask for. So a day that has just become old enough to be sealed waits for nobody yet, however old its blocks are.
 * @param blocks the job's inputs, one at least
 */
export function dueSince(
  { step, resolutionSeconds }: Pick<CompactionJob, 'step' | 'resolutionSeconds'>,
  blocks: readonly Pick<CompactionInput, 'minTime' | 'createdAt'>[],
  rules: CompactionRules,
): number {
  const newest = blocks.reduce((latest, { createdAt }) => Math.max(latest, createdAt), 0);
  const endOf = (lengthMs: number) => (Math.floor(blocks[0]!.minTime / lengthMs) + 1) * lengthMs;
  switch (step) {
    case 'gather':
      return newest;
    case 'split':
    case 'close':
      return Math.max(newest, endOf(HOUR_MS) + rules.closeAfterMs);
    case 'seal':
      return Math.max(newest, endOf(DAY_MS) + rules.sealAfterMs);
    case 'join': {
      const rule = rules.resolutions.find(({ seconds }) => seconds === resolutionSeconds);
      return Math.max(newest, endOf(rule?.joinMs || DAY_MS) + rules.sealAfterMs);
    }
  }
}

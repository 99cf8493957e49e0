import type { TreeHeader } from '../../../core/flamegraph/tree-header.ts';
import type { Completeness } from '../../../core/query/completeness.ts';
import { formatBytes, formatCount, formatShare, formatValue } from './format.ts';
import { ageText, dayText, durationToText, timeText } from './time-range.ts';

export interface CompletenessFact {
  /** The API's own field name, so that what is on the page can be found in an answer. */
  field: string;
  label: string;
  value: string;
  isProblem: boolean;
}

/** "Complete" or what is missing, shortest first. */
export function completenessSummary(completeness: Completeness): string {
  if (completeness.complete && completeness.samplesLost === 0) return 'Complete';
  const parts: string[] = [];
  if (completeness.missingBlocks > 0) parts.push(plural(completeness.missingBlocks, 'block', 'missing'));
  if (completeness.corruptBlocks > 0) parts.push(plural(completeness.corruptBlocks, 'block', 'corrupt'));
  if (completeness.asideBlocks > 0) parts.push(plural(completeness.asideBlocks, 'block', 'set aside'));
  if (completeness.continueBefore !== undefined) parts.push('the newest part only');
  if (completeness.samplesLost > 0) parts.push(`${lostShare(completeness)} of samples lost`);
  const word = completeness.complete ? 'Complete' : 'Partial';
  return parts.length === 0 ? word : `${word}: ${parts.join(', ')}`;
}

function plural(count: number, noun: string, state: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'} ${state}`;
}

export function lostShare({ samples, samplesLost }: Completeness): string {
  return formatShare(samplesLost, samples + samplesLost);
}

export function completenessFacts(header: TreeHeader, utc: boolean): CompletenessFact[] {
  const { completeness: c, trimmed } = header;
  const fact = (field: string, label: string, value: string, isProblem = false) => ({
    field,
    label,
    value,
    isProblem,
  });
  const share = formatShare(trimmed.value * header.scale, Number(header.total));
  const begins = c.continueBefore ?? header.start;
  return [
    fact('complete', 'All data there', c.complete ? 'yes' : 'no', !c.complete),
    fact('samples', 'Samples', formatCount(c.samples)),
    fact(
      'samplesLost',
      'Samples known lost',
      `${formatCount(c.samplesLost)} (${lostShare(c)})`,
      c.samplesLost > 0,
    ),
    fact('missingBlocks', 'Blocks missing', String(c.missingBlocks), c.missingBlocks > 0),
    fact('corruptBlocks', 'Blocks corrupt', String(c.corruptBlocks), c.corruptBlocks > 0),
    fact('asideBlocks', 'Blocks set aside', String(c.asideBlocks), c.asideBlocks > 0),
    fact('lagMs', 'Newest sample', c.lagMs < 0 ? 'unknown' : `${ageText(c.lagMs)} ago`, c.lagMs > 5 * 60_000),
    fact(
      'resolutionSeconds',
      'Resolution',
      c.resolutionSeconds === 0 ? 'raw windows' : `steps of up to ${durationToText(c.resolutionSeconds)}`,
    ),
    fact('coveredMs', 'Time with data', ageText(c.coveredMs)),
    fact(
      'continueBefore',
      'Reaches back to',
      `${dayText(begins, utc)} ${timeText(begins, utc, true)}`,
      c.continueBefore !== undefined,
    ),
    fact('blocksRead', 'Blocks read', formatCount(c.blocksRead)),
    fact('bytesRead', 'Bytes read', formatBytes(c.bytesRead)),
    fact('nodes', 'Frames', formatCount(header.nodes)),
    fact(
      'trimmed',
      'Frames trimmed',
      trimmed.nodes === 0
        ? 'none'
        : `${formatCount(trimmed.nodes)} (${formatValue(trimmed.value * header.scale, header.unit)}, ${share})`,
    ),
    fact('rounded', 'Values rounded', header.rounded ? 'yes' : 'no', header.rounded),
  ];
}

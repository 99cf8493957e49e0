import type { Completeness } from '../../core/query/completeness.ts';
import { bytesText, counted, durationText } from '../quantity.ts';
import { styled, type Terminal } from '../terminal.ts';

/**
 * How complete an answer is, in one line and one more per note, in the words of the API.
 * @param goOn the command that asks for what is older, given where a cut answer begins
 */
export function completenessText(
  completeness: Completeness,
  terminal: Pick<Terminal, 'color'>,
  goOn: (before: number) => string,
): string {
  const { complete, blocksRead, bytesRead, missingBlocks, corruptBlocks, asideBlocks, samples } =
    completeness;
  const { samplesLost, lagMs, resolutionSeconds, continueBefore, notes } = completeness;
  const facts = [
    counted(samples, 'sample'),
    `${counted(blocksRead, 'block')} read (${bytesText(bytesRead)})`,
    missingBlocks > 0 && `${counted(missingBlocks, 'block')} missing`,
    corruptBlocks > 0 && `${counted(corruptBlocks, 'block')} corrupt`,
    asideBlocks > 0 && `${counted(asideBlocks, 'block')} set aside`,
    samplesLost > 0 && `${counted(samplesLost, 'sample')} lost`,
    `lag ${lagMs < 0 ? 'unknown' : durationText(lagMs)}`,
    `resolution ${resolutionSeconds === 0 ? 'raw' : durationText(resolutionSeconds * 1000)}`,
  ].filter((fact) => fact !== false);
  const word = complete ? styled(terminal, 'green', 'complete') : styled(terminal, 'yellow', 'incomplete');
  const lines = [`${word}: ${facts.join(', ')}`, ...notes.map((note) => `  ${note}`)];
  if (continueBefore !== undefined) lines.push(`  what is older: ${goOn(continueBefore)}`);
  return lines.join('\n');
}

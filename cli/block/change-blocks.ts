import { confirmed } from '../confirm.ts';
import { ExitCode } from '../exit-code.ts';
import { bytesText, count, counted, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';
import type { BlockKeeper, KeptBlock, LostPart, Rewrite } from './block-keeper.ts';
import { resolutionText } from './show-blocks.ts';

/** What the verbs that change blocks are asked. */
export interface ChangeRequest {
  readonly ids: readonly string[];
  readonly dryRun: boolean;
  readonly isJson: boolean;
}

/** Writes blocks anew, one after the other. Answers the exit code: 5 when one is damaged and stays as it is. */
export async function rewriteBlocks(
  keeper: BlockKeeper,
  { ids, isJson, ...request }: ChangeRequest & { readonly salvage: boolean; readonly wait: boolean },
  terminal: Terminal,
): Promise<number> {
  const rewrites: Rewrite[] = [];
  for (const [index, blockId] of ids.entries()) {
    terminal.signal.throwIfAborted();
    terminal.progress(`rewriting ${index + 1} of ${ids.length}: ${blockId}`);
    const rewrite = await keeper.rewrite({ blockId, ...request });
    rewrites.push(rewrite);
    if (!isJson) await terminal.write(rewriteText(rewrite, request.dryRun, terminal));
  }
  if (isJson) await terminal.write(jsonText({ rewrites, dryRun: request.dryRun }));
  if (rewrites.some(({ isDamaged }) => isDamaged)) return ExitCode.corrupt;
  return rewrites.some(({ problem }) => problem !== undefined) ? ExitCode.refused : ExitCode.ok;
}

function rewriteText(rewrite: Rewrite, dryRun: boolean, terminal: Terminal): string {
  const { blockId, newBlockId, problem, isCurrent, isWaiting, lost } = rewrite;
  if (problem !== undefined) return `${blockId} ${styled(terminal, 'red', 'stays as it is')}: ${problem}\n`;
  if (isWaiting) return `${blockId} will be rewritten\n`;
  if (isCurrent) return `${blockId} is in the current format already\n`;
  const sizes = `${bytesText(rewrite.bytesAfter)} instead of ${bytesText(rewrite.bytesBefore)}`;
  const what = dryRun ? 'would be rewritten' : `is ${newBlockId} now`;
  if (lost.length === 0) return `${blockId} ${what}: ${sizes}, and equal\n`;
  const rest = dryRun
    ? ''
    : `${blockId} is in quarantine: \`block restore\` puts it back instead, \`block discard\` gives it up\n`;
  return `${blockId} ${what}: ${sizes}\n${lostText(lost)}${rest}`;
}

/** What a copy lacks, a line each. */
export function lostText(lost: readonly LostPart[]): string {
  const lines = lost.map(({ service, profileType, rows, samples, total, minTime, maxTime, problem }) => {
    const sums = `${counted(rows, 'row')}, ${counted(samples, 'sample')}, total ${total}`;
    return `  lost: ${service} ${profileType}, ${sums}, ${timeText(minTime)} to ${timeText(maxTime)}: ${problem}\n`;
  });
  return lines.join('');
}

/** Takes blocks out of all answers, damaged ones or those that a reason is given for. */
export async function quarantineBlocks(
  keeper: BlockKeeper,
  request: ChangeRequest & { readonly reason: string | undefined; readonly yes: boolean },
  terminal: Terminal,
): Promise<number> {
  const { ids, dryRun, isJson, reason, yes } = request;
  const leaving: KeptBlock[] = [];
  for (const blockId of ids) {
    terminal.signal.throwIfAborted();
    terminal.progress(`verifying ${blockId}`);
    leaving.push(await keeper.quarantine({ blockId, dryRun: true, ...(reason !== undefined && { reason }) }));
  }
  const consequence = `Answers will lack ${counted(leaving.length, 'block')} until \`block restore\``;
  if (!dryRun && !(await confirmed(terminal, yes, consequence))) return ExitCode.refused;
  for (const { blockId, reason } of leaving) {
    terminal.signal.throwIfAborted();
    if (!dryRun) await keeper.quarantine({ blockId, reason, dryRun });
    const verb = dryRun ? 'would go to quarantine' : 'is in quarantine';
    if (!isJson) await terminal.write(`${blockId} ${verb}: ${reason}\n`);
  }
  const quarantined = leaving.map(({ blockId, reason }) => ({ blockId, reason }));
  if (isJson) await terminal.write(jsonText({ quarantined, dryRun }));
  return ExitCode.ok;
}

/** What is in quarantine. */
export async function showQuarantinedBlocks(
  keeper: BlockKeeper,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const blocks = await keeper.list();
  if (isJson) await terminal.write(jsonText({ blocks }));
  else if (blocks.length === 0) terminal.note('no block is in quarantine');
  else await terminal.write(blocks.map((block) => keptText(block, terminal)).join(''));
  return ExitCode.ok;
}

function keptText(block: KeptBlock, terminal: Terminal): string {
  const { blockId, level, resolutionSeconds, minTime, maxTime, bytes, reason, quarantinedAt } = block;
  const what = `level ${level}, ${resolutionText(resolutionSeconds)}, ${timeText(minTime)} to ${timeText(maxTime)}`;
  const since = `${bytesText(bytes)}, since ${timeText(quarantinedAt)}`;
  return `${styled(terminal, 'bold', blockId)}\n  ${what}, ${since}\n  ${reason}\n`;
}

/** Puts blocks back as they were. */
export async function restoreBlocks(
  keeper: BlockKeeper,
  { ids, isJson }: Pick<ChangeRequest, 'ids' | 'isJson'>,
  terminal: Terminal,
): Promise<number> {
  const restored = [];
  for (const blockId of ids) {
    terminal.signal.throwIfAborted();
    const { problem, replaced } = await keeper.restore(blockId);
    restored.push({ blockId, problem, replaced });
    const instead = replaced.length === 0 ? '' : ` instead of ${replaced.join(', ')}`;
    const damage = problem === undefined ? '' : `, and damaged: ${problem}`;
    if (!isJson) await terminal.write(`${blockId} is back${instead}${damage}\n`);
  }
  if (isJson) await terminal.write(jsonText({ restored }));
  return ExitCode.ok;
}

/** Gives blocks in quarantine up. */
export async function discardBlocks(
  keeper: BlockKeeper,
  { ids, dryRun, isJson, yes }: ChangeRequest & { readonly yes: boolean },
  terminal: Terminal,
): Promise<number> {
  const leaving: KeptBlock[] = [];
  for (const blockId of ids) leaving.push(await keeper.discard({ blockId, dryRun: true }));
  const bytes = leaving.reduce((sum, block) => sum + block.bytes, 0);
  const consequence = `For good: ${counted(leaving.length, 'block')}, ${bytesText(bytes)}, will be deleted`;
  if (!dryRun && !(await confirmed(terminal, yes, consequence))) return ExitCode.refused;
  for (const { blockId } of leaving) {
    terminal.signal.throwIfAborted();
    if (!dryRun) await keeper.discard({ blockId, dryRun });
  }
  const text = `${count(leaving.length)} ${dryRun ? 'would be ' : ''}discarded\n`;
  const discarded = leaving.map(({ blockId, reason }) => ({ blockId, reason }));
  await terminal.write(isJson ? jsonText({ discarded, dryRun }) : text);
  return ExitCode.ok;
}

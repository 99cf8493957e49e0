import { RetryableError } from '../../core/errors.ts';
import type { AdminClient, DeletionInfo } from '../admin-client.ts';
import { confirmed } from '../confirm.ts';
import { ExitCode, UsageError } from '../exit-code.ts';
import { count, counted, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';
import { cutText } from '../text-table.ts';
import { parseTime } from '../time-argument.ts';

export interface DeletionValues {
  readonly selector?: string;
  readonly from?: string;
  readonly until?: string;
  readonly reason?: string;
  readonly 'dry-run': boolean;
  readonly yes: boolean;
}

/** What `retention delete` is asked; nothing of it has a default. */
interface DeletionRequest {
  readonly selector: string;
  readonly start: string;
  readonly end: string;
  readonly reason: string;
}

/** Says what a deletion takes, asks, and deletes. */
export async function deleteProfiles(
  admin: AdminClient,
  values: DeletionValues,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const request = requestOf(values, terminal.now());
  terminal.progress('counting');
  const found = await admin.call('DeleteProfiles', { ...request, dryRun: true });
  const { selector, start, end } = request;
  const least = found.complete ? '' : 'at least ';
  const what =
    `${least}${counted(Number(found.samples), 'sample')} in ${counted(Number(found.blocks), 'block')} of ` +
    `${selector} from ${timeText(Number(start))} to ${timeText(Number(end))}`;
  const outOfReachBlocks = Number(found.outOfReachBlocks);
  const numbers = {
    ...request,
    samples: Number(found.samples),
    blocks: Number(found.blocks),
    outOfReachBlocks,
  };
  const stays = outOfReachBlocks === 0 ? '' : `${outOfReachText(outOfReachBlocks)}\n`;
  if (values['dry-run']) {
    const { complete } = found;
    await terminal.write(
      isJson ? jsonText({ ...numbers, complete, dryRun: true }) : `would delete ${what}\n${stays}`,
    );
    return ExitCode.ok;
  }
  if (stays !== '') terminal.note(stays.trimEnd());
  if (!(await confirmed(terminal, values.yes, `For good: ${what} will be deleted`))) return ExitCode.refused;
  const { id, samples, blocks, complete } = await admin.call('DeleteProfiles', request);
  const done = {
    ...request,
    id,
    samples: Number(samples),
    blocks: Number(blocks),
    complete,
    outOfReachBlocks,
  };
  const text =
    `${id}: ${what} are gone from every answer\n` +
    'blocks follow within hours; `cinderblock retention deletions` says how far that is\n';
  await terminal.write(isJson ? jsonText(done) : text);
  return ExitCode.ok;
}

/** Of blocks that cannot tell what is deleted from the rest. */
function outOfReachText(blocks: number): string {
  const [have, go, they] = blocks === 1 ? ['has', 'goes', 'it is'] : ['have', 'go', 'they are'];
  return (
    `${counted(blocks, 'block')} ${have} a label rolled up that the selector asks for, and ${go} on summing ` +
    `what it names for as long as ${they} kept`
  );
}

function requestOf({ selector, from, until, reason }: DeletionValues, now: number): DeletionRequest {
  if (selector === undefined) throw new UsageError('say with --selector what to delete');
  if (from === undefined || until === undefined)
    throw new UsageError('say with --from and --until which time to delete');
  if (!reason?.trim()) throw new UsageError('say with --reason why: it stays in the list of deletions');
  const [start, end] = [parseTime('--from', from, now), parseTime('--until', until, now)];
  if (start >= end)
    throw new UsageError(`--from (${timeText(start)}) must lie before --until (${timeText(end)})`);
  return { selector, start: String(start), end: String(end), reason: reason.trim() };
}

/**
 * Lists deletions, and with `verify` reads all blocks of one. Answers the exit code: 5 when blocks hold something of it
 * that should be gone, or go on holding it out of reach, or cannot be read.
 * @throws RetryableError when blocks still hold something of it, and may until they are rewritten
 */
export async function listDeletions(
  admin: AdminClient,
  { verify, isJson }: { verify: string | undefined; isJson: boolean },
  terminal: Terminal,
): Promise<number> {
  terminal.progress(verify === undefined ? 'reading' : 'reading blocks');
  const answer = await admin.call('ListDeletions', { verify: verify ?? '' });
  const deletions = answer.deletions.filter(({ id }) => verify === undefined || id === verify);
  if (isJson) await terminal.write(jsonText({ deletions }));
  else if (deletions.length === 0) terminal.note('nothing was deleted');
  else await terminal.write(deletions.map((deletion) => deletionText(deletion, terminal)).join(''));
  const [verified] = deletions;
  return verify === undefined || verified === undefined ? ExitCode.ok : verdictOf(verified);
}

function deletionText(deletion: DeletionInfo, terminal: Terminal): string {
  const { id, selector, start, end, reason, createdAtMs, check } = deletion;
  const outOfReach = Number(deletion.outOfReachBlocks);
  const lines = [
    `${id}  ${selector}, ${timeText(Number(start))} to ${timeText(Number(end))}`,
    `  ${timeText(Number(createdAtMs))}: ${reason}`,
    `  ${progressText(deletion)}`,
    ...(outOfReach === 0 ? [] : [`  ${outOfReachText(outOfReach)}`]),
    ...(check === undefined ? [] : [`  ${checkText(check)}`, ...check.unread.map((block) => `  ${block}`)]),
  ];
  const [head, ...rest] = lines.map((line) => `${cutText(line, terminal.width)}\n`);
  return `${styled(terminal, 'bold', head!)}${rest.join('')}`;
}

function progressText({ doneAtMs, pendingBlocks, rewrittenBlocks, deletedSamples }: DeletionInfo): string {
  const gone = `${counted(Number(deletedSamples), 'sample')} left ${counted(Number(rewrittenBlocks), 'block')}`;
  if (doneAtMs !== undefined) return `done at ${timeText(Number(doneAtMs))}: ${gone}`;
  const pending = Number(pendingBlocks);
  if (pending === 0) return `in force: ${gone}, none is known to hold any of it`;
  return `in force: ${gone}, ${count(pending)} may still hold some`;
}

function checkText({ blocks, rows, samples, unread }: NonNullable<DeletionInfo['check']>): string {
  const read = `verified: ${counted(Number(blocks), 'block')} read`;
  const left =
    Number(rows) === 0
      ? 'none holds any of it'
      : `${counted(Number(rows), 'row')} with ${counted(Number(samples), 'sample')} are still in them`;
  return `${read}, ${left}${unread.length > 0 ? `; ${count(unread.length)} could not be read:` : ''}`;
}

function verdictOf({ id, check, doneAtMs, outOfReachBlocks }: DeletionInfo): number {
  if (check === undefined) return ExitCode.ok;
  if (check.unread.length > 0 || Number(outOfReachBlocks) > 0) return ExitCode.corrupt;
  if (Number(check.rows) === 0) return ExitCode.ok;
  if (doneAtMs !== undefined) return ExitCode.corrupt;
  throw new RetryableError(`blocks still hold samples of ${id}: verify again once they are rewritten`);
}

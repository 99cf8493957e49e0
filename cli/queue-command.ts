import { AdminClient } from './admin-client.ts';
import { type Command, oneOf, readOptions, wholeNumber } from './command.ts';
import { CONFIRM_HELP, confirmed, confirmOptions } from './confirm.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, hubOptions } from './hub-client.ts';
import { bytesText, count, counted, durationText, timeText } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './text-table.ts';

export const queueCommand: Command = {
  name: 'queue',
  summary: 'batches that wait, that failed, and that were set aside',
  help: `Usage: cinderblock queue VERB [ID…] [options]

  status              how many batches wait, are being stored, and were tried too often
  dead                list dead letters: batches that were tried as often as they may be, and not stored
  redrive ID…|--all   let processors try dead letters again
  quarantined         list batches that can never be stored as they are, with the reason
  requeue ID…         let processors try batches out of quarantine again
  discard ID…|--all   delete batches for good, by their ids in either list; --all means all dead letters

  --limit N         most that are listed (default 100)
  --output FORMAT   text (default) or json
${HUB_HELP}

discard
${CONFIRM_HELP}
`,
  run: runQueue,
};

const options = {
  ...hubOptions,
  ...confirmOptions,
  output: { type: 'string', default: 'text' },
  limit: { type: 'string', default: '100' },
  all: { type: 'boolean', default: false },
} as const;

/** Most entries that every host lists at once. */
const LIMIT_MAX = 500;

interface Ask {
  readonly admin: AdminClient;
  readonly ids: readonly string[];
  readonly all: boolean;
  readonly yes: boolean;
  readonly limit: number;
  readonly isJson: boolean;
  readonly terminal: Terminal;
}

const VERBS = {
  status: showStatus,
  dead: listDead,
  redrive: redriveDead,
  quarantined: listQuarantined,
  requeue: requeueQuarantined,
  discard: discardBatches,
} satisfies Record<string, (ask: Ask) => Promise<number>>;

async function runQueue(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const verb = oneOf('the verb', positionals[0] ?? '', Object.keys(VERBS) as (keyof typeof VERBS)[]);
  const isJson = oneOf('--output', values.output, ['text', 'json']) === 'json';
  const ids = positionals.slice(1);
  const { all, yes } = values;
  checkIds(verb, ids, all);
  const limit = wholeNumber('--limit', values.limit, 1, LIMIT_MAX);
  const admin = new AdminClient(values, terminal);
  return VERBS[verb]({ admin, ids, all, yes, limit, isJson, terminal });
}

function checkIds(verb: keyof typeof VERBS, ids: readonly string[], all: boolean): void {
  const takesIds = verb === 'redrive' || verb === 'requeue' || verb === 'discard';
  if (!takesIds && ids.length > 0) throw new UsageError(`"${ids[0]}" is one word too many`);
  const takesAll = verb === 'redrive' || verb === 'discard';
  if (all && !takesAll) throw new UsageError(`${verb} knows no --all`);
  if (takesIds && all === ids.length > 0) {
    throw new UsageError(`name the ids${takesAll ? ', or pass --all, and not both' : ''}`);
  }
}

async function showStatus({ admin, isJson, terminal }: Ask): Promise<number> {
  const { visible, inFlight, dead, oldestMs } = await admin.call('GetQueue', { limit: 0 });
  const numbers = { visible: Number(visible), inFlight: Number(inFlight), dead: Number(dead) };
  if (isJson) {
    await terminal.write(jsonText({ ...numbers, oldestMs: Number(oldestMs) }));
    return ExitCode.ok;
  }
  const oldest = Number(oldestMs) > 0 ? `, the oldest for ${durationText(Number(oldestMs))}` : '';
  await terminal.write(
    `${counted(numbers.visible, 'batch', 'batches')} waiting${oldest}\n` +
      `${counted(numbers.inFlight, 'batch', 'batches')} being stored\n` +
      `${counted(numbers.dead, 'dead letter')}\n`,
  );
  return ExitCode.ok;
}

async function listDead({ admin, limit, isJson, terminal }: Ask): Promise<number> {
  const { deadLetters, dead } = await admin.call('GetQueue', { limit });
  if (isJson) await terminal.write(jsonText({ deadLetters }));
  else if (deadLetters.length === 0) terminal.note('there are no dead letters');
  else {
    const columns = [
      { title: 'id' },
      { title: 'batch' },
      { title: 'bytes', align: 'right' },
      { title: 'tries', align: 'right' },
      { title: 'received' },
      { title: 'dead since' },
    ] as const;
    const rows = deadLetters.map(({ id, batchId, bytes, receiveCount, receivedAtMs, deadAtMs }) => [
      id,
      batchId,
      Number(bytes) > 0 ? bytesText(Number(bytes)) : 'in store',
      count(receiveCount),
      timeText(Number(receivedAtMs)),
      timeText(Number(deadAtMs)),
    ]);
    await terminal.write(textTable(columns, rows, terminal.width));
    const more = Number(dead) - deadLetters.length;
    if (more > 0) terminal.note(`${count(more)} more; --limit shows more`);
  }
  return ExitCode.ok;
}

async function redriveDead({ admin, ids, all, isJson, terminal }: Ask): Promise<number> {
  const { redriven } = await admin.call('RedriveDeadLetters', all ? { all } : { ids });
  await tell(
    { redriven: Number(redriven) },
    `${counted(Number(redriven), 'dead letter')} will be tried again\n`,
    isJson,
    terminal,
  );
  return ExitCode.ok;
}

async function listQuarantined({ admin, limit, isJson, terminal }: Ask): Promise<number> {
  const { batches } = await admin.call('ListQuarantine', { limit });
  if (isJson) await terminal.write(jsonText({ batches }));
  else if (batches.length === 0) terminal.note('nothing is in quarantine');
  else {
    const lines = batches.map(
      ({ id, batchId, bytes, quarantinedAtMs, reason }) =>
        `${id}\n  ${batchId}, ${bytesText(Number(bytes))}, since ${timeText(Number(quarantinedAtMs))}\n  ${printable(reason)}\n`,
    );
    await terminal.write(lines.join(''));
  }
  return ExitCode.ok;
}

async function requeueQuarantined({ admin, ids, isJson, terminal }: Ask): Promise<number> {
  for (const id of ids) await admin.call('RequeueQuarantined', { id });
  const text = `${counted(ids.length, 'batch', 'batches')} will be tried again\n`;
  await tell({ requeued: ids.length }, text, isJson, terminal);
  return ExitCode.ok;
}

/** Ids of quarantine have a slash after the cluster; those of dead letters have none. */
async function discardBatches({ admin, ids, all, yes, isJson, terminal }: Ask): Promise<number> {
  const what = all ? 'All dead letters' : counted(ids.length, 'batch', 'batches');
  if (!(await confirmed(terminal, yes, `${what} will be deleted for good, with their samples`))) {
    return ExitCode.refused;
  }
  const quarantined = ids.filter((id) => id.includes('/'));
  const dead = ids.filter((id) => !id.includes('/'));
  for (const id of quarantined) await admin.call('DiscardQuarantined', { id });
  let discarded = quarantined.length;
  if (all || dead.length > 0) {
    const answer = await admin.call('DiscardDeadLetters', all ? { all } : { ids: dead });
    discarded += Number(answer.discarded);
  }
  await tell({ discarded }, `${counted(discarded, 'batch', 'batches')} deleted\n`, isJson, terminal);
  return ExitCode.ok;
}

function tell(numbers: object, text: string, isJson: boolean, terminal: Terminal): Promise<void> {
  return terminal.write(isJson ? jsonText(numbers) : text);
}

/** Reasons quote what came from elsewhere. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

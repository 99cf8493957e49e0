import { readFile } from 'node:fs/promises';
import { RetryableError } from '../core/errors.ts';
import { AdminClient } from './admin-client.ts';
import { type Command, oneOf, readOptions } from './command.ts';
import { CONFIRM_HELP, confirmed, confirmOptions } from './confirm.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, hubOptions } from './hub-client.ts';
import { bytesText, count, counted } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import { deleteProfiles, listDeletions } from './retention/delete-profiles.ts';
import { policyTexts, readPolicyFile } from './retention/policy-file.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './text-table.ts';

const VERBS = ['show', 'set', 'plan', 'apply', 'delete', 'deletions'] as const;

export const retentionCommand: Command = {
  name: 'retention',
  summary: 'how long profiles are kept, and deleting some of them',
  help: `Usage: cinderblock retention VERB [options]

  show        the policies in force; as json, a file for set
  set FILE    replace all policies by those of a file:
              {"policies": [{"selector": "{cluster=\\"dev\\"}", "raw": "7d", "5m": "30d", "1h": "90d"}]}
  plan        what is past its time now, and would be dropped
  apply       drop it now, instead of at the next round
  delete      delete what a selector names in a range of time: at once from answers, within hours from blocks
  deletions   what was deleted, why, and how far that is

  --output FORMAT   text (default) or json
${HUB_HELP}

delete
  --selector '{…}'    what, such as '{service_name="shop",pod="a"}'; every profile type of it
  --from T --until T  windows that begin in that range
  --reason TEXT       why: it is kept with the deletion
  --dry-run           only say how much that is

deletions
  --verify ID         read all blocks of one deletion; exit code 5 when they hold what should be gone, 4 while they may

set, apply, delete
${CONFIRM_HELP}
`,
  run: runRetention,
};

const options = {
  ...hubOptions,
  ...confirmOptions,
  output: { type: 'string', default: 'text' },
  selector: { type: 'string' },
  from: { type: 'string' },
  until: { type: 'string' },
  reason: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  verify: { type: 'string' },
} as const;

interface Ask {
  readonly admin: AdminClient;
  readonly yes: boolean;
  readonly isJson: boolean;
  readonly terminal: Terminal;
}

async function runRetention(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const verb = oneOf('the verb', positionals[0] ?? '', VERBS);
  const [file, ...more] = positionals.slice(1);
  const extra = verb === 'set' ? more[0] : file;
  if (extra !== undefined) throw new UsageError(`"${extra}" is one word too many`);
  if (values['dry-run'] && verb !== 'delete')
    throw new UsageError(`${verb} knows no --dry-run${verb === 'apply' ? '; see `plan`' : ''}`);
  const isJson = oneOf('--output', values.output, ['text', 'json']) === 'json';
  const admin = new AdminClient(values, terminal);
  const ask: Ask = { admin, yes: values.yes, isJson, terminal };
  switch (verb) {
    case 'show':
      return showPolicies(ask);
    case 'set':
      return setPolicies(ask, file);
    case 'plan':
      return planRetention(ask);
    case 'apply':
      return applyRetention(ask);
    case 'delete':
      return deleteProfiles(admin, values, isJson, terminal);
    case 'deletions':
      return listDeletions(admin, { verify: values.verify, isJson }, terminal);
  }
}

async function showPolicies({ admin, isJson, terminal }: Ask): Promise<number> {
  const shown = policyTexts(await admin.call('GetRetention', {}));
  if (isJson) await terminal.write(jsonText(shown));
  else {
    const columns = [
      { title: 'selector' },
      { title: 'raw', align: 'right' },
      { title: '5 min', align: 'right' },
      { title: '1 h and 1 d', align: 'right' },
    ] as const;
    const rows = [...shown.policies, { selector: 'all else', ...shown.fallback }].map((policy) => [
      policy.selector,
      policy.raw,
      policy['5m'],
      policy['1h'],
    ]);
    await terminal.write(textTable(columns, rows, terminal.width));
  }
  return ExitCode.ok;
}

async function setPolicies({ admin, yes, isJson, terminal }: Ask, file: string | undefined): Promise<number> {
  if (file === undefined) throw new UsageError('name the file with the policies');
  const policies = readPolicyFile(await readFile(file, 'utf8'));
  const before = (await admin.call('GetRetention', {})).policies.length;
  const consequence =
    `${counted(policies.length, 'policy', 'policies')} will replace ${count(before)}, ` +
    'and what they keep no longer is deleted from the next round on';
  if (!(await confirmed(terminal, yes, consequence))) return ExitCode.refused;
  const shown = policyTexts(await admin.call('SetRetention', { policies }));
  const text = `${counted(policies.length, 'policy', 'policies')} in force; \`retention plan\` says what they drop\n`;
  await terminal.write(isJson ? jsonText(shown) : text);
  return ExitCode.ok;
}

async function planRetention({ admin, isJson, terminal }: Ask): Promise<number> {
  terminal.progress('planning');
  const plan = numbersOf(await admin.call('ApplyRetention', { dryRun: true }));
  const text =
    `${expiredText(plan)} would be dropped\n` +
    `${counted(plan.partlyBlocks, 'block')} of ${bytesText(plan.partlyBytes)} would be looked through, and rewritten ` +
    'without what is past its time\n';
  await terminal.write(isJson ? jsonText({ ...plan, dryRun: true }) : text);
  return ExitCode.ok;
}

async function applyRetention({ admin, yes, isJson, terminal }: Ask): Promise<number> {
  const plan = numbersOf(await admin.call('ApplyRetention', { dryRun: true }));
  if (plan.expiredBlocks + plan.partlyBlocks > 0) {
    const consequence = `For good: ${expiredText(plan)} will be dropped, ${count(plan.partlyBlocks)} rewritten`;
    if (!(await confirmed(terminal, yes, consequence))) return ExitCode.refused;
  }
  terminal.progress(`dropping ${counted(plan.expiredBlocks, 'block')}`);
  const { skipped, ...answer } = await admin.call('ApplyRetention', {});
  if (skipped) throw new RetryableError('the hub applies retention just now: nothing was done');
  const done = { ...numbersOf(answer), rewrittenBlocks: Number(answer.rewrittenBlocks) };
  const text = `${expiredText(done)} dropped, ${counted(done.rewrittenBlocks, 'block')} rewritten\n`;
  await terminal.write(isJson ? jsonText(done) : text);
  return ExitCode.ok;
}

interface RetentionNumbers {
  readonly expiredBlocks: number;
  readonly expiredBytes: number;
  readonly partlyBlocks: number;
  readonly partlyBytes: number;
}

function numbersOf(answer: { readonly [field in keyof RetentionNumbers]: string }): RetentionNumbers {
  return {
    expiredBlocks: Number(answer.expiredBlocks),
    expiredBytes: Number(answer.expiredBytes),
    partlyBlocks: Number(answer.partlyBlocks),
    partlyBytes: Number(answer.partlyBytes),
  };
}

function expiredText({ expiredBlocks, expiredBytes }: RetentionNumbers): string {
  return `${counted(expiredBlocks, 'block')} of ${bytesText(expiredBytes)}`;
}

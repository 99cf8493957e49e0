import { AdminClient, type CompactionJobInfo, type QuarantinedGroupInfo } from './admin-client.ts';
import { resolutionText } from './block/show-blocks.ts';
import { type Command, oneOf, readOptions, wholeNumber } from './command.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, hubOptions } from './hub-client.ts';
import { bytesText, count, counted, durationText, timeText } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import { styled, type Terminal } from './terminal.ts';
import { cutText, textTable } from './text-table.ts';

export const compactionCommand: Command = {
  name: 'compaction',
  summary: 'merging and downsampling: how far it is, and what stops it',
  help: `Usage: cinderblock compaction VERB [GROUP] [options]

  status         blocks and bytes per level and resolution, what waits and for how long, groups in quarantine
  plan           the jobs that can run now
  run [GROUP]    run them now instead of at the next round, until none is left; exit code 5 when one fails
  release GROUP  let a group in quarantine be merged again at once

  --all             plan, run: also what came too late for the usual look back, and long ranges to join
  --jobs N          run: stop after so many
  --output FORMAT   text (default) or json
${HUB_HELP}
`,
  run: runCompaction,
};

const options = {
  ...hubOptions,
  output: { type: 'string', default: 'text' },
  all: { type: 'boolean', default: false },
  jobs: { type: 'string' },
} as const;

interface Ask {
  readonly admin: AdminClient;
  readonly group: string;
  readonly all: boolean;
  readonly jobsMax: number;
  readonly isJson: boolean;
  readonly terminal: Terminal;
}

const VERBS = {
  status: showStatus,
  plan: showPlan,
  run: runJobs,
  release: releaseGroup,
} satisfies Record<string, (ask: Ask) => Promise<number>>;

async function runCompaction(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const verb = oneOf('the verb', positionals[0] ?? '', Object.keys(VERBS) as (keyof typeof VERBS)[]);
  const isJson = oneOf('--output', values.output, ['text', 'json']) === 'json';
  const [group = '', ...more] = positionals.slice(1);
  const takesGroup = verb === 'run' || verb === 'release';
  const extra = takesGroup ? more[0] : group || undefined;
  if (extra !== undefined) throw new UsageError(`"${extra}" is one word too many`);
  if (verb === 'release' && group === '')
    throw new UsageError('name the group; `compaction status` lists them');
  if (values.jobs !== undefined && verb !== 'run') throw new UsageError(`${verb} knows no --jobs`);
  const jobsMax =
    values.jobs === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--jobs', values.jobs, 1);
  const admin = new AdminClient(values, terminal);
  return VERBS[verb]({ admin, group, all: values.all, jobsMax, isJson, terminal });
}

async function showStatus({ admin, isJson, terminal }: Ask): Promise<number> {
  const status = await admin.call('GetCompactionStatus', {});
  if (isJson) {
    await terminal.write(jsonText(status));
    return ExitCode.ok;
  }
  const columns = [
    { title: 'level', align: 'right' },
    { title: 'resolution', align: 'right' },
    { title: 'blocks', align: 'right' },
    { title: 'bytes', align: 'right' },
    { title: 'from' },
    { title: 'until' },
  ] as const;
  const rows = status.counts.map(({ level, resolutionSeconds, blocks, bytes, minTime, maxTime }) => [
    String(level),
    resolutionText(resolutionSeconds),
    count(Number(blocks)),
    bytesText(Number(bytes)),
    timeText(Number(minTime)),
    timeText(Number(maxTime)),
  ]);
  const table = rows.length === 0 ? 'no blocks\n' : textTable(columns, rows, terminal.width);
  const marked = Number(status.markedBlocks);
  await terminal.write(
    `${table}\n${backlogText(Number(status.plannedJobs), Number(status.backlogAgeMs))}` +
      `${marked > 0 ? `${counted(marked, 'merged block')} to be deleted\n` : ''}` +
      groupsText(status.quarantined, terminal),
  );
  return ExitCode.ok;
}

function backlogText(jobs: number, ageMs: number): string {
  if (jobs === 0) return 'nothing waits to be merged\n';
  return `${counted(jobs, 'job')} to run, the longest wait is ${durationText(ageMs)}\n`;
}

function groupsText(groups: readonly QuarantinedGroupInfo[], terminal: Terminal): string {
  return groups
    .map(({ group, reason, blockIds, failures, sinceMs, untilMs }) =>
      [
        `${styled(terminal, 'red', 'in quarantine')}: ${group}, since ${timeText(Number(sinceMs))}, ` +
          `failed ${counted(failures, 'time')}, tried again at ${timeText(Number(untilMs))}`,
        `  ${reason}`,
        `  blocks ${blockIds.join(' ')}`,
      ]
        .map((line) => `${cutText(line, terminal.width)}\n`)
        .join(''),
    )
    .join('');
}

async function showPlan({ admin, all, isJson, terminal }: Ask): Promise<number> {
  const plan = await admin.call('PlanCompaction', { all });
  if (isJson) await terminal.write(jsonText(plan));
  else {
    const columns = [
      { title: 'group' },
      { title: 'step' },
      { title: 'to level', align: 'right' },
      { title: 'blocks', align: 'right' },
      { title: 'resolutions' },
    ] as const;
    const rows = plan.jobs.map((job) => [
      job.group,
      job.step,
      String(job.level),
      count(job.blockIds.length + job.versionIds.length),
      resolutionsText(job),
    ]);
    const table = rows.length === 0 ? '' : `${textTable(columns, rows, terminal.width)}\n`;
    const backlog = backlogText(plan.jobs.length, Number(plan.backlogAgeMs));
    await terminal.write(`${table}${backlog}${groupsText(plan.quarantined, terminal)}`);
  }
  return ExitCode.ok;
}

function resolutionsText({ resolutionSeconds, downsampleTo }: CompactionJobInfo): string {
  return [resolutionSeconds, ...downsampleTo].map(resolutionText).join(', ');
}

/** One job a call: no call takes longer than its job, and Ctrl-C stops after the one under way. */
async function runJobs({ admin, group, all, jobsMax, isJson, terminal }: Ask): Promise<number> {
  const done = { jobs: 0, blocksIn: 0, blocksOut: 0, bytesIn: 0, bytesOut: 0, samples: 0, failed: 0 };
  let [left, skipped, didAnything] = [0, 0, true];
  while (didAnything && done.jobs + done.failed < jobsMax) {
    const so = left > 0 ? `, ${counted(left, 'job')} left` : '';
    terminal.progress(`merged ${counted(done.blocksIn, 'block')}, ${bytesText(done.bytesIn)}${so}`);
    const answer = await admin.call('RunCompaction', { all, group, jobsMax: 1 });
    for (const field of Object.keys(done) as (keyof typeof done)[]) done[field] += Number(answer[field]);
    [left, skipped] = [Number(answer.left), Number(answer.skipped)];
    didAnything = Number(answer.jobs) + Number(answer.failed) > 0;
  }
  if (isJson) await terminal.write(jsonText({ ...done, left }));
  else await terminal.write(`${doneText(done)}\n`);
  if (skipped > 0) terminal.note('somebody else runs the next job; what is left is run by the scheduler');
  if (done.failed > 0) terminal.note(`${counted(done.failed, 'job')} failed; \`compaction status\` says why`);
  return done.failed > 0 ? ExitCode.corrupt : ExitCode.ok;
}

function doneText(done: {
  readonly jobs: number;
  readonly blocksIn: number;
  readonly blocksOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}): string {
  if (done.jobs === 0) return 'nothing was merged';
  const [bytesIn, bytesOut] = [bytesText(done.bytesIn), bytesText(done.bytesOut)];
  return `${counted(done.jobs, 'job')}: ${counted(done.blocksIn, 'block')} of ${bytesIn} became ${count(done.blocksOut)} of ${bytesOut}`;
}

async function releaseGroup({ admin, group, isJson, terminal }: Ask): Promise<number> {
  await admin.call('ReleaseCompactionGroup', { group });
  await terminal.write(
    isJson ? jsonText({ released: group }) : `${group} is merged again in the next round\n`,
  );
  return ExitCode.ok;
}

import { listBlocks } from '../pipeline/list-blocks.ts';
import { AdminClient } from './admin-client.ts';
import { blockPaths } from './block/block-file.ts';
import {
  type ChangeRequest,
  listQuarantinedBlocks,
  quarantineBlocks,
  restoreBlocks,
  rewriteBlocks,
  rewriteFile,
} from './block/change-blocks.ts';
import { inspectAll, verifyAll } from './block/check-blocks.ts';
import { scrubHub, sweepHub } from './block/check-hub.ts';
import { blocksOfHub, parseResolution, showBlocks } from './block/show-blocks.ts';
import { showDiff } from './block/show-diff.ts';
import { type Command, oneOf, readOptions, wholeNumber } from './command.ts';
import { CONFIRM_HELP, confirmOptions } from './confirm.ts';
import { openDataFolder } from './data-folder.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, hubOptions } from './hub-client.ts';
import type { Terminal } from './terminal.ts';
import { parseDuration, parseTime } from './time-argument.ts';

const VERBS = [
  ...['ls', 'inspect', 'verify', 'diff', 'rewrite', 'quarantine', 'quarantined', 'restore'],
  ...['scrub', 'sweep'],
] as const;

const LISTED_DEFAULT = 100;
const LISTED_MAX = 1000;
const DIFFERENCES_DEFAULT = 10;

export const blockCommand: Command = {
  name: 'block',
  summary: 'blocks and batches: list, check, compare, set aside',
  help: `Usage: cinderblock block VERB [BLOCK…] [options]

BLOCK is a file, or with --data the id of a block in that data folder.

  inspect BLOCK…     print what a block says of itself: datasets, profile types, exact totals, windows, size of every
                     section, batches
  verify BLOCK…      read every section and check all there is to check; names each damaged section with its bytes
  diff A B           compare what two blocks say, or two sets of them (A… --with B --with B): samples, totals and stacks
                     of each series in each window; exit code 5 when they differ

Of a data folder (--data DIR) that no server holds
  rewrite ID…        write them anew in the current format, nothing left out; one FILE instead with --file OUT
  quarantine ID…     take damaged ones out of all answers, and keep them aside
  quarantined        list what was set aside, with the reason
  restore ID…        put back what was set aside

Of a server
  ls                 list its blocks; also of a data folder that no server holds, with --data
  scrub              read every block and check it; exit code 5 when one is damaged or missing
  sweep              delete objects that nothing refers to, and name blocks whose object is gone

  --data DIR        a data folder; inspect, verify and diff read it also while a server holds it
  --output FORMAT   text (default) or json
${HUB_HELP}

ls
  --from T --until T  only what overlaps that range
  --service NAME      only blocks with that service
  --level N           only blocks that were merged so often
  --resolution STEP   only raw, or 5m, 1h, 1d
  --limit N           most that are listed (default ${LISTED_DEFAULT}, at most ${LISTED_MAX})

diff
  --with B          a block of the second set; repeat for more
  --step LENGTH     hold windows of a step together, such as raw ones against those of 5m
  --limit N         most differences that are shown (default ${DIFFERENCES_DEFAULT})

quarantine
  --reason TEXT     why; needed for a block that is sound
${CONFIRM_HELP}

scrub
  --bytes N         stop after about so many bytes; the next scrub goes on there (default: all blocks)

sweep
  --dry-run         delete nothing
`,
  run: runBlock,
};

const options = {
  ...hubOptions,
  ...confirmOptions,
  data: { type: 'string' },
  output: { type: 'string', default: 'text' },
  from: { type: 'string' },
  until: { type: 'string' },
  service: { type: 'string' },
  level: { type: 'string' },
  resolution: { type: 'string' },
  limit: { type: 'string' },
  with: { type: 'string', multiple: true },
  step: { type: 'string' },
  file: { type: 'string' },
  reason: { type: 'string' },
  bytes: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
} as const;

type Values = ReturnType<typeof readOptions<typeof options>>['values'];

async function runBlock(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const verb = oneOf('the verb', positionals[0] ?? '', VERBS);
  const names = positionals.slice(1);
  const isJson = oneOf('--output', values.output, ['text', 'json']) === 'json';
  switch (verb) {
    case 'inspect':
      return inspectAll(await pathsOf(names, values), isJson, terminal);
    case 'verify':
      return verifyAll(await pathsOf(names, values), isJson, terminal);
    case 'diff':
      return diff(names, values, isJson, terminal);
    case 'ls':
      none(names);
      return ls(values, isJson, terminal);
    case 'rewrite':
      if (values.file === undefined) return rewriteBlocks(changeOf(names, values, isJson), terminal);
      return rewriteFile({ path: await onePath(names, values), out: values.file, isJson }, terminal);
    case 'quarantine': {
      const { reason, yes } = values;
      return quarantineBlocks({ ...changeOf(names, values, isJson), reason, yes }, terminal);
    }
    case 'quarantined':
      none(names);
      return listQuarantinedBlocks({ folder: folderOf(values), ids: [], isJson }, terminal);
    case 'restore':
      return restoreBlocks(changeOf(names, values, isJson), terminal);
    case 'scrub':
      none(names);
      return scrubHub(values, bytesOf(values), isJson, terminal);
    case 'sweep':
      none(names);
      return sweepHub(values, values['dry-run'], isJson, terminal);
  }
}

async function ls(values: Values, isJson: boolean, terminal: Terminal): Promise<number> {
  const now = terminal.now();
  const { from, until, service, level, resolution, limit } = values;
  const filter = {
    ...(from !== undefined && { from: parseTime('--from', from, now) }),
    ...(until !== undefined && { until: parseTime('--until', until, now) }),
    ...(service !== undefined && { service }),
    ...(level !== undefined && { level: wholeNumber('--level', level) }),
    ...(resolution !== undefined && { resolutionSeconds: parseResolution(resolution) }),
    limit: limit === undefined ? LISTED_DEFAULT : wholeNumber('--limit', limit, 1, LISTED_MAX),
  };
  if (values.data === undefined) {
    await showBlocks(blocksOfHub(new AdminClient(values, terminal)), filter, isJson, terminal);
    return ExitCode.ok;
  }
  if (values.url !== undefined) throw new UsageError('--data and --url name two places to ask; choose one');
  const { hub, close } = await openDataFolder(values.data, terminal, 'ask it with --url');
  try {
    await showBlocks((asked) => listBlocks(hub, asked), filter, isJson, terminal);
    return ExitCode.ok;
  } finally {
    await close();
  }
}

async function diff(
  names: readonly string[],
  values: Values,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const others = values.with ?? [];
  const isPair = others.length === 0;
  if (isPair && names.length !== 2)
    throw new UsageError('name two blocks, or one set of them and the other with --with');
  const a = await pathsOf(isPair ? names.slice(0, 1) : names, values);
  const b = await pathsOf(isPair ? names.slice(1) : others, values);
  const stepMs = values.step === undefined ? 0 : parseDuration('--step', values.step);
  const limit = values.limit === undefined ? DIFFERENCES_DEFAULT : wholeNumber('--limit', values.limit);
  return showDiff({ a, b, stepMs, limit, isJson }, terminal);
}

function pathsOf(names: readonly string[], { data }: Values): Promise<string[]> {
  if (names.length === 0) throw new UsageError('name at least one block');
  return blockPaths(names, data);
}

async function onePath(names: readonly string[], values: Values): Promise<string> {
  const [path, ...more] = await pathsOf(names, values);
  if (more.length > 0) throw new UsageError('--file takes one block');
  return path!;
}

function changeOf(ids: readonly string[], values: Values, isJson: boolean): ChangeRequest {
  if (ids.length === 0) throw new UsageError('name at least one block');
  return { folder: folderOf(values), ids: [...new Set(ids)], isJson };
}

function folderOf({ data }: Values): string {
  if (data !== undefined) return data;
  throw new UsageError('say with --data which data folder');
}

function bytesOf({ bytes }: Values): number | undefined {
  return bytes === undefined ? undefined : wholeNumber('--bytes', bytes, 1);
}

function none(names: readonly string[]): void {
  if (names.length > 0) throw new UsageError(`"${names[0]}" is one word too many`);
}

import { listBlocks } from '../pipeline/list-blocks.ts';
import { AdminClient } from './admin-client.ts';
import { blockPaths } from './block/block-file.ts';
import type { BlockKeeper } from './block/block-keeper.ts';
import {
  discardBlocks,
  quarantineBlocks,
  restoreBlocks,
  rewriteBlocks,
  showQuarantinedBlocks,
} from './block/change-blocks.ts';
import { inspectAll, verifyAll } from './block/check-blocks.ts';
import { scrubHub, sweepHub } from './block/check-hub.ts';
import { folderKeeper } from './block/folder-keeper.ts';
import { hubKeeper } from './block/hub-keeper.ts';
import { rewriteFile } from './block/rewrite-file.ts';
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
  ...['ls', 'inspect', 'verify', 'diff', 'rewrite', 'quarantine', 'quarantined', 'restore', 'discard'],
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

Of a server, or with --data of a data folder that no server holds
  ls                 list its blocks
  rewrite ID…        write them anew in the current format, nothing left out; one FILE instead with --file OUT
  quarantine ID…     take damaged ones out of all answers, and keep them
  quarantined        list what is in quarantine, with the reason
  restore ID…        put back what is in quarantine
  discard ID…        give up what is in quarantine

Of a server
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

rewrite
  --salvage         save what can be read of a damaged block, say what is lost, and set the block aside
  --no-wait         do not wait until the server has done it
  --dry-run         say what would come of it, and change nothing

quarantine, discard
  --reason TEXT     why it goes to quarantine; needed for a block that is sound
  --dry-run         say what would go, and change nothing
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
  salvage: { type: 'boolean', default: false },
  'no-wait': { type: 'boolean', default: false },
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
      if (values.file !== undefined) return rewriteOne(values.file, names, values, isJson, terminal);
      return withKeeper(values, terminal, (keeper) => {
        const request = {
          ...changeOf(names, values, isJson),
          salvage: values.salvage,
          wait: !values['no-wait'],
        };
        return rewriteBlocks(keeper, request, terminal);
      });
    case 'quarantine':
      return withKeeper(values, terminal, (keeper) => {
        const { reason, yes } = values;
        return quarantineBlocks(keeper, { ...changeOf(names, values, isJson), reason, yes }, terminal);
      });
    case 'quarantined':
      none(names);
      return withKeeper(values, terminal, (keeper) => showQuarantinedBlocks(keeper, isJson, terminal));
    case 'restore':
      return withKeeper(values, terminal, (keeper) =>
        restoreBlocks(keeper, changeOf(names, values, isJson), terminal),
      );
    case 'discard':
      return withKeeper(values, terminal, (keeper) =>
        discardBlocks(keeper, { ...changeOf(names, values, isJson), yes: values.yes }, terminal),
      );
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
  onePlace(values);
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

async function rewriteOne(
  out: string,
  names: readonly string[],
  values: Values,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const [path, ...more] = await pathsOf(names, values);
  if (more.length > 0) throw new UsageError('--file takes one block');
  return rewriteFile({ path: path!, out, salvage: values.salvage, isJson }, terminal);
}

async function withKeeper(
  values: Values,
  terminal: Terminal,
  use: (keeper: BlockKeeper) => Promise<number>,
): Promise<number> {
  onePlace(values);
  const keeper =
    values.data === undefined
      ? hubKeeper(new AdminClient(values, terminal), terminal)
      : await folderKeeper(values.data, terminal);
  try {
    return await use(keeper);
  } finally {
    await keeper.close();
  }
}

function onePlace({ data, url }: Values): void {
  if (data !== undefined && url !== undefined)
    throw new UsageError('--data and --url name two places to ask; choose one');
}

function changeOf(ids: readonly string[], values: Values, isJson: boolean) {
  if (ids.length === 0) throw new UsageError('name at least one block');
  return { ids: [...new Set(ids)], dryRun: values['dry-run'], isJson };
}

function bytesOf({ bytes }: Values): number | undefined {
  return bytes === undefined ? undefined : wholeNumber('--bytes', bytes, 1);
}

function none(names: readonly string[]): void {
  if (names.length > 0) throw new UsageError(`"${names[0]}" is one word too many`);
}

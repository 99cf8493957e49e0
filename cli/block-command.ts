import { CorruptBlockError } from '../core/errors.ts';
import { blockPaths, openBlockFile } from './block/block-file.ts';
import { blockReportText } from './block/block-report-text.ts';
import { type BlockReport, inspectBlock } from './block/inspect-block.ts';
import { type Damage, verifyBlock } from './block/verify-block.ts';
import { type Command, oneOf, readOptions } from './command.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { bytesText, counted } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import { styled, type Terminal } from './terminal.ts';

export const blockCommand: Command = {
  name: 'block',
  summary: 'look into blocks and batches, and check them',
  help: `Usage: cinderblock block inspect|verify FILE… [options]
       cinderblock block inspect|verify BLOCK_ID… --data DIR [options]

  inspect   print what a block says of itself: datasets, profile types, exact totals, windows, size of every section,
            batches
  verify    read every section and check all there is to check; names each damaged section with its bytes, exit code 5

  --data DIR        a data folder, whose blocks may be named by id; also while a server holds it
  --output FORMAT   text (default) or json
`,
  run: runBlock,
};

const options = { data: { type: 'string' }, output: { type: 'string', default: 'text' } } as const;

async function runBlock(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const [verb, ...names] = positionals;
  const action = oneOf('the verb', verb ?? '', ['inspect', 'verify']);
  const output = oneOf('--output', values.output, ['text', 'json']);
  if (names.length === 0) throw new UsageError('name at least one block');
  const paths = await blockPaths(names, values.data);
  return action === 'inspect' ? inspectAll(paths, output, terminal) : verifyAll(paths, output, terminal);
}

async function inspectAll(
  paths: readonly string[],
  output: 'text' | 'json',
  terminal: Terminal,
): Promise<number> {
  const reports: BlockReport[] = [];
  for (const path of paths) {
    terminal.signal.throwIfAborted();
    const report = await withFile(path, inspectBlock);
    if (output === 'json') reports.push(report);
    else
      await terminal.write(`${blockReportText(report, terminal.width)}${path === paths.at(-1) ? '' : '\n'}`);
  }
  if (output === 'json') await terminal.write(jsonText({ blocks: reports }));
  return ExitCode.ok;
}

async function verifyAll(
  paths: readonly string[],
  output: 'text' | 'json',
  terminal: Terminal,
): Promise<number> {
  const results = [];
  let damaged = 0;
  for (const [index, path] of paths.entries()) {
    terminal.signal.throwIfAborted();
    const progress = (done: number, all: number) =>
      terminal.progress(`verifying ${index + 1} of ${paths.length}: ${path}, section ${done + 1} of ${all}`);
    const { size, ...result } = await withFile(path, async (file) => ({
      ...(await verifyBlock(file, progress)),
      size: file.size,
    }));
    if (result.damages.length > 0) damaged++;
    results.push({ path, ...result });
    if (output === 'json') continue;
    if (result.damages.length === 0) {
      const sound = styled(terminal, 'green', 'sound');
      await terminal.write(`${sound}: ${path}, ${counted(result.sections, 'section')}, ${bytesText(size)}\n`);
    }
    for (const damage of result.damages) await terminal.write(`${damageText(path, damage, terminal)}\n`);
  }
  if (output === 'json') await terminal.write(jsonText({ blocks: results }));
  return damaged > 0 ? ExitCode.corrupt : ExitCode.ok;
}

function damageText(path: string, { section, range, message }: Damage, terminal: Terminal): string {
  const place = range === undefined ? '' : ` at bytes ${range[0]} to ${range[1]}`;
  return `${styled(terminal, 'red', 'damaged')}: ${path}, ${section}${place}: ${message}`;
}

async function withFile<T>(
  path: string,
  use: (file: Awaited<ReturnType<typeof openBlockFile>>) => Promise<T>,
): Promise<T> {
  const file = await openBlockFile(path);
  try {
    return await use(file);
  } catch (error) {
    if (!(error instanceof CorruptBlockError)) throw error;
    throw new CorruptBlockError(path, error.section, error.message.replace(/^.*?: /, ''), { cause: error });
  } finally {
    await file.close();
  }
}

import { CorruptBlockError } from '../../core/errors.ts';
import { ExitCode } from '../exit-code.ts';
import { bytesText, counted } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';
import { openBlockFile } from './block-file.ts';
import { blockReportText } from './block-report-text.ts';
import { type BlockReport, inspectBlock } from './inspect-block.ts';
import { type Damage, verifyBlock } from './verify-block.ts';

/** What each block says of itself. */
export async function inspectAll(
  paths: readonly string[],
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const reports: BlockReport[] = [];
  for (const path of paths) {
    terminal.signal.throwIfAborted();
    const report = await withFile(path, inspectBlock);
    if (isJson) reports.push(report);
    else
      await terminal.write(`${blockReportText(report, terminal.width)}${path === paths.at(-1) ? '' : '\n'}`);
  }
  if (isJson) await terminal.write(jsonText({ blocks: reports }));
  return ExitCode.ok;
}

/** Checks each block. Answers the exit code: 5 when one is damaged. */
export async function verifyAll(
  paths: readonly string[],
  isJson: boolean,
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
    if (isJson) continue;
    if (result.damages.length === 0) {
      const sound = styled(terminal, 'green', 'sound');
      await terminal.write(`${sound}: ${path}, ${counted(result.sections, 'section')}, ${bytesText(size)}\n`);
    }
    for (const damage of result.damages) await terminal.write(`${damageText(path, damage, terminal)}\n`);
  }
  if (isJson) await terminal.write(jsonText({ blocks: results }));
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

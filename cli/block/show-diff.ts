import { BlockReader } from '../../core/block/block-reader.ts';
import {
  type BlockDiff,
  diffBlocks,
  type SideSums,
  type WindowDifference,
} from '../../core/block/diff-blocks.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { ExitCode, UsageError } from '../exit-code.ts';
import { count, counted, durationText, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';
import { cutText, textTable } from '../text-table.ts';
import { type BlockFile, openBlockFile } from './block-file.ts';

export interface DiffRequest {
  /** Files of the two sets. */
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly stepMs: number;
  readonly limit: number;
  readonly isJson: boolean;
}

/** Prints in what two sets of blocks differ. Answers the exit code: 5 when they do. */
export async function showDiff(request: DiffRequest, terminal: Terminal): Promise<number> {
  const files: BlockFile[] = [];
  try {
    const [a, b] = [await openAll(request.a, files), await openAll(request.b, files)];
    checkResolutions(a, b, request.stepMs);
    const { stepMs, limit } = request;
    const onService = (service: string) => {
      terminal.signal.throwIfAborted();
      terminal.progress(`comparing ${service}`);
    };
    const diff = await diffBlocks(a, b, { stepMs, limit, onService });
    await terminal.write(
      request.isJson ? jsonText({ equal: diff.differing === 0, ...diff }) : diffText(diff, terminal),
    );
    return diff.differing === 0 ? ExitCode.ok : ExitCode.corrupt;
  } finally {
    for (const file of files) await file.close();
  }
}

async function openAll(paths: readonly string[], files: BlockFile[]): Promise<BlockReader[]> {
  const readers: BlockReader[] = [];
  for (const path of paths) {
    const file = await openBlockFile(path);
    files.push(file);
    readers.push(await BlockReader.open(file.source, zstdCodec, { blockId: path }));
  }
  return readers;
}

/** @throws UsageError when windows of the two sets cannot be held against each other */
function checkResolutions(a: readonly BlockReader[], b: readonly BlockReader[], stepMs: number): void {
  const resolutionOf = (readers: readonly BlockReader[]) => {
    const [seconds, ...others] = new Set(readers.map(({ directory }) => directory.resolutionSeconds));
    if (others.length === 0) return seconds!;
    throw new UsageError('the blocks of each side must be of one resolution');
  };
  const [left, right] = [resolutionOf(a), resolutionOf(b)];
  const coarsest = Math.max(left, right) * 1000;
  if (stepMs === 0 && left !== right)
    throw new UsageError(`the sides are of different resolution: pass --step ${coarsest / 1000}s`);
  if (stepMs % Math.max(1, coarsest) !== 0)
    throw new UsageError(`--step must be whole steps of the coarser side, which has ${coarsest / 1000}s`);
}

function diffText(diff: BlockDiff, terminal: Terminal): string {
  const titles = ['service', 'profile type', 'samples', '', 'exact total', ''];
  const columns = titles.map((title, i) => ({ title, align: i < 2 ? undefined : ('right' as const) }));
  const rows = diff.types.map(({ service, profileType, a, b }) => [
    ...[service, profileType],
    ...pairText(a && count(a.samples), b && count(b.samples)),
    ...pairText(a && String(a.total), b && String(b.total)),
  ]);
  const more = diff.differing - diff.differences.length;
  return [
    textTable(columns, rows, terminal.width),
    ...diff.differences.map((one) => `\n${windowText(one, terminal)}`),
    more > 0 ? `\n… ${count(more)} more; --limit shows more\n` : '',
    `\n${verdictText(diff, terminal)}\n`,
  ].join('');
}

/** The value of A, and beside it that of B where it is another. */
function pairText(a: string | undefined, b: string | undefined): [string, string] {
  return [a ?? '-', a === b ? '' : `≠ ${b ?? '-'}`];
}

function verdictText({ windows, differing }: BlockDiff, terminal: Terminal): string {
  if (differing === 0) return `${styled(terminal, 'green', 'equal')}: ${counted(windows, 'window')}`;
  return `${styled(terminal, 'red', 'different')}: ${count(differing)} of ${counted(windows, 'window')}`;
}

function windowText(one: WindowDifference, terminal: Terminal): string {
  const { service, profileType, labels, start, duration, a, b, stacks, differingStacks } = one;
  const series = labels.map(([name, value]) => `${name}="${value}"`).join(', ');
  const lines = [
    `${service} ${profileType} {${series}} ${timeText(start)}, ${durationText(duration)}`,
    ...(a === undefined || b === undefined
      ? [`  only in ${a === undefined ? 'B' : 'A'}: ${sumsText((a ?? b)!)}`]
      : fieldsThatDiffer(a, b)),
    ...stacks.map(({ stack, a, b }) => `  ${stack.join(';')}: ${a} in A, ${b} in B`),
  ];
  const more = differingStacks - stacks.length;
  if (more > 0) lines.push(`  … ${counted(more, 'more stack')}`);
  return lines.map((line) => `${cutText(line, terminal.width)}\n`).join('');
}

function sumsText({ samples, total }: SideSums): string {
  return `${counted(samples, 'sample')}, total ${total}`;
}

const FIELD_NAMES: Readonly<Record<keyof SideSums, string>> = {
  samples: 'samples',
  total: 'total',
  windows: 'raw windows',
  least: 'smallest raw window',
  most: 'largest raw window',
};

function fieldsThatDiffer(a: SideSums, b: SideSums): string[] {
  const fields = Object.keys(FIELD_NAMES) as (keyof SideSums)[];
  return fields
    .filter((field) => a[field] !== b[field])
    .map((field) => `  ${FIELD_NAMES[field]}: ${a[field]} in A, ${b[field]} in B`);
}

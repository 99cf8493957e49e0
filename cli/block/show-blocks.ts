import type { BlockFilter, ListedBlock } from '../../pipeline/list-blocks.ts';
import type { AdminClient, BlockInfo } from '../admin-client.ts';
import { UsageError } from '../exit-code.ts';
import { bytesText, count, counted, durationText, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../text-table.ts';
import { parseDuration } from '../time-argument.ts';

/** Where blocks are listed: a data folder, or a hub. */
export type ListBlocks = (filter: BlockFilter) => Promise<{ blocks: ListedBlock[]; matching: number }>;

/** Blocks of a hub. */
export function blocksOfHub(admin: AdminClient): ListBlocks {
  return async ({ from, until, service, level, resolutionSeconds, limit }) => {
    const request = {
      ...(from !== undefined && { from: String(from) }),
      ...(until !== undefined && { until: String(until) }),
      ...{ service, level, resolutionSeconds, limit },
    };
    const { blocks, matching } = await admin.call('ListBlocks', request);
    return { blocks: blocks.map(listedBlock), matching: Number(matching) };
  };
}

function listedBlock({ createdAtMs, problem, samples, ...block }: BlockInfo): ListedBlock {
  return {
    ...block,
    minTime: Number(block.minTime),
    maxTime: Number(block.maxTime),
    bytes: Number(block.bytes),
    createdAt: Number(createdAtMs),
    ...(samples !== undefined && { samples: Number(samples) }),
    ...(problem !== '' && { problem }),
  };
}

/** One line per block. */
export async function showBlocks(
  list: ListBlocks,
  filter: BlockFilter,
  isJson: boolean,
  terminal: Terminal,
): Promise<void> {
  terminal.progress('reading blocks');
  const { blocks, matching } = await list(filter);
  if (isJson) return terminal.write(jsonText({ blocks, matching }));
  if (blocks.length === 0 && matching === 0) return terminal.note('there are no such blocks');
  await terminal.write(`${blockTable(blocks, terminal)}${summaryText(blocks)}\n`);
  if (matching > blocks.length)
    terminal.note(`${counted(matching - blocks.length, 'more block')}; --limit shows more`);
}

function blockTable(blocks: readonly ListedBlock[], terminal: Terminal): string {
  const columns = [
    { title: 'id' },
    { title: 'level', align: 'right' },
    { title: 'resolution', align: 'right' },
    { title: 'from' },
    { title: 'length', align: 'right' },
    { title: 'size', align: 'right' },
    { title: 'samples', align: 'right' },
    { title: 'services' },
  ] as const;
  const rows = blocks.map((block) => [
    block.blockId,
    String(block.level),
    resolutionText(block.resolutionSeconds),
    timeText(block.minTime),
    durationText(block.maxTime - block.minTime),
    bytesText(block.bytes),
    block.samples === undefined ? 'damaged' : count(block.samples),
    block.problem ?? block.services.join(' '),
  ]);
  return textTable(columns, rows, terminal.width);
}

function summaryText(blocks: readonly ListedBlock[]): string {
  const bytes = blocks.reduce((sum, block) => sum + block.bytes, 0);
  const damaged = blocks.filter(({ samples }) => samples === undefined).length;
  const tail = damaged > 0 ? `, ${count(damaged)} damaged` : '';
  return `${counted(blocks.length, 'block')}, ${bytesText(bytes)}${tail}`;
}

/** "raw", "5 min". */
export function resolutionText(seconds: number): string {
  return seconds === 0 ? 'raw' : durationText(seconds * 1000);
}

/** Seconds of `--resolution`: raw, or a length of time. @throws UsageError */
export function parseResolution(text: string): number {
  if (text === 'raw') return 0;
  const seconds = parseDuration('--resolution', text) / 1000;
  if (Number.isInteger(seconds)) return seconds;
  throw new UsageError(`--resolution is "${text}", it may be raw or whole seconds such as 5m, 1h, 1d`);
}

import { writeFile } from 'node:fs/promises';
import { BlockReader } from '../../core/block/block-reader.ts';
import { RejectedError } from '../../core/errors.ts';
import type { Hub } from '../../pipeline/hub.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { confirmed } from '../confirm.ts';
import { type DataFolder, openDataFolder } from '../data-folder.ts';
import { ExitCode, UsageError } from '../exit-code.ts';
import { bytesText, counted, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';
import { openBlockFile } from './block-file.ts';
import {
  listBlocksAside,
  problemOf,
  putBlockBack,
  type QuarantinedBlock,
  setBlockAside,
} from './block-quarantine.ts';
import { type Rewrite, rewriteBlock, rewriteStored } from './rewrite-block.ts';
import { resolutionText } from './show-blocks.ts';

/** What the verbs that change a data folder are asked. */
export interface ChangeRequest {
  readonly folder: string;
  readonly ids: readonly string[];
  readonly isJson: boolean;
}

/** Writes blocks of a data folder anew. */
export function rewriteBlocks(request: ChangeRequest, terminal: Terminal): Promise<number> {
  return inFolder(request, terminal, async ({ hub }) => {
    const rewrites: Rewrite[] = [];
    for (const [index, row] of (await rowsOf(hub, request)).entries()) {
      terminal.signal.throwIfAborted();
      terminal.progress(`rewriting ${index + 1} of ${request.ids.length}: ${row.blockId}`);
      const rewrite = await rewriteStored(hub, row);
      rewrites.push(rewrite);
      if (!request.isJson) await terminal.write(`${rewriteText(rewrite)}\n`);
    }
    if (request.isJson) await terminal.write(jsonText({ rewrites }));
    return ExitCode.ok;
  });
}

function rewriteText({ blockId, newBlockId, bytesBefore, bytesAfter }: Rewrite): string {
  if (newBlockId === undefined) return `${blockId} is in the current format already`;
  return `${blockId} is ${newBlockId} now: ${bytesText(bytesAfter)} instead of ${bytesText(bytesBefore)}, and equal`;
}

/** Writes one block file anew, beside it. */
export async function rewriteFile(
  { path, out, isJson }: { path: string; out: string; isJson: boolean },
  terminal: Terminal,
): Promise<number> {
  const file = await openBlockFile(path);
  try {
    const reader = await BlockReader.open(file.source, zstdCodec, { blockId: path });
    const { bytes, directory } = await rewriteBlock(reader);
    // Never over a file that is there: it may be the only copy.
    await writeFile(out, bytes, { flag: 'wx', signal: terminal.signal });
    const isSame = Buffer.compare(await file.source.read(0, file.size), bytes) === 0;
    const numbers = { blockId: directory.blockId, bytesBefore: file.size, bytesAfter: bytes.length, isSame };
    const text = `wrote ${out}: ${bytesText(bytes.length)}, ${isSame ? 'byte for byte the same' : 'all of it equal'}\n`;
    await terminal.write(isJson ? jsonText({ ...numbers, file: out }) : text);
    return ExitCode.ok;
  } finally {
    await file.close();
  }
}

/** Takes blocks out of the catalog, damaged ones or those that a reason is given for. */
export function quarantineBlocks(
  request: ChangeRequest & { readonly reason: string | undefined; readonly yes: boolean },
  terminal: Terminal,
): Promise<number> {
  return inFolder(request, terminal, async ({ hub }) => {
    const leaving: { row: BlockRow; reason: string }[] = [];
    for (const row of await rowsOf(hub, request)) {
      terminal.progress(`verifying ${row.blockId}`);
      const reason = request.reason ?? (await problemOf(hub, row));
      if (reason === undefined)
        throw new UsageError(`block ${row.blockId} is sound: say with --reason why it is to go`);
      leaving.push({ row, reason });
    }
    const consequence = `Answers will lack ${counted(leaving.length, 'block')} until \`block restore\``;
    if (!(await confirmed(terminal, request.yes, consequence))) return ExitCode.refused;
    for (const { row, reason } of leaving) {
      terminal.signal.throwIfAborted();
      await setBlockAside(hub, row, reason);
      if (!request.isJson) await terminal.write(`${row.blockId} is in quarantine: ${reason}\n`);
    }
    const quarantined = leaving.map(({ row, reason }) => ({ blockId: row.blockId, reason }));
    if (request.isJson) await terminal.write(jsonText({ quarantined }));
    return ExitCode.ok;
  });
}

/** What is in quarantine. */
export function listQuarantinedBlocks(request: ChangeRequest, terminal: Terminal): Promise<number> {
  return inFolder(request, terminal, async ({ hub }) => {
    const blocks = await listBlocksAside(hub);
    if (request.isJson) await terminal.write(jsonText({ blocks: blocks.map(entryJson) }));
    else if (blocks.length === 0) terminal.note('no block is in quarantine');
    else await terminal.write(blocks.map((entry) => entryText(entry, terminal)).join(''));
    return ExitCode.ok;
  });
}

function entryJson({ row, reason, quarantinedAt, hasBytes }: QuarantinedBlock) {
  const { blockId, level, resolutionSeconds, minTime, maxTime, size: bytes, datasets } = row;
  const services = datasets.map(({ service }) => service);
  const block = { blockId, level, resolutionSeconds, minTime, maxTime, bytes, services };
  return { ...block, reason, quarantinedAt, hasBytes };
}

function entryText({ row, reason, quarantinedAt, hasBytes }: QuarantinedBlock, terminal: Terminal): string {
  const { blockId, level, resolutionSeconds, minTime, maxTime, size } = row;
  const what = `level ${level}, ${resolutionText(resolutionSeconds)}, ${timeText(minTime)} to ${timeText(maxTime)}`;
  const bytes = hasBytes ? bytesText(size) : 'no object';
  return `${styled(terminal, 'bold', blockId)}\n  ${what}, ${bytes}, since ${timeText(quarantinedAt)}\n  ${reason}\n`;
}

/** Puts blocks back as they were. */
export function restoreBlocks(request: ChangeRequest, terminal: Terminal): Promise<number> {
  return inFolder(request, terminal, async ({ hub }) => {
    const restored = [];
    for (const id of request.ids) {
      terminal.signal.throwIfAborted();
      const row = await putBlockBack(hub, id);
      const problem = await problemOf(hub, row);
      restored.push({ blockId: id, problem });
      if (!request.isJson)
        await terminal.write(`${id} is back${problem === undefined ? '' : `, and damaged: ${problem}`}\n`);
    }
    if (request.isJson) await terminal.write(jsonText({ restored }));
    return ExitCode.ok;
  });
}

async function inFolder(
  { folder }: ChangeRequest,
  terminal: Terminal,
  use: (folder: DataFolder) => Promise<number>,
): Promise<number> {
  const data = await openDataFolder(folder, terminal);
  try {
    return await use(data);
  } finally {
    await data.close();
  }
}

/** All are looked up before the first is touched. @throws RejectedError('not-found') */
async function rowsOf(hub: Hub, { ids, folder }: ChangeRequest): Promise<BlockRow[]> {
  const rows: BlockRow[] = [];
  for (const id of ids) {
    const row = await hub.catalog.get(id);
    if (row === undefined) throw new RejectedError('not-found', `there is no live block ${id} in ${folder}`);
    rows.push(row);
  }
  return rows;
}

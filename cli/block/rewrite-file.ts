import { writeFile } from 'node:fs/promises';
import { BlockReader } from '../../core/block/block-reader.ts';
import { copyBlock } from '../../core/block/copy-block.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { ExitCode } from '../exit-code.ts';
import { bytesText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import type { Terminal } from '../terminal.ts';
import { openBlockFile } from './block-file.ts';
import { lostText } from './change-blocks.ts';

/** Writes one block file anew, beside it; with `salvage` without what cannot be read. */
export async function rewriteFile(
  { path, out, salvage, isJson }: { path: string; out: string; salvage: boolean; isJson: boolean },
  terminal: Terminal,
): Promise<number> {
  const file = await openBlockFile(path);
  try {
    const reader = await BlockReader.open(file.source, zstdCodec, { blockId: path });
    const { block, lost } = await copyBlock(reader, zstdCodec, { salvage });
    const { bytes, directory } = block;
    // Never over a file that is there: it may be the only copy.
    await writeFile(out, bytes, { flag: 'wx', signal: terminal.signal });
    const isSame = Buffer.compare(await file.source.read(0, file.size), bytes) === 0;
    const parts = lost.map((one) => ({ ...one, total: String(one.total) }));
    const numbers = { blockId: directory.blockId, bytesBefore: file.size, bytesAfter: bytes.length, isSame };
    const what = lost.length > 0 ? 'not all' : isSame ? 'byte for byte the same' : 'all of it equal';
    const text = `wrote ${out}: ${bytesText(bytes.length)}, ${what}\n${lostText(parts)}`;
    await terminal.write(isJson ? jsonText({ ...numbers, file: out, lost: parts }) : text);
    return ExitCode.ok;
  } finally {
    await file.close();
  }
}

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BlockReader, bytesSource } from '../../core/block/block-reader.ts';
import { BlockMerge, mergeBlocks, readBatchTables } from '../../core/block/merge-blocks.ts';
import { compactFamilies } from '../../core/compaction/compact-family.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { type BlockContent, blockOf } from './block-folder.ts';
import { cinderblock } from './kept-terminal.ts';

const home = mkdtempSync(join(tmpdir(), 'cinderblock-cli-diff-'));
after(() => rmSync(home, { recursive: true }));

let files = 0;

function file(bytes: Uint8Array): string {
  const path = join(home, `${++files}.block`);
  writeFileSync(path, bytes);
  return path;
}

const write = (content: BlockContent) => file(blockOf(content).bytes);
const diff = (...args: string[]) => cinderblock(['block', 'diff', ...args]);

const CONTENT: BlockContent = { services: ['cart', 'shop'], windows: [0, 1, 2], batch: 'lab/n/b/1' };

async function open(content: BlockContent): Promise<BlockReader> {
  return BlockReader.open(bytesSource(blockOf(content).bytes), zstdCodec);
}

test('the same content in other tables is equal', async () => {
  const a = write(CONTENT);
  const b = write({ ...CONTENT, reversed: true, batch: 'lab/n/b/9' });
  const { code, out } = await diff(a, b);
  assert.equal(code, 0, out);
  assert.match(out, /^equal: 6 windows$/m);
  assert.match(out, /^shop +process_cpu\S+ +36 +360000000$/m);
});

test('a value that differs is named with its window, series and stack', async () => {
  const { code, out } = await diff(write(CONTENT), write({ ...CONTENT, parse: 6 }));
  assert.equal(code, 5);
  assert.match(out, /^shop .* 36 +≠ 39 +360000000 +≠ 390000000$/m);
  assert.match(out, /^shop \S+ \{cluster="lab", service_name="shop"\} 2026-11-01T10:00:00Z, 10 s$/m);
  assert.match(out, /^ {2}total: 120000000 in A, 130000000 in B$/m);
  assert.match(out, /^ {2}main;parse: 50000000 in A, 60000000 in B$/m);
  assert.match(out, /^different: 6 of 6 windows$/m);
  const cut = await diff(write(CONTENT), write({ ...CONTENT, parse: 6 }), '--limit', '1');
  assert.match(cut.out, /^… 5 more; --limit shows more$/m);
});

test('what only one side has is said, in JSON too', async () => {
  const { code, out } = await diff(
    write({ ...CONTENT, services: ['shop'] }),
    write(CONTENT),
    '--output',
    'json',
  );
  assert.equal(code, 5);
  const { equal, differing, types, differences } = JSON.parse(out);
  assert.deepEqual([equal, differing], [false, 3]);
  assert.deepEqual(
    types.map((type: { service: string; a?: object }) => [type.service, 'a' in type]),
    [
      ['cart', false],
      ['shop', true],
    ],
  );
  assert.equal(differences[0].b.total, '120000000');
  assert.equal(differences[0].a, undefined);
});

test('sets are compared as a whole: parts, repeated batches and their merge are equal', async () => {
  const parts = [
    { ...CONTENT, windows: [0, 1] },
    { ...CONTENT, windows: [2], batch: 'lab/n/b/2' },
    { ...CONTENT, windows: [0, 1] },
  ];
  const readers = await Promise.all(parts.map(open));
  const meta = { blockId: 'M', tenant: 'local', level: 1, resolutionSeconds: 0 };
  const merged = file((await mergeBlocks(readers, meta, zstdCodec)).bytes);
  const same = await diff(...parts.map(write), '--with', merged);
  assert.equal(same.code, 0, same.out);
  const less = await diff(...parts.slice(1, 2).map(write), '--with', merged);
  assert.equal(less.code, 5);
});

test('downsampled and raw blocks are equal step by step, peaks included', async () => {
  const readers = [await open(CONTENT)];
  const merge = new BlockMerge(readers, await readBatchTables(readers));
  let ids = 0;
  const options = {
    ...{ tenant: 'local', level: 1, resolutionSeconds: 0, downsampleTo: [300] },
    ...{ partBytesMax: 1e9, partsMax: 10, nextBlockId: () => `B${++ids}` },
  };
  const { value: family } = await compactFamilies(merge, options, zstdCodec).next();
  const [raw, coarse] = family!.map(({ bytes }: { bytes: Uint8Array }) => file(bytes)) as [string, string];
  assert.match((await diff(raw, coarse)).notes, /of different resolution: pass --step 300s/);
  const { code, out } = await diff(raw, coarse, '--step', '5m');
  assert.equal(code, 0, out);
  assert.match(out, /^equal: 2 windows$/m);
  const other = write({ ...CONTENT, windows: [0, 1, 3] });
  assert.equal((await diff(other, coarse, '--step', '5m')).code, 0, 'it is the same within the step');
  assert.equal((await diff(other, raw)).code, 5);
  assert.equal((await diff(raw, coarse, '--step', '7m')).code, 2);
});

test('command lines that make no sense are refused', async () => {
  const one = write(CONTENT);
  for (const args of [[one], [one, one, one], ['--with', one]]) assert.equal((await diff(...args)).code, 2);
  assert.match((await diff(one, 'nowhere')).notes, /there is no block nowhere/);
});

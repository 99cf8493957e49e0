import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockBuilder } from '../../../core/block/block-builder.ts';
import { BlockReader, type RangeSource } from '../../../core/block/block-reader.ts';
import { mergeBlocks } from '../../../core/block/merge-blocks.ts';
import { CorruptBlockError } from '../../../core/errors.ts';
import { addRow, blockOf, CPU, codec, contentOfBlock, open, type RowSpec } from './fixtures.ts';

const META = { blockId: 'out', tenant: 't', level: 1, resolutionSeconds: 0 };

test('a block says what was put in, with exact totals in its directory', async () => {
  const reader = await open(
    blockOf([
      { stacks: { 'main;a': 3_000_000_000, 'main;b': 1_000_000_000 }, samples: 4 },
      { service: 'cart', stacks: { main: 10 }, samples: 1 },
    ]),
  );
  assert.deepEqual(
    reader.directory.datasets.map(({ service, types }) => [
      service,
      types.map((t) => [t.profileType, t.total, t.samples]),
    ]),
    [
      ['cart', [[CPU, 10n, 1]]],
      ['shop', [[CPU, 4_000_000_000n, 4]]],
    ],
  );
  assert.deepEqual(await contentOfBlock(reader), [
    `cart ${CPU} [["cluster","c"],["pod","pod-0"],["service_name","cart"]] 1700000000000+10000 n=1 t=10 ["main"]=10`,
    `shop ${CPU} [["cluster","c"],["pod","pod-0"],["service_name","shop"]] 1700000000000+10000 n=4 t=4000000000 ["main","a"]=3000000000 ["main","b"]=1000000000`,
  ]);
});

test('values are kept in units of their common divisor, per row', async () => {
  const block = new BlockBuilder();
  addRow(block, { stacks: { a: 52_631_578 * 3, b: 52_631_578 } });
  addRow(block, { stacks: { a: 10_000_000 }, pod: 'other' });
  const rows = block.dataset('shop').rowsOf(CPU);
  assert.deepEqual([...rows.scale.subarray(0, 2)], [52_631_578, 10_000_000]);
  assert.deepEqual([...rows.total.subarray(0, 2)], [4, 1]);
  const written = block.write(META, codec);
  assert.equal(written.directory.datasets[0]!.types[0]!.total, BigInt(52_631_578 * 4 + 10_000_000));
  assert.equal(written.directory.datasets[0]!.types[0]!.scale, 2);
});

test('totals pass 2^53 and 2^63 exactly', async () => {
  const hour = { 'main;work': 2 ** 53 - 1 };
  const reader = await open(
    blockOf(Array.from({ length: 2048 }, (_, i) => ({ stacks: hour, start: i * 10_000 }))),
  );
  assert.equal(reader.directory.datasets[0]!.types[0]!.total, (2n ** 53n - 1n) * 2048n);
  await reader.verify();
});

test('the same input gives the same bytes', () => {
  const rows: RowSpec[] = [{ stacks: { 'a;b': 1, 'a;c': 2 } }, { service: 'z', stacks: { q: 9 } }];
  assert.deepEqual(blockOf(rows), blockOf(rows));
});

test('a flame graph of one service is one read after the directory, a timeline a short one', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => ({
    service: `service-${i % 20}`,
    start: 1_700_000_000_000 + i * 10_000,
    stacks: Object.fromEntries(Array.from({ length: 50 }, (_, k) => [`main;f${k};g${(i * k) % 97}`, 1 + k])),
  }));
  const bytes = blockOf(rows);
  const reads: number[] = [];
  const source: RangeSource = {
    async read(start, end) {
      reads.push(end - start);
      return bytes.subarray(start, end);
    },
    async tail(length) {
      reads.push(length);
      return { bytes: bytes.subarray(Math.max(0, bytes.length - length)), size: bytes.length };
    },
  };
  const reader = await BlockReader.open(source, codec);
  assert.equal(reads.length, 1);
  const dataset = reader.directory.datasets[7]!;
  await reader.samples(dataset, dataset.types[0]!);
  assert.equal(reads.length, 2);
  await reader.totals(dataset, dataset.types[0]!);
  assert.equal(reads.length, 3);
  assert.ok(reads[2]! < reads[1]! / 2, `a timeline read ${reads[2]} bytes, a flame graph ${reads[1]}`);
  assert.equal(reader.io.reads, 3);
});

test('merging keeps every row and drops a batch that came twice', async () => {
  const one = await open(blockOf([{ batch: 'c/n/b/1', stacks: { 'main;a': 5 }, samples: 5 }]));
  const two = await open(
    blockOf([
      { batch: 'c/n/b/1', stacks: { 'main;a': 5 }, samples: 5 },
      { batch: 'c/n/b/2', stacks: { 'main;b': 7 }, samples: 7 },
    ]),
  );
  const merged = await mergeBlocks([one, two], META, codec);
  const { duplicateRows, duplicateSamples, deletedRows } = merged.report;
  assert.deepEqual([duplicateRows, duplicateSamples, deletedRows], [1, 5, 0]);
  assert.deepEqual(merged.batchIds, ['c/n/b/1', 'c/n/b/2']);
  assert.equal(merged.directory.datasets[0]!.types[0]!.total, 12n);
  await (await open(merged.bytes)).verify();
});

test('equal rows of two batches are both kept: two nodes may say the same', async () => {
  const inputs = await Promise.all(
    ['c/n1/b/1', 'c/n2/b/1'].map((batch) => open(blockOf([{ batch, stacks: { main: 1 } }]))),
  );
  const merged = await mergeBlocks(inputs, META, codec);
  assert.equal(merged.directory.datasets[0]!.types[0]!.total, 2n);
});

test('merging no rows at all gives a block without datasets that can be read', async () => {
  const merged = await mergeBlocks([await open(blockOf([]))], META, codec);
  const reader = await open(merged.bytes);
  assert.deepEqual(reader.directory.datasets, []);
  await reader.verify();
});

test('a block cut off, or with a flipped bit anywhere, is never read as whole', async () => {
  const bytes = blockOf([
    { stacks: { 'main;a': 5, 'main;b;c': 3 }, samples: 8 },
    { service: 'cart', stacks: { 'main;d': 1 } },
  ]);
  for (let length = 0; length < bytes.length; length++) {
    await assert.rejects(open(bytes.slice(0, length)), CorruptBlockError, `cut to ${length} bytes`);
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const byte = bit >> 3;
    // Flags and the header repeat what the trailer says; every other byte is covered by a checksum.
    if (byte < 8 || (byte >= bytes.length - 8 && byte < bytes.length - 4)) continue;
    await assert.rejects(async () => (await open(flipped)).verify(), CorruptBlockError, `bit ${bit} flipped`);
  }
});

test('an unknown format version is refused by name', async () => {
  const bytes = blockOf([{ stacks: { main: 1 } }]);
  bytes[bytes.length - 8] = 9;
  await assert.rejects(open(bytes), /format version 9, this reads 1/);
});

test('a section that promises to unfold beyond the limit is refused before it is', async () => {
  const bytes = blockOf([{ stacks: { [`main;${'x'.repeat(5000)}`]: 1 } }]);
  const reader = await BlockReader.open(
    { read: async (s, e) => bytes.subarray(s, e), tail: async () => ({ bytes, size: bytes.length }) },
    codec,
    { rawBytesMax: 1000 },
  );
  await assert.rejects(reader.verify(), /unfolds to \d+ bytes, the limit section_raw_bytes_max is 1000/);
});

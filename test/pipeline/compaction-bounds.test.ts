import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BlockReader, bytesSource, type RangeSource } from '../../core/block/block-reader.ts';
import { BlockMerge, readBatchTables, unfoldedBytes } from '../../core/block/merge-blocks.ts';
import { compactFamilies } from '../../core/compaction/compact-family.ts';
import { shardOf } from '../../core/compaction/service-shard.ts';
import { RejectedError } from '../../core/errors.ts';
import { blockOf, codec, contentOfBlock, open, type RowSpec } from '../core/block/fixtures.ts';

const SERVICES = ['cart', 'pay', 'shop'];

/** Blocks of three services, the window of each block later than that of the one before. */
function inputs(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const rows: RowSpec[] = SERVICES.flatMap((service) =>
      Array.from({ length: 8 }, (_, pod) => ({
        service,
        pod: `pod-${pod}`,
        batch: `c/n/b/${i}`,
        start: 1_700_006_400_000 + i * 10_000,
        stacks: { 'main;a': i + 1, [`main;b${pod}`]: 7, [`main;${service};${i}`]: 3 },
      })),
    );
    return blockOf(rows, `in-${i}`);
  });
}

const OPTIONS = {
  tenant: 't',
  level: 1,
  resolutionSeconds: 0,
  downsampleTo: [300, 3600],
  partBytesMax: 1 << 30,
  partsMax: 100,
};

async function compact(
  readers: readonly BlockReader[],
  limits: { partBytesMax?: number; partsMax?: number; datasetBytesMax?: number } = {},
) {
  let next = 0;
  const nextBlockId = () => `out-${next++}`;
  const merge = new BlockMerge(readers, await readBatchTables(readers), limits);
  const families = [];
  for await (const family of compactFamilies(merge, { ...OPTIONS, ...limits, nextBlockId }, codec))
    families.push(family);
  return { families, merge };
}

const openAll = (blocks: readonly Uint8Array[]) => Promise.all(blocks.map((bytes) => open(bytes)));

test('the same job writes the same bytes', async () => {
  const [first, second] = [await compact(await openAll(inputs(4))), await compact(await openAll(inputs(4)))];
  assert.deepEqual(
    first.families.flat().map(({ bytes }) => bytes),
    second.families.flat().map(({ bytes }) => bytes),
  );
});

test('datasets are read one input after the other: never two at once, and each byte once', async () => {
  let open = 0;
  let most = 0;
  let bytesRead = 0;
  const watched = (bytes: Uint8Array): RangeSource => {
    const source = bytesSource(bytes);
    return {
      ...source,
      async read(start, end) {
        most = Math.max(most, ++open);
        await setImmediate();
        open--;
        bytesRead += end - start;
        return source.read(start, end);
      },
    };
  };
  const blocks = inputs(6);
  const readers = await Promise.all(blocks.map((bytes) => BlockReader.open(watched(bytes), codec)));
  const tables = await readBatchTables(readers);
  most = 0;
  bytesRead = 0;
  const merge = new BlockMerge(readers, tables);
  for await (const _dataset of merge.datasets());
  assert.equal(most, 1);
  const stored = readers
    .flatMap(({ directory }) => directory.datasets)
    .flatMap((entry) => [
      entry.seriesSection,
      entry.symbolsSection,
      ...entry.types.flatMap((type) => [type.totalsSection, type.samplesSection]),
    ])
    .reduce((sum, section) => sum + section.storedLength, 0);
  assert.equal(bytesRead, stored);
});

test('a dataset is let go before the next one is merged', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  const readers = await openAll(inputs(6));
  const given: WeakRef<object>[] = [];
  let alive = 0;
  const beforeDataset = async () => {
    await setImmediate();
    collectGarbage();
    alive = Math.max(alive, given.filter((dataset) => dataset.deref() !== undefined).length);
  };
  const merge = new BlockMerge(readers, await readBatchTables(readers), { beforeDataset });
  const datasets = merge.datasets();
  const next = datasets.next.bind(datasets);
  datasets.next = async () => {
    const result = await next();
    if (!result.done) given.push(new WeakRef(result.value));
    return result;
  };
  merge.datasets = () => datasets;
  for await (const _family of compactFamilies(merge, { ...OPTIONS, nextBlockId: () => 'out' }, codec));
  assert.equal(given.length, SERVICES.length);
  assert.equal(alive, 0);
});

test('a dataset is made of no more than its limit, and a family ends behind the one that passes its own', async () => {
  const readers = await openAll(inputs(12));
  const largest = Math.max(...readers.flatMap(({ directory }) => directory.datasets.map(unfoldedBytes)));
  const whole = await compact(readers);
  assert.equal(whole.families.length, 1);
  assert.ok(whole.merge.peakDatasetBytes > 6 * largest);
  const datasetBytesMax = largest * 3;
  const cut = await compact(readers, { datasetBytesMax, partBytesMax: 100 });
  assert.ok(cut.merge.peakDatasetBytes <= datasetBytesMax);
  assert.ok(cut.families.length >= SERVICES.length * 4, `${cut.families.length} families`);
  for (const column of [0, 1, 2]) {
    const content = async ({ families }: typeof whole) => {
      const blocks = families.map((family) => family[column]!);
      return (await Promise.all(blocks.map(async ({ bytes }) => contentOfBlock(await open(bytes))))).flat();
    };
    const [one, many] = [await content(whole), await content(cut)];
    if (column === 0) assert.deepEqual(many.sort(), one.sort());
    assert.equal(totalOf(many), totalOf(one));
  }
  for (const family of cut.families) {
    assert.deepEqual(family[1]!.batchIds, ['c/sealed', family[0]!.directory.blockId]);
  }
});

function totalOf(lines: readonly string[]): bigint {
  return lines.reduce((sum, line) => sum + BigInt(/ t=(\d+) /.exec(line)![1]!), 0n);
}

test('a job that would become more families than fit says what to change', async () => {
  const readers = await openAll(inputs(12));
  const job = compact(readers, { datasetBytesMax: 1, partsMax: 4 });
  await assert.rejects(
    job,
    (error) => error instanceof RejectedError && /compaction\.bytesMax/.test(error.message),
  );
});

const MANY = Array.from({ length: 12 }, (_, i) => `service-${i}`);

/** Blocks of many services, each of which has windows in every block. */
function wideInputs(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const rows: RowSpec[] = MANY.map((service) => ({
      ...{ service, batch: `c/n/b/${i}`, start: 1_700_006_400_000 + i * 10_000 },
      stacks: { main: i + 1, [`main;${service}`]: 3 },
    }));
    return blockOf(rows, `in-${i}`);
  });
}

test('a split writes one shard after the other: its output is one block at a time, each of one shard', async () => {
  for (const [partBytesMax, partsMax] of [
    [1 << 30, 24],
    [100, 24],
    [100, 5],
  ] as const) {
    const readers = await openAll(wideInputs(5));
    let reads = 0;
    const groupOf = (service: string) => shardOf(service, 4);
    const merge = new BlockMerge(readers, await readBatchTables(readers), {
      groupOf,
      beforeDataset: async () => void reads++,
    });
    const options = {
      ...OPTIONS,
      downsampleTo: [],
      nextBlockId: () => `out-${reads}`,
      partBytesMax,
      partsMax,
    };
    const lines: string[] = [];
    const groups: number[] = [];
    let written = 0;
    for await (const [block, ...more] of compactFamilies(merge, options, codec)) {
      assert.deepEqual(more, []);
      const services = block!.directory.datasets.map(({ service }) => service);
      assert.equal(new Set(services.map(groupOf)).size, 1);
      groups.push(groupOf(services[0]!));
      written += services.length;
      assert.ok(reads <= (written + 1) * readers.length, 'no more was read than is written, and one dataset');
      lines.push(...(await contentOfBlock(await open(block!.bytes))));
    }
    const wanted = new Set(MANY.map(groupOf)).size;
    assert.ok(wanted > 2);
    assert.equal(new Set(groups).size, wanted);
    assert.deepEqual([...groups].sort(), groups);
    const blocks = { 24: partBytesMax === 100 ? MANY.length : wanted, 5: 5 }[partsMax];
    assert.equal(groups.length, blocks, 'shards come first, then what is large is cut');
    const whole = await compact(await openAll(wideInputs(5)));
    const content = await contentOfBlock(await open(whole.families[0]![0]!.bytes));
    assert.deepEqual(lines.sort(), content);
  }
});

test('a block names the batches of its rows, and no other', async () => {
  const rows: RowSpec[] = [
    { service: 'shop', batch: 'c/n/b/1', start: 1_700_006_400_000, stacks: { main: 1 } },
    { service: 'cart', batch: 'd/n/b/2', start: 1_700_006_400_000, stacks: { main: 1 } },
  ];
  const readers = await openAll(rows.map((row, i) => blockOf([row], `in-${i}`)));
  const { families } = await compact(readers, { partBytesMax: 1 });
  assert.deepEqual(
    families.map((family) => family.map(({ batchIds }) => batchIds[0])),
    [
      ['d/n/b/2', 'd/sealed', 'd/sealed'],
      ['c/n/b/1', 'c/sealed', 'c/sealed'],
    ],
  );
  const reader = await open(families[1]![0]!.bytes);
  assert.deepEqual(await reader.batchIds(), ['c/n/b/1']);
  await reader.verify();
});

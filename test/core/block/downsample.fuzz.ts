// Laws of downsampling, on random datasets:
//   totals, samples, and the sum of every stack of every series stay what they were, to the last unit
//   1 h from 5 min is 1 h from raw
//   each row says how many raw windows it sums, and the smallest and largest of their totals
//   series without labels that are rolled up hold what those hold that differ in these alone
//   what is written as format version 2 reads as it was

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockBuilder } from '../../../core/block/block-builder.ts';
import type { BlockReader } from '../../../core/block/block-reader.ts';
import { BlockWriter } from '../../../core/block/block-writer.ts';
import { downsampleDataset } from '../../../core/block/downsample-dataset.ts';
import { mergeBlocks } from '../../../core/block/merge-blocks.ts';
import { type BlockDataset, spreadOf } from '../../../core/block/window-spread.ts';
import { CorruptBlockError } from '../../../core/errors.ts';
import { labelsKey } from '../../../core/labels/labels.ts';
import { addRow, codec, contentOf, contentOfBlock, open, property, randomRow } from './fixtures.ts';

const START = 1_700_000_000_000;
const FIVE_MINUTES = 300_000;
const HOUR = 3_600_000;
const META = { blockId: 'd', tenant: 't', level: 1, resolutionSeconds: 300 };

function randomDatasets(random: () => number): BlockDataset[] {
  const block = new BlockBuilder();
  for (let i = Math.floor(random() * 40); i >= 0; i--) {
    const start = START + Math.floor(random() * 3 * HOUR);
    addRow(block, { ...randomRow(random, `c/n/b/${i}`), start, duration: Math.floor(random() * 60_000) });
  }
  return block.datasets();
}

/** Real value per profile type, series and stack; windows and batches left out. */
function sumsOf(dataset: BlockDataset): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  const add = (key: string, value: bigint) => void sums.set(key, (sums.get(key) ?? 0n) + value);
  for (const line of contentOf(dataset)) {
    const [, type, labels, samples, entries] = /^(\S+) (.*?) \d+\+\d+ n=(\d+) t=\d+ (.*)$/.exec(line)!;
    add(`${type} ${labels} samples`, BigInt(samples!));
    for (const entry of entries!.split(/(?<=\d) (?=\[)/)) {
      const at = entry.lastIndexOf('=');
      add(`${type} ${labels} ${entry.slice(0, at)}`, BigInt(entry.slice(at + 1)));
    }
  }
  return sums;
}

/** Per row, in real values: what it is of, its total, and its spread. */
function windowsOf(dataset: BlockDataset, stepMs: number): string[] {
  const found = new Map<string, bigint[]>();
  for (const [type, rows] of dataset.types) {
    const { windows, least, most } = spreadOf(rows);
    for (let row = 0; row < rows.count; row++) {
      const step = Math.floor(rows.start[row]! / stepMs);
      const key = `${type} ${JSON.stringify(dataset.labelSets[rows.series[row]!])} ${step}`;
      const scale = BigInt(rows.scale[row]!);
      const [total, low, high] = [rows.total[row]!, least[row]!, most[row]!].map((n) => BigInt(n) * scale);
      const known = found.get(key) ?? [0n, 0n, low!, high!];
      found.set(key, [
        known[0]! + total!,
        known[1]! + BigInt(windows[row]!),
        low! < known[2]! ? low! : known[2]!,
        high! > known[3]! ? high! : known[3]!,
      ]);
    }
  }
  return [...found].map(([key, numbers]) => `${key} ${numbers.join(' ')}`).sort();
}

test('sums of stacks, totals and samples stay what they were', () =>
  property('downsampling is exact', (random) => {
    for (const dataset of randomDatasets(random)) {
      const five = downsampleDataset(dataset, FIVE_MINUTES);
      const hour = downsampleDataset(five, HOUR);
      assert.deepEqual(sumsOf(five), sumsOf(dataset));
      assert.deepEqual(sumsOf(hour), sumsOf(dataset));
      assert.deepEqual(windowsOf(five, FIVE_MINUTES), windowsOf(dataset, FIVE_MINUTES));
      assert.deepEqual(windowsOf(hour, HOUR), windowsOf(dataset, HOUR));
      assert.deepEqual(windowsOf(downsampleDataset(dataset, HOUR), HOUR), windowsOf(hour, HOUR));
    }
  }));

test('rolled up series hold what those hold that became one', () =>
  property('roll-up is exact', (random) => {
    for (const dataset of randomDatasets(random)) {
      const labelSets = dataset.labelSets.map((labels) => labels.filter(([name]) => name !== 'pod'));
      const without = { ...dataset, labelSets };
      const hour = downsampleDataset(dataset, HOUR, ['pod', 'absent']);
      assert.deepEqual(sumsOf(hour), sumsOf(without));
      assert.deepEqual(windowsOf(hour, HOUR), windowsOf(without, HOUR));
      assert.equal(new Set(hour.labelSets.map(labelsKey)).size, hour.labelSets.length);
      const stepwise = downsampleDataset(downsampleDataset(dataset, FIVE_MINUTES, ['pod']), HOUR);
      assert.deepEqual(contentOf(stepwise), contentOf(hour));
      assert.deepEqual(downsampleDataset(hour, HOUR, ['pod']).labelSets, hour.labelSets);
    }
  }));

function write(datasets: readonly BlockDataset[]): Promise<BlockReader> {
  const writer = new BlockWriter(codec, META.resolutionSeconds);
  for (const dataset of datasets) writer.addDataset(dataset);
  return open(writer.finish(META, ['c/sealed', 'raw-block']).bytes);
}

test('a downsampled block reads as it was written, and merges with others', () =>
  property('version 2', async (random) => {
    const halves = [randomDatasets(random), randomDatasets(random)].map((datasets) =>
      datasets.map((dataset) => downsampleDataset(dataset, FIVE_MINUTES)),
    );
    const readers = await Promise.all(halves.map(write));
    for (const [i, reader] of readers.entries()) {
      await reader.verify();
      for (const [k, entry] of reader.directory.datasets.entries()) {
        const read = await reader.dataset(entry);
        assert.deepEqual(windowsOf(read, FIVE_MINUTES), windowsOf(halves[i]![k]!, FIVE_MINUTES));
        assert.deepEqual(contentOf(read), contentOf(halves[i]![k]!));
      }
    }
    const merged = await open((await mergeBlocks(readers, META, codec)).bytes);
    const lines = await Promise.all(readers.map(contentOfBlock));
    assert.deepEqual(await contentOfBlock(merged), lines.flat().sort());
  }));

test('a spread that cannot be is corruption', async () => {
  const [dataset] = randomDatasets(() => 0.5);
  const { types, ...rest } = downsampleDataset(dataset!, HOUR);
  const broken = new Map(
    [...types].map(([type, rows]) => [
      type,
      { ...rows, spread: { ...rows.spread!, most: rows.total.map((total) => total + 1) } },
    ]),
  );
  const reader = await write([{ ...rest, types: broken }]);
  await assert.rejects(reader.verify(), CorruptBlockError);
});

// Laws of the block, on random blocks:
//   read(write(x)) = x
//   merge is associative, and commutative up to table order, and conserves every total
//   the order and multiplicity in which batches arrive changes no answer
//   damaged bytes are a CorruptBlockError and nothing else

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockBuilder } from '../../../core/block/block-builder.ts';
import type { BlockReader } from '../../../core/block/block-reader.ts';
import { mergeBlocks } from '../../../core/block/merge-blocks.ts';
import { CorruptBlockError } from '../../../core/errors.ts';
import {
  addRow,
  blockOf,
  codec,
  contentOf,
  contentOfBlock,
  open,
  property,
  type RowSpec,
  randomRow,
} from './fixtures.ts';

const META = { blockId: 'm', tenant: 't', level: 1, resolutionSeconds: 0 };

/** Random batches: each row identity at most once per batch, as agents make them. */
function randomBatches(random: () => number): RowSpec[][] {
  return Array.from({ length: 2 + Math.floor(random() * 4) }, (_, i) => {
    const rows = new Map<string, RowSpec>();
    for (let k = Math.floor(random() * 8); k >= 0; k--) {
      const row = randomRow(random, `c/n/b/${i + 1}`);
      rows.set(`${row.service}|${row.type}|${row.pod}|${row.start}`, row);
    }
    return [...rows.values()];
  });
}

async function merge(inputs: readonly BlockReader[]): Promise<BlockReader> {
  return open((await mergeBlocks(inputs, META, codec)).bytes);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const k = Math.floor(random() * (i + 1));
    [result[i], result[k]] = [result[k]!, result[i]!];
  }
  return result;
}

test('what is read is what was written', () =>
  property('read(write(x)) = x', async (random) => {
    const block = new BlockBuilder();
    for (const batch of randomBatches(random)) for (const row of batch) addRow(block, row);
    const before = block
      .datasets()
      .flatMap((dataset) => contentOf(dataset).map((line) => `${dataset.service} ${line}`));
    const reader = await open(block.write(META, codec).bytes);
    assert.deepEqual(await contentOfBlock(reader), before.sort());
  }));

test('merge is associative and commutative, and conserves totals', () =>
  property('merge laws', async (random) => {
    const blocks = await Promise.all(randomBatches(random).map((rows) => open(blockOf(rows))));
    const whole = await merge(blocks);
    const cut = 1 + Math.floor(random() * (blocks.length - 1));
    const parts = await merge([await merge(blocks.slice(0, cut)), await merge(blocks.slice(cut))]);
    const other = await merge(shuffled(blocks, random));
    const expected = await contentOfBlock(whole);
    assert.deepEqual(await contentOfBlock(parts), expected);
    assert.deepEqual(await contentOfBlock(other), expected);
    const totalOf = (reader: BlockReader) =>
      reader.directory.datasets.flatMap((d) => d.types).reduce((sum, type) => sum + type.total, 0n);
    assert.equal(
      totalOf(whole),
      blocks.reduce((sum, block) => sum + totalOf(block), 0n),
    );
  }));

test('order and multiplicity of batches change nothing', () =>
  property('exactly once', async (random) => {
    const batches = randomBatches(random).map((rows) => blockOf(rows));
    const expected = await contentOfBlock(await merge(await Promise.all(batches.map(open))));
    const repeated = shuffled(
      [...batches, ...batches.filter(() => random() < 0.5), ...batches.filter(() => random() < 0.2)],
      random,
    );
    const cut = Math.floor(random() * repeated.length);
    const first = await merge(await Promise.all(repeated.slice(0, cut).map(open)));
    const second = await merge(await Promise.all(repeated.slice(cut).map(open)));
    assert.deepEqual(await contentOfBlock(await merge([second, first])), expected);
  }));

test('damage is corruption and nothing else', () =>
  property('damage', async (random) => {
    const bytes = blockOf(randomBatches(random).flat());
    const intact = await contentOfBlock(await open(bytes));
    for (let i = 0; i < 20; i++) {
      const damaged = bytes.slice(0, random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length);
      for (let k = Math.floor(random() * 4); k >= 0; k--)
        damaged[Math.floor(random() * damaged.length)] = random() * 256;
      try {
        const reader = await open(damaged);
        await reader.verify();
        assert.deepEqual(
          await contentOfBlock(reader),
          intact,
          'damage went unnoticed and changed the content',
        );
      } catch (error) {
        if (!(error instanceof CorruptBlockError)) throw error;
      }
    }
  }));

test('hostile sections behind right checksums are refused, in bounded time', () =>
  property('hostile sections', async (random) => {
    // Re-encode a block through a codec that mutates what it compresses: all checksums and lengths stay right.
    const mutating = {
      ...codec,
      compress: (raw: Uint8Array) => {
        const mutated = raw.slice();
        if (random() < 0.5) mutated[Math.floor(random() * mutated.length)] = random() * 256;
        return codec.compress(mutated);
      },
    };
    const block = new BlockBuilder();
    for (const batch of randomBatches(random)) for (const row of batch) addRow(block, row);
    const { bytes } = block.write(META, mutating);
    try {
      await (await open(bytes)).verify();
    } catch (error) {
      if (!(error instanceof CorruptBlockError)) throw error;
    }
  }));

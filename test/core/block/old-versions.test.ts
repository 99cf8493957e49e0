import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { contentOfBlock, open } from './fixtures.ts';

// Files of every format version that was ever released, read as they were written then.

test('a block of format version 1 reads as it was written', async () => {
  const file = new URL('../../fixtures/blocks/v1.block', import.meta.url);
  const reader = await open(new Uint8Array(readFileSync(file)));
  assert.equal(reader.directory.blockId, 'fixture-v1');
  assert.deepEqual(await reader.batchIds(), ['prod-eu/node-1/boot/1', 'prod-eu/node-2/boot/7']);
  const series = (pod: string, service: string) =>
    `[["cluster","c"],["pod","${pod}"],["service_name","${service}"]]`;
  const cpu = 'shop process_cpu:cpu:nanoseconds:cpu:nanoseconds';
  assert.deepEqual(await contentOfBlock(reader), [
    `cart memory:inuse_space:bytes:space:bytes ${series('pod-0', 'cart')} 1700000000000+10000 n=1 t=4096 ["main","λ"]=4096`,
    `${cpu} ${series('pod-0', 'shop')} 1700000000000+10000 n=4 t=210526312 ["main","serve","parse"]=157894734 ["main","serve"]=52631578`,
    `${cpu} ${series('pod-1', 'shop')} 1700000010000+10000 n=2 t=105263156 ["main","serve","parse"]=105263156`,
  ]);
});

test('a block of format version 2, which is downsampled, reads as it was written', async () => {
  const file = new URL('../../fixtures/blocks/v2.block', import.meta.url);
  const reader = await open(new Uint8Array(readFileSync(file)));
  assert.equal(reader.directory.resolutionSeconds, 300);
  assert.deepEqual(await reader.batchIds(), ['c/sealed', 'raw-block']);
  const series = (service: string) => `[["cluster","c"],["pod","pod-0"],["service_name","${service}"]]`;
  const cpu = 'shop process_cpu:cpu:nanoseconds:cpu:nanoseconds';
  assert.deepEqual(await contentOfBlock(reader), [
    `cart memory:inuse_space:bytes:space:bytes ${series('cart')} 1700000100000+300000 n=1 t=4096 ["main","λ"]=4096`,
    `${cpu} ${series('shop')} 1700000100000+300000 n=5 t=263157890 ["main","serve","parse"]=210526312 ["main","serve"]=52631578`,
    `${cpu} ${series('shop')} 1700000400000+300000 n=2 t=105263156 ["main","serve"]=105263156`,
  ]);
  const shop = reader.directory.datasets[1]!;
  const { totals } = await reader.totals(shop, shop.types[0]!);
  assert.deepEqual(
    { scale: totals.scale, ...totals.spread },
    {
      scale: Float64Array.of(52_631_578, 105_263_156),
      windows: Float64Array.of(2, 1),
      least: Float64Array.of(1, 1),
      most: Float64Array.of(4, 1),
    },
  );
});

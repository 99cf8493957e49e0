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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  SHARDS_MAX,
  shardClassOf,
  shardMask,
  shardOf,
  shardsFor,
} from '../../../core/compaction/service-shard.ts';

test('a service is in the same shard for good', () => {
  // By another hash, blocks that were split today would be of several shards tomorrow.
  assert.deepEqual(
    ['', 'shop', 'cart', 'ns/λ', 'x'.repeat(300)].map((service) => shardOf(service)),
    [9, 12, 6, 14, 14],
  );
});

test('fewer shards are unions of more', () => {
  for (let i = 0; i < 1000; i++) {
    const service = `service-${i}`;
    for (let shards = SHARDS_MAX; shards >= 1; shards /= 2)
      assert.equal(shardOf(service, shards), shardOf(service) % shards);
  }
});

test('services are spread evenly, whatever their names have in common', () => {
  for (const nameOf of [
    (i: number) => `service-${i}`,
    (i: number) => `team-${i % 7}/deployment-${i}`,
    (i: number) => `${i}.prod`,
    (i: number) => String.fromCharCode(97 + (i % 26)).repeat(1 + Math.floor(i / 26)),
  ]) {
    const counts = new Array<number>(SHARDS_MAX).fill(0);
    for (let i = 0; i < 1600; i++) counts[shardOf(nameOf(i))]!++;
    for (const count of counts) assert.ok(count > 50 && count < 160, counts.join());
  }
});

test('the class of a block is the smallest shard that has all of its services', () => {
  const names = (wanted: readonly number[]) =>
    wanted.map((shard) => {
      for (let i = 0; ; i++) if (shardOf(`s${i}`) === shard) return { service: `s${i}` };
    });
  const classOf = (wanted: readonly number[], most: number) => shardClassOf(shardMask(names(wanted)), most);
  assert.deepEqual(classOf([5], 16), { shards: 16, shard: 5 });
  assert.deepEqual(classOf([5], 4), { shards: 4, shard: 1 });
  assert.deepEqual(classOf([5, 13], 16), { shards: 8, shard: 5 });
  assert.deepEqual(classOf([1, 5, 13], 16), { shards: 4, shard: 1 });
  assert.deepEqual(classOf([0, 1], 16), { shards: 1, shard: 0 });
  assert.deepEqual(classOf([5], 1), { shards: 1, shard: 0 });
});

test('there are as few shards as do', () => {
  assert.deepEqual(
    [0, 100, 101, 200, 201, 1600, 1e9].map((bytes) => shardsFor(bytes, 100)),
    [1, 1, 2, 2, 4, 16, 16],
  );
});

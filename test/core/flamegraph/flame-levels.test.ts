import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffTrees } from '../../../core/flamegraph/diff.ts';
import { flameLevels, flameLevelsOfDiff, INT64_MAX } from '../../../core/flamegraph/flame-levels.ts';
import { trimTree } from '../../../core/flamegraph/trim.ts';
import { forSeeds, pathValues, randomStacks, treeOf } from './random-trees.ts';

const numbers = (levels: bigint[][]) => levels.map((level) => level.map(Number));
const example = [
  { stack: ['a'], value: 2 },
  { stack: ['a', 'b'], value: 5 },
  { stack: ['a', 'c'], value: 3 },
];

test('the worked example of the Pyroscope encoding', () => {
  const encoded = flameLevels(treeOf(example, 'name'));
  assert.deepEqual(encoded.names, ['total', 'a', 'b', 'c']);
  assert.deepEqual(numbers(encoded.levels), [
    [0, 10, 0, 0],
    [0, 10, 2, 1],
    [2, 5, 5, 2, 0, 3, 3, 3],
  ]);
  assert.equal(encoded.total, 10n);
  assert.equal(encoded.maxSelf, 5n);
});

test('a diff has seven numbers per bar, and bars of value 0 where a side lacks the path', () => {
  const diff = diffTrees(treeOf(example), treeOf([{ stack: ['a', 'd'], value: 4 }]));
  const encoded = flameLevelsOfDiff(diff);
  assert.deepEqual(encoded.names, ['total', 'a', 'b', 'c', 'd']);
  assert.deepEqual(numbers(encoded.levels), [
    [0, 10, 0, 0, 4, 0, 0],
    [0, 10, 2, 0, 4, 0, 1],
    [2, 5, 5, 0, 0, 0, 2, 0, 3, 3, 0, 0, 0, 3, 0, 0, 0, 0, 4, 4, 4],
  ]);
  assert.deepEqual(
    [encoded.total, encoded.leftTicks, encoded.rightTicks, encoded.maxSelf],
    [14n, 10n, 4n, 5n],
  );
});

test('values are in the unit, exact beyond 2^53, and end at int64', () => {
  const exact = flameLevels(treeOf([{ stack: ['a'], value: 2 ** 52 + 1 }], 'heavy', 1000));
  assert.equal(exact.total, (2n ** 52n + 1n) * 1000n);
  const beyond = flameLevels(treeOf([{ stack: ['a'], value: 2 ** 52 }], 'heavy', 10_000_000));
  assert.equal(beyond.total, INT64_MAX);
  assert.equal(beyond.maxSelf, INT64_MAX);
});

test('what was trimmed is called "other", and a function named "other" keeps its callees', () => {
  const stacks = Array.from({ length: 40 }, (_, i) => ({ stack: ['other', `f${i}`], value: 1 + i }));
  const encoded = flameLevels(trimTree(treeOf(stacks), 10).tree);
  assert.equal(encoded.names.filter((name) => name === 'other').length, 2);
  assert.equal(encoded.levels.length, 3);
  assert.equal(encoded.levels[2].length, 8 * 4);
});

test('levels read back are the tree', () => {
  forSeeds((random) => {
    const tree = treeOf(randomStacks(random));
    const { names, levels } = flameLevels(tree);
    type Bar = { x: number; end: number; self: number; path: string };
    let above: Bar[] = [];
    const paths = new Map<string, [number, number]>();
    for (const level of numbers(levels)) {
      const bars: Bar[] = [];
      let at = 0;
      for (let i = 0; i < level.length; i += 4) {
        const x = at + level[i];
        const end = x + level[i + 1];
        const parent = above.find((bar) => x >= bar.x + bar.self && end <= bar.end && end > x);
        const path = parent ? `${parent.path}›${names[level[i + 3]]}` : names[level[i + 3]];
        bars.push({ x, end, self: level[i + 2], path });
        paths.set(path, [level[i + 2], level[i + 1]]);
        at = end;
      }
      above = bars;
    }
    assert.deepEqual(paths, pathValues(tree));
  }, 40);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutFlame } from '../../../core/flamegraph/layout.ts';
import { skylineOf } from '../../../web/src/canvas/paint-minimap.ts';
import { treeOf } from '../../core/flamegraph/random-trees.ts';

const tree = treeOf([
  { stack: ['main', 'parse', 'read'], value: 50 },
  { stack: ['main', 'parse'], value: 10 },
  { stack: ['main', 'write'], value: 30 },
  { stack: ['idle'], value: 10 },
]);
const layout = layoutFlame(tree);

test('the skyline is as deep as the stacks at each column', () => {
  const { depth, deepest } = skylineOf(layout, 10, undefined);
  assert.deepEqual([...depth], [3, 3, 3, 3, 3, 2, 2, 2, 2, 1]);
  assert.equal(deepest, 3);
});

test('frames narrower than a column are left out with what they call', () => {
  assert.equal(skylineOf(layout, 1, undefined).deepest, 0);
});

test('matches are marked where they lie', () => {
  const matched = Uint8Array.from(tree.names, (name) => (name === 'write' ? 1 : 0));
  assert.deepEqual([...skylineOf(layout, 10, matched).hit], [0, 0, 0, 0, 0, 0, 1, 1, 1, 0]);
});

test('an empty tree has an empty skyline', () => {
  const { depth, deepest } = skylineOf(layoutFlame(treeOf([])), 4, undefined);
  assert.deepEqual([[...depth], deepest], [[0, 0, 0, 0], 0]);
});

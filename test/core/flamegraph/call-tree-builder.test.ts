import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameKind } from '../../../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../../../core/flamegraph/call-tree-builder.ts';
import { checkTree, treeOf } from './random-trees.ts';

test('a small tree, heaviest sibling first', () => {
  const tree = treeOf([
    { stack: ['a'], value: 2 },
    { stack: ['a', 'c'], value: 3 },
    { stack: ['a', 'b'], value: 5 },
  ]);
  assert.deepEqual(tree.names, ['total', 'a', 'b', 'c']);
  assert.deepEqual([...tree.nameOf], [0, 1, 2, 3]);
  assert.deepEqual([...tree.level], [0, 1, 2, 2]);
  assert.deepEqual([...tree.parent], [0, 0, 1, 1]);
  assert.deepEqual([...tree.end], [4, 4, 3, 4]);
  assert.deepEqual([...tree.self], [0, 2, 5, 3]);
  assert.deepEqual([...tree.total], [10, 10, 5, 3]);
});

test('name order, and ties of the heavy order, follow the name', () => {
  const stacks = ['z', 'y', 'x'].map((name, i) => ({ stack: [name], value: i === 0 ? 9 : 4 }));
  assert.deepEqual(treeOf(stacks, 'name').names, ['total', 'x', 'y', 'z']);
  assert.deepEqual(treeOf(stacks, 'heavy').names, ['total', 'z', 'x', 'y']);
});

test('nodes without value are left out', () => {
  const tree = treeOf([
    { stack: ['a', 'b', 'c'], value: 0 },
    { stack: ['a', 'd'], value: 1 },
  ]);
  assert.deepEqual(tree.names, ['total', 'a', 'd']);
});

test('an empty tree is its root', () => {
  const tree = new CallTreeBuilder({ scale: 1, unit: 'bytes' }).build();
  assert.equal(tree.nameOf.length, 1);
  assert.deepEqual([...tree.end], [1]);
  assert.equal(tree.total[0], 0);
});

test('a function that is really called "total" is not the root', () => {
  const tree = treeOf([{ stack: ['total', 'x'], value: 1 }]);
  assert.deepEqual(tree.names, ['total', 'total', 'x']);
  assert.deepEqual([...tree.nameOf], [0, 1, 2]);
});

test('kind and module do not depend on who named a function first', () => {
  const build = (swap: boolean) => {
    const builder = new CallTreeBuilder({ scale: 1, unit: 'count' });
    const calls: [FrameKind, string][] = [
      [FrameKind.unknown, ''],
      [FrameKind.jit, 'b'],
      [FrameKind.native, 'a'],
    ];
    if (swap) calls.reverse();
    for (const [kind, module] of calls) builder.addSelf(builder.child(0, builder.name('f', kind, module)), 1);
    return builder.build();
  };
  assert.deepEqual(build(false), build(true));
  assert.equal(build(false).modules[build(false).moduleOf[1]], 'a');
  assert.equal(build(false).kinds[1], FrameKind.native);
});

test('20,000 deep without recursion', () => {
  const builder = new CallTreeBuilder({ scale: 1, unit: 'count' });
  let node = 0;
  for (let depth = 0; depth < 20_000; depth++) {
    node = builder.child(node, builder.name(`f${depth % 7}`, FrameKind.native, ''));
  }
  builder.addSelf(node, 1);
  const tree = builder.build();
  assert.equal(tree.nameOf.length, 20_001);
  assert.equal(tree.level[20_000], 20_000);
  checkTree(tree);
});

test('sums up to 2^53 − 1 stay exact, beyond it the scale grows and the tree still adds up', () => {
  const exact = treeOf([
    { stack: ['a'], value: Number.MAX_SAFE_INTEGER - 5 },
    { stack: ['b'], value: 5 },
  ]);
  assert.equal(exact.total[0], Number.MAX_SAFE_INTEGER);
  assert.equal(exact.scale, 1);
  const rounded = treeOf([
    { stack: ['a'], value: Number.MAX_SAFE_INTEGER },
    { stack: ['b'], value: Number.MAX_SAFE_INTEGER },
  ]);
  assert.ok(rounded.scale > 1);
  checkTree(rounded);
  assert.ok(Math.abs((rounded.total[0] * rounded.scale) / (2 * Number.MAX_SAFE_INTEGER) - 1) < 1e-9);
});

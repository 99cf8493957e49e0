import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError } from '../../../core/errors.ts';
import { diffTrees } from '../../../core/flamegraph/diff.ts';
import { decodeTree, encodeTree } from '../../../core/flamegraph/tree-codec.ts';
import { sidesOfDiff } from '../../../core/flamegraph/tree-sides.ts';
import { aHeader, checkTree, forSeeds, randomStacks, treeOf } from './random-trees.ts';

// Invariants: decode ∘ encode = identity; broken bytes give MalformedInputError or a tree that keeps all rules.

test('decode of encode is the same tree', () => {
  forSeeds((random) => {
    const tree = treeOf(randomStacks(random), 'heavy', 1 + Math.floor(random() * 1e7));
    const decoded = decodeTree(encodeTree(tree, aHeader(tree)));
    assert.deepEqual(decoded.tree, tree);
    assert.equal(decoded.right, undefined);
    assert.deepEqual(decoded.header, {
      ...aHeader(tree),
      unit: 'count',
      scale: tree.scale,
      nodes: tree.nameOf.length,
      diff: false,
    });
  });
});

test('decode of an encoded diff has both sides', () => {
  forSeeds((random) => {
    const sides = sidesOfDiff(diffTrees(treeOf(randomStacks(random)), treeOf(randomStacks(random))));
    const decoded = decodeTree(encodeTree(sides, aHeader(sides.tree)));
    assert.deepEqual(decoded.tree, sides.tree);
    assert.deepEqual(decoded.right, sides.right);
    assert.equal(decoded.header.diff, true);
  });
});

function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const cut = random() < 0.2 ? bytes.slice(0, Math.floor(random() * bytes.length)) : bytes.slice();
  const changes = 1 + Math.floor(random() * 4);
  for (let i = 0; i < changes && cut.length > 0; i++) {
    const values = [0, 1, 127, 128, 255, Math.floor(random() * 256)];
    cut[Math.floor(random() * cut.length)] = values[Math.floor(random() * values.length)];
  }
  return cut;
}

test('mutated bytes give MalformedInputError or a sound tree', () => {
  let refused = 0;
  forSeeds((random) => {
    const diff = sidesOfDiff(diffTrees(treeOf(randomStacks(random, 8)), treeOf(randomStacks(random, 8))));
    const bytes = encodeTree(random() < 0.5 ? diff : diff.tree, aHeader(diff.tree));
    for (let i = 0; i < 40; i++) {
      try {
        const { tree, right } = decodeTree(mutate(bytes, random));
        checkTree(tree);
        if (right) checkTree(tree, right);
      } catch (error) {
        if (!(error instanceof MalformedInputError)) throw error;
        refused++;
      }
    }
  }, 100);
  assert.ok(refused > 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findPath, pathHash } from '../../../web/src/state/path-hash.ts';
import { forSeeds, randomStacks, treeOf } from '../../core/flamegraph/random-trees.ts';

// Invariants: every row has a hash of its own and is found by it; the same path has the same hash in another tree.

test('rows are found by their path, in their own tree and in others', () => {
  forSeeds((random) => {
    const stacks = randomStacks(random);
    const tree = treeOf(stacks);
    const hashes = new Set<string>();
    for (let row = 1; row < tree.nameOf.length; row++) {
      const hash = pathHash(tree, row);
      assert.match(hash, /^[0-9a-z]{14}$/);
      hashes.add(hash);
      assert.equal(findPath(tree, hash), row);
    }
    assert.equal(hashes.size, tree.nameOf.length - 1);
    const other = treeOf([...stacks, ...randomStacks(random)], 'name');
    for (let row = 1; row < tree.nameOf.length; row++) {
      const found = findPath(other, pathHash(tree, row));
      assert.equal(pathText(other, found), pathText(tree, row));
    }
    assert.equal(findPath(tree, 'zzzzzzzzzzzzzz'), -1);
  }, 40);
});

function pathText(tree: ReturnType<typeof treeOf>, row: number): string {
  return row === 0 ? '' : `${pathText(tree, tree.parent[row])}›${tree.names[tree.nameOf[row]]}`;
}

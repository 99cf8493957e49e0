import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hotPath, openRows, sameRows, siblingPlace } from '../../../web/src/state/tree-rows.ts';
import {
  nextSibling,
  nextWanted,
  pathTo,
  previousSibling,
  widerAncestor,
  widestChild,
} from '../../../web/src/state/tree-walk.ts';
import { treeOf } from '../../core/flamegraph/random-trees.ts';

// total › a(10) › b(6) › d(6)
//                 c(3)
//                 e(1)
const tree = treeOf([
  { stack: ['a', 'b', 'd'], value: 6 },
  { stack: ['a', 'c'], value: 3 },
  { stack: ['a', 'e'], value: 1 },
]);
const row = (name: string) => tree.nameOf.indexOf(tree.names.indexOf(name));

test('arrow keys', () => {
  assert.equal(widestChild(tree, row('a'), tree.total), row('b'));
  assert.equal(widestChild(tree, row('d'), tree.total), row('d'));
  assert.equal(nextSibling(tree, row('b')), row('c'));
  assert.equal(nextSibling(tree, row('e')), row('e'));
  assert.equal(nextSibling(tree, 0), 0);
  assert.equal(previousSibling(tree, row('c')), row('b'));
  assert.equal(previousSibling(tree, row('b')), row('b'));
});

test('next and previous go round', () => {
  const wanted = (name: number) => ['b', 'e'].includes(tree.names[name]);
  assert.equal(nextWanted(tree, 0, wanted, 1), row('b'));
  assert.equal(nextWanted(tree, row('b'), wanted, 1), row('e'));
  assert.equal(nextWanted(tree, row('e'), wanted, 1), row('b'));
  assert.equal(nextWanted(tree, row('b'), wanted, -1), row('e'));
  assert.equal(
    nextWanted(tree, row('c'), () => false, 1),
    row('c'),
  );
});

test('zooming out skips callers that are no wider', () => {
  const wide = treeOf([
    { stack: ['a', 'b', 'd'], value: 6 },
    { stack: ['a', 'c'], value: 3 },
    { stack: ['x'], value: 3 },
  ]);
  const d = wide.nameOf.indexOf(wide.names.indexOf('d'));
  assert.equal(wide.names[wide.nameOf[widerAncestor(wide, d, wide.total)]], 'a');
  assert.equal(widerAncestor(tree, row('d'), tree.total), 0, 'a is as wide as everything');
  assert.equal(widerAncestor(tree, row('a'), tree.total), 0);
  assert.deepEqual(pathTo(tree, row('d')), [row('a'), row('b'), row('d')]);
});

test('the tree view opens what is hot', () => {
  assert.deepEqual(openRows(tree, new Set()), [0]);
  assert.deepEqual(openRows(tree, new Set([0, row('a')])), [0, row('a'), row('b'), row('c'), row('e')]);
  assert.deepEqual(hotPath(tree, tree.total), [0, row('a'), row('b'), row('d')]);
  assert.deepEqual(siblingPlace(tree, row('c')), { place: 2, count: 3 });
  assert.deepEqual(siblingPlace(tree, 0), { place: 1, count: 1 });
});

test('what was open is found again in another tree', () => {
  const other = treeOf(
    [
      { stack: ['a', 'x', 'd'], value: 9 },
      { stack: ['a', 'b', 'd'], value: 1 },
    ],
    'name',
  );
  const found = [...sameRows(tree, other, [row('d'), row('c'), 0, row('b')])].map(
    (at) => other.names[other.nameOf[at]],
  );
  assert.deepEqual(found.sort(), ['b', 'd', 'total']);
});

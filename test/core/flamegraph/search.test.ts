import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invertDepth, invertRows } from '../../../core/flamegraph/invert.ts';
import { compileSearch, matchNames, summarizeMatches } from '../../../core/flamegraph/search.ts';
import { checkTree, treeOf } from './random-trees.ts';

const tree = treeOf([
  { stack: ['main', 'net.Read', 'net.poll'], value: 6 },
  { stack: ['main', 'json.Parse'], value: 4 },
]);

function found(text: string) {
  const pattern = compileSearch(text);
  assert.ok(pattern.ok);
  return summarizeMatches(tree, matchNames(tree, pattern.regex));
}

test('nested matches count once, against the whole', () => {
  assert.deepEqual(found('^net\\.'), { value: 6, rows: 2, names: 2 });
  assert.deepEqual(found('main|json'), { value: 10, rows: 2, names: 2 });
  assert.deepEqual(found('nothing'), { value: 0, rows: 0, names: 0 });
});

test('lower case ignores case, upper case does not', () => {
  assert.equal(found('read').rows, 1);
  assert.equal(found('READ').rows, 0);
  assert.equal(found('\\Sread').rows, 1, 'an escape is not an upper-case letter');
});

test('the root is never found', () => assert.equal(found('total').rows, 0));

test('a broken pattern says why', () => {
  const pattern = compileSearch('a(');
  assert.deepEqual(pattern, { ok: false, message: 'Unterminated group' });
});

test('an inversion that would walk too far is cut, and still adds up', () => {
  const deep = treeOf(
    Array.from({ length: 50 }, (_, i) => ({
      stack: Array.from({ length: i + 1 }, (_, k) => `f${k}`),
      value: 1,
    })),
  );
  assert.equal(
    invertDepth(deep, (row) => deep.self[row] > 0, 50 + 49 + 48),
    3,
  );
  const inverted = invertRows({ tree: deep }, 'heavy', 147).tree;
  checkTree(inverted);
  assert.equal(inverted.total[0], 50);
  assert.equal(Math.max(...inverted.level), 3);
});

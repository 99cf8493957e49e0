import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffTrees } from '../../../core/flamegraph/diff.ts';
import { encodeTree } from '../../../core/flamegraph/tree-codec.ts';
import { sidesOfDiff } from '../../../core/flamegraph/tree-sides.ts';
import type {
  SandwichAnswer,
  SearchAnswer,
  Shaped,
  Shaping,
  TableAnswer,
} from '../../../web/src/worker/messages.ts';
import { TreeSession } from '../../../web/src/worker/tree-session.ts';
import { aHeader, treeOf } from '../../core/flamegraph/random-trees.ts';

const tree = treeOf([
  { stack: ['main', 'parse'], value: 6 },
  { stack: ['main', 'write'], value: 3 },
  { stack: ['idle'], value: 1 },
]);
const PLAIN: Shaping = { steps: [], order: 'heavy', search: '', table: false, pivot: '' };

function loaded(shaping: Partial<Shaping> = {}) {
  const session = new TreeSession();
  const bytes = encodeTree(tree, aHeader(tree));
  return {
    session,
    shaped: session.answer({ kind: 'load', bytes, shaping: { ...PLAIN, ...shaping } }) as Shaped,
  };
}

test('a load gives the tree as it was sent', () => {
  const { shaped } = loaded();
  assert.deepEqual(shaped.tree, tree);
  assert.deepEqual(shaped.whole, { left: 10, right: 0 });
  assert.equal(shaped.search ?? shaped.table ?? shaped.sandwich, undefined);
});

test('what is on show comes with the tree, and is about it', () => {
  const { session, shaped } = loaded({ search: 'parse|idle', table: true, pivot: 'main' });
  assert.ok(shaped.search?.ok);
  assert.equal(shaped.search.left.value, 7);
  assert.equal(shaped.table?.left.total[tree.names.indexOf('main')], 9);
  assert.equal(shaped.sandwich?.callees.tree.total[0], 9);
  for (const answer of [shaped.search, shaped.table, shaped.sandwich])
    assert.equal(answer?.generation, shaped.generation);
  assert.deepEqual(session.answer({ kind: 'search', text: 'parse|idle' }), shaped.search);
  assert.deepEqual(session.answer({ kind: 'table' }), shaped.table);
  assert.deepEqual(session.answer({ kind: 'sandwich', name: 'main', order: 'heavy' }), shaped.sandwich);
});

test('a new shape starts from what was loaded and reports what it drops', () => {
  const { session, shaped } = loaded();
  const drop = { ...PLAIN, steps: [{ kind: 'drop', name: 'idle' } as const] };
  const dropped = session.answer({ kind: 'reshape', shaping: drop }) as Shaped;
  assert.deepEqual(dropped.dropped, { left: 1, right: 0 });
  assert.equal(dropped.tree.total[0], 9);
  assert.deepEqual(dropped.whole, shaped.whole);
  assert.ok(dropped.generation > shaped.generation);
  const search = session.answer({ kind: 'search', text: 'idle' }) as SearchAnswer;
  assert.ok(search.ok && search.left.value === 0, 'questions are about the shape on show');
  const byName = session.answer({ kind: 'reshape', shaping: { ...PLAIN, order: 'name' } }) as Shaped;
  assert.deepEqual(byName.tree.names, ['total', 'idle', 'main', 'parse', 'write']);
});

test('a diff keeps both sides through everything', () => {
  const diff = sidesOfDiff(diffTrees(tree, treeOf([{ stack: ['main', 'parse'], value: 8 }])));
  const session = new TreeSession();
  const bytes = encodeTree(diff, aHeader(tree));
  const shaped = session.answer({ kind: 'load', bytes, shaping: { ...PLAIN, order: 'name' } }) as Shaped;
  assert.deepEqual(shaped.whole, { left: 10, right: 8 });
  const table = session.answer({ kind: 'table' }) as TableAnswer;
  assert.equal(table.right?.self[shaped.tree.names.indexOf('parse')], 8);
  const sandwich = session.answer({ kind: 'sandwich', name: 'parse', order: 'name' }) as SandwichAnswer;
  assert.deepEqual([sandwich.callers.tree.total[0], sandwich.callers.right?.total[0]], [6, 8]);
});

test('a broken pattern is an answer, broken bytes are an error', () => {
  const { session } = loaded();
  assert.deepEqual((session.answer({ kind: 'search', text: '(' }) as SearchAnswer).ok, false);
  assert.throws(() => session.answer({ kind: 'load', bytes: new Uint8Array(9), shaping: PLAIN }), /CBT1/);
  assert.throws(() => new TreeSession().answer({ kind: 'table' }), /no tree is loaded/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../../core/errors.ts';
import { FrameKind } from '../../../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../../../core/flamegraph/call-tree-builder.ts';
import { foldedText } from '../../../core/flamegraph/folded.ts';
import { speedscopeText } from '../../../core/flamegraph/speedscope.ts';
import { forSeeds, pathValues, randomStacks, type StackValue, treeOf } from './random-trees.ts';

test('folded text has one line per stack, in the unit', () => {
  const tree = treeOf(
    [
      { stack: ['main', 'std::map<a;b>'], value: 3 },
      { stack: ['main'], value: 1 },
    ],
    'heavy',
    10,
  );
  assert.equal([...foldedText(tree)].join(''), 'main 10\nmain;std::map<a:b> 30\n');
});

test('folded text read back is the tree', () => {
  forSeeds((random) => {
    const tree = treeOf(randomStacks(random).filter(({ stack }) => stack.length > 0));
    const stacks: StackValue[] = [...foldedText(tree)]
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const space = line.lastIndexOf(' ');
        return { stack: line.slice(0, space).split(';'), value: Number(line.slice(space + 1)) };
      });
    assert.deepEqual(pathValues(treeOf(stacks)), pathValues(tree));
  }, 20);
});

test('speedscope JSON follows the schema of a sampled profile, and read back is the tree', () => {
  forSeeds((random) => {
    const tree = treeOf(randomStacks(random));
    const file = JSON.parse([...speedscopeText(tree, { name: 'api · cpu' })].join(''));
    assert.equal(file.$schema, 'https://www.speedscope.app/file-format-schema.json');
    const [profile] = file.profiles;
    assert.equal(profile.type, 'sampled');
    assert.equal(profile.name, 'api · cpu');
    assert.equal(profile.unit, 'none');
    assert.equal(profile.startValue, 0);
    assert.equal(profile.endValue, tree.total[0]);
    assert.equal(profile.samples.length, profile.weights.length);
    const stacks: StackValue[] = profile.samples.map((sample: number[], i: number) => ({
      stack: sample.map((frame) => file.shared.frames[frame].name),
      value: profile.weights[i],
    }));
    assert.deepEqual(pathValues(treeOf(stacks)), pathValues(tree));
  }, 20);
});

test('speedscope keeps units it knows', () => {
  const builder = new CallTreeBuilder({ scale: 10, unit: 'nanoseconds' });
  builder.addSelf(builder.child(0, builder.name('f', FrameKind.native, '/bin/app')), 2);
  const file = JSON.parse([...speedscopeText(builder.build(), { name: 'x' })].join(''));
  assert.equal(file.profiles[0].unit, 'nanoseconds');
  assert.deepEqual(file.profiles[0].weights, [20]);
  assert.deepEqual(file.shared.frames, [{ name: 'f', file: '/bin/app' }]);
});

test('speedscope refuses a tree whose stacks would not fit, with the limit in the message', () => {
  const builder = new CallTreeBuilder({ scale: 1, unit: 'count' });
  const name = builder.name('f', FrameKind.native, '');
  let node = 0;
  for (let depth = 0; depth < 12_000; depth++) {
    node = builder.child(node, name);
    builder.addSelf(node, 1);
  }
  assert.throws(
    () => [...speedscopeText(builder.build(), { name: 'deep' })],
    (error) => error instanceof RejectedError && /speedscope_max_frames is 50000000/.test(error.message),
  );
});

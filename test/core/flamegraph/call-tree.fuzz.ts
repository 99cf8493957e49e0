import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffTrees } from '../../../core/flamegraph/diff.ts';
import { callersOf } from '../../../core/flamegraph/sandwich.ts';
import { matchNames, summarizeMatches } from '../../../core/flamegraph/search.ts';
import { topTable } from '../../../core/flamegraph/top-table.ts';
import { applyTransforms, reorder, type Transform } from '../../../core/flamegraph/transforms.ts';
import { sidesOfDiff } from '../../../core/flamegraph/tree-sides.ts';
import { TRIMMED_NAME, trimSides, trimTree } from '../../../core/flamegraph/trim.ts';
import {
  checkTree,
  forSeeds,
  moduleOfName,
  pathValues,
  randomStacks,
  type StackValue,
  stacksOf,
  treeOf,
} from './random-trees.ts';

// Invariants: Σ self = root total; children + self = total; the order of insertion changes nothing; a diff of A and B
// holds exactly A and B, and is the mirror of B and A; every transform conserves or reports value, and equals the same
// rule applied to the stacks one by one; the matched total equals a count over stacks; trimming keeps every total.

test('a tree is its stacks, in whatever order they came', () => {
  forSeeds((random) => {
    const stacks = randomStacks(random);
    const order = random() < 0.5 ? 'name' : 'heavy';
    const tree = treeOf(stacks, order);
    checkTree(tree);
    const shuffled = stacks.map((stack) => ({ stack, key: random() })).sort((a, b) => a.key - b.key);
    assert.deepEqual(
      treeOf(
        shuffled.map((entry) => entry.stack),
        order,
      ),
      tree,
    );
    assert.deepEqual(pathValues(treeOf(stacksOf(tree), order)), pathValues(tree));
  });
});

test('a diff holds both sides, and its mirror holds them swapped', () => {
  forSeeds((random) => {
    const scaleLeft = 1 + Math.floor(random() * 6);
    const left = treeOf(randomStacks(random), 'heavy', scaleLeft);
    const right = treeOf(randomStacks(random), 'heavy', 1 + Math.floor(random() * 6));
    const diff = diffTrees(left, right);
    const mirror = diffTrees(right, left);
    checkTree(diff.tree);
    checkTree(diff.tree, { self: diff.selfRight, total: diff.totalRight });
    assert.equal(diff.tree.total[0] * diff.tree.scale, left.total[0] * left.scale);
    assert.equal(diff.totalRight[0] * diff.tree.scale, right.total[0] * right.scale);
    assert.deepEqual(mirror.tree.names, diff.tree.names);
    assert.deepEqual(mirror.selfRight, diff.tree.self);
    assert.deepEqual(mirror.tree.total, diff.totalRight);
    const merged = pathValues(diff.tree);
    for (const [path, [self, total]] of pathValues(left)) {
      const [mergedSelf, mergedTotal] = merged.get(path)!;
      assert.equal(mergedSelf * diff.tree.scale, self * scaleLeft);
      assert.equal(mergedTotal * diff.tree.scale, total * scaleLeft);
    }
  });
});

/** What each step does to one stack; undefined when the stack goes. */
function transformed(stack: string[], step: Transform): string[] | undefined {
  switch (step.kind) {
    case 'focus': {
      const at = stack.indexOf(step.name);
      return at < 0 ? undefined : stack.slice(at);
    }
    case 'hide':
      return stack.filter((name) => name !== step.name);
    case 'drop':
      return stack.includes(step.name) ? undefined : stack;
    case 'invert':
      return stack.slice().reverse();
    case 'collapse-recursion': {
      const firstSeen = new Map<string, string[]>();
      let result: string[] = [];
      for (const name of stack) {
        result = firstSeen.get(name) ?? [...result, name];
        firstSeen.set(name, result);
      }
      return result;
    }
    case 'collapse-module': {
      const result: string[] = [];
      stack.forEach((name, i) => {
        if (moduleOfName(name) !== step.module) result.push(name);
        else if (i === 0 || moduleOfName(stack[i - 1]) !== step.module) result.push(`[${step.module}]`);
      });
      return result;
    }
  }
}

function someStep(random: () => number): Transform {
  const name = `f${Math.floor(random() * 12)}`;
  const steps: Transform[] = [
    { kind: 'focus', name },
    { kind: 'hide', name },
    { kind: 'drop', name },
    { kind: 'invert' },
    { kind: 'collapse-recursion' },
    { kind: 'collapse-module', module: moduleOfName(name) },
  ];
  return steps[Math.floor(random() * steps.length)];
}

test('a transform of the tree is the transform of its stacks, and reports what it dropped', () => {
  forSeeds((random) => {
    const stacks = randomStacks(random);
    const tree = treeOf(stacks);
    const step = someStep(random);
    const { sides, dropped } = applyTransforms({ tree }, [step]);
    checkTree(sides.tree);
    const expected: StackValue[] = [];
    for (const { stack, value } of stacks) {
      const result = transformed(stack, step);
      // Samples of the root itself have no frame that could be moved, and only focus and drop look at the stack.
      if (result !== undefined) expected.push({ stack: result, value });
    }
    assert.deepEqual(pathValues(sides.tree), pathValues(treeOf(expected)), JSON.stringify(step));
    assert.equal(sides.tree.total[0] + dropped.left, tree.total[0]);
  }, 200);
});

test('transforms move both sides of a diff alike', () => {
  forSeeds((random) => {
    const left = treeOf(randomStacks(random));
    const right = treeOf(randomStacks(random));
    const steps = [someStep(random), someStep(random)];
    const both = applyTransforms(sidesOfDiff(diffTrees(left, right)), steps, 'name').sides;
    const alone = applyTransforms({ tree: right }, steps, 'name').sides.tree;
    checkTree(both.tree);
    checkTree(both.tree, both.right);
    assert.equal(both.right!.total[0], alone.total[0]);
    const paths = pathValues(both.tree, both.right);
    for (const [path, values] of pathValues(alone)) assert.deepEqual(paths.get(path), values, path);
  }, 100);
});

test('reordering changes the order and nothing else', () => {
  forSeeds((random) => {
    const stacks = randomStacks(random);
    assert.deepEqual(reorder({ tree: treeOf(stacks, 'heavy') }, 'name').tree, treeOf(stacks, 'name'));
  });
});

test('top table, sandwich and search agree with a count over stacks', () => {
  forSeeds((random) => {
    const stacks = randomStacks(random);
    const tree = treeOf(stacks);
    const table = topTable(tree);
    const matched = matchNames(tree, /[13579]$/u);
    let matchedValue = 0;
    for (const { stack, value } of stacks)
      if (stack.some((name) => /[13579]$/.test(name))) matchedValue += value;
    assert.equal(summarizeMatches(tree, matched).value, matchedValue);
    for (let name = 1; name < tree.names.length; name++) {
      const text = tree.names[name];
      let self = 0;
      let total = 0;
      for (const { stack, value } of stacks) {
        if (stack[stack.length - 1] === text) self += value;
        if (stack.includes(text)) total += value;
      }
      assert.deepEqual([table.self[name], table.total[name]], [self, total], text);
      const callers = callersOf({ tree }, text, 'heavy').tree;
      checkTree(callers);
      assert.equal(callers.total[0], total);
      assert.equal(callers.names[callers.nameOf[1]], text);
      assert.equal(applyTransforms({ tree }, [{ kind: 'focus', name: text }]).sides.tree.total[0], total);
    }
  });
});

test('trimming keeps every total, the heaviest nodes and the limit', () => {
  forSeeds((random) => {
    const tree = treeOf(randomStacks(random, 1 + Math.floor(random() * 200)));
    const limit = 2 + Math.floor(random() * tree.nameOf.length * 1.2);
    const { tree: small, trimmed } = trimTree(tree, limit);
    checkTree(small);
    assert.ok(small.nameOf.length <= limit, `${small.nameOf.length} rows, limit ${limit}`);
    assert.equal(small.total[0], tree.total[0]);
    const before = pathValues(tree);
    let markers = 0;
    let lightest = Number.POSITIVE_INFINITY;
    const kept = pathValues(small);
    for (const [path, values] of kept) {
      if (path.endsWith(TRIMMED_NAME)) markers += values[1];
      else {
        assert.deepEqual(values, before.get(path));
        lightest = Math.min(lightest, values[1]);
      }
    }
    assert.equal(markers, trimmed.value);
    for (const [path, [, total]] of before) if (!kept.has(path)) assert.ok(total <= lightest);
    const again = trimTree(small, Math.max(2, Math.floor(limit / 2))).tree;
    checkTree(again);
    assert.equal(again.total[0], tree.total[0]);
  }, 200);
});

test('trimming a diff keeps the totals of both sides', () => {
  forSeeds((random) => {
    const sides = sidesOfDiff(diffTrees(treeOf(randomStacks(random)), treeOf(randomStacks(random))));
    const { sides: small } = trimSides(sides, 2 + Math.floor(random() * 20));
    checkTree(small.tree);
    checkTree(small.tree, small.right);
    assert.equal(small.tree.total[0], sides.tree.total[0]);
    assert.equal(small.right!.total[0], sides.right!.total[0]);
  });
});

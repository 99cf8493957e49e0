import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutFlame } from '../../../core/flamegraph/layout.ts';
import {
  movedPart,
  type Part,
  partBetween,
  partFromText,
  partOfRow,
  partToText,
  scaledPart,
  WHOLE,
} from '../../../web/src/state/part.ts';
import { forSeeds, randomStacks, treeOf } from '../../core/flamegraph/random-trees.ts';

// Invariants: whatever a hand does, the part stays inside the graph; the point under the pointer stays where it is
// unless an edge is in the way; the URL gives back what was shown to a millionth.

function checkInside({ x0, x1 }: Part): void {
  assert.ok(x0 >= 0 && x0 < x1 && x1 <= 1, `${x0} to ${x1}`);
}

test('a part never leaves the graph, and magnifying keeps the point under the pointer', () => {
  forSeeds((random) => {
    let part: Part = WHOLE;
    for (let i = 0; i < 40; i++) {
      const before = part;
      const at = part.x0 + random() * (part.x1 - part.x0);
      if (random() < 0.4) part = movedPart(part, random() * 4 - 2);
      else {
        part = scaledPart(part, at, Math.exp(random() * 2 - 1));
        const onScreen = (p: Part) => (at - p.x0) / (p.x1 - p.x0);
        const isFree = part.x0 > 0 && part.x1 < 1;
        if (isFree) assert.ok(Math.abs(onScreen(part) - onScreen(before)) < 1e-6);
      }
      checkInside(part);
      const read = partFromText(partToText(part))!;
      assert.ok(Math.abs(read.x0 - part.x0) < 1e-6 && Math.abs(read.x1 - part.x1) < 1e-6, partToText(part));
    }
  });
});

test('moving keeps the length, and stops at both edges', () => {
  const part = { x0: 0.25, x1: 0.5 };
  assert.deepEqual(movedPart(part, 1), { x0: 0.5, x1: 0.75 });
  assert.deepEqual(movedPart(part, 100), { x0: 0.75, x1: 1 });
  assert.deepEqual(movedPart(part, -100), { x0: 0, x1: 0.25 });
  assert.deepEqual(partBetween(0.5, 0.25), part);
});

test('reducing far enough shows the whole', () => {
  assert.deepEqual(scaledPart({ x0: 0.4, x1: 0.6 }, 0.5, 100), WHOLE);
});

test('the part of a row is where the row lies', () => {
  forSeeds((random) => {
    const layout = layoutFlame(treeOf(randomStacks(random)));
    for (let row = 0; row < layout.width.length; row++) checkInside(partOfRow(layout, row));
  });
});

test('what is no part in a URL is none', () => {
  for (const text of ['', '0.5', '0.5-0.4', '0.5-0.5', '1-0', '0.1-2', 'a-b', '-0.1-0.5', '0.1234567-0.5']) {
    assert.equal(partFromText(text), undefined, text);
  }
  assert.deepEqual(partFromText('0-1'), WHOLE);
});

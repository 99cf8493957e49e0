import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutFlame } from '../../../core/flamegraph/layout.ts';
import {
  type FlameViewport,
  hitTest,
  levelTop,
  MIN_PIXELS,
  planFlame,
} from '../../../core/flamegraph/plan.ts';
import { forSeeds, randomStacks, treeOf } from './random-trees.ts';

// Invariants: at most 2 rectangles per pixel and level; none is narrower than MIN_PIXELS, leaves the view or overlaps
// another; the middle of a rectangle hits its row; every row that is wide enough and in view has its rectangle.

function someView(random: () => number): FlameViewport {
  const x0 = random() < 0.5 ? 0 : random() * 0.9;
  return {
    x0,
    x1: random() < 0.5 ? 1 : x0 + (1 - x0) * Math.max(0.001, random()),
    width: 5 + Math.floor(random() * 300),
    height: 18 * (1 + Math.floor(random() * 8)),
    scrollTop: Math.floor(random() * 60),
    rowHeight: 18,
    flipped: random() < 0.3,
  };
}

test('a plan keeps its rules and the hit test agrees with it', () => {
  forSeeds((random) => {
    const tree = treeOf(randomStacks(random, 1 + Math.floor(random() * 300)));
    const layout = layoutFlame(tree);
    const view = someView(random);
    const plan = planFlame(layout, view);
    const perLevel = new Map<number, { left: number; right: number }[]>();
    for (let i = 0; i < plan.count; i++) {
      const left = plan.x[i];
      const right = left + plan.width[i];
      assert.ok(plan.width[i] >= MIN_PIXELS - 1e-9, `width ${plan.width[i]}`);
      assert.ok(left >= -1e-9 && right <= view.width + 1e-9, `[${left}, ${right}) of ${view.width}`);
      const spans = perLevel.get(plan.level[i]) ?? [];
      for (const span of spans) assert.ok(left >= span.right - 1e-9 || right <= span.left + 1e-9, 'overlap');
      spans.push({ left, right });
      perLevel.set(plan.level[i], spans);
      if (plan.merged[i]) continue;
      const y = levelTop(layout, view, plan.level[i]) + view.rowHeight / 2;
      assert.equal(hitTest(layout, view, left + plan.width[i] / 2, y), plan.row[i]);
    }
    for (const spans of perLevel.values()) assert.ok(spans.length <= 2 * view.width);
    const planned = new Set([...plan.row].filter((_, i) => plan.merged[i] === 0));
    const scale = view.width / (layout.width[0] * (view.x1 - view.x0));
    for (let row = 0; row < tree.level.length && layout.width[0] > 0; row++) {
      const left = Math.max(0, (layout.start[row] - layout.width[0] * view.x0) * scale);
      const right = Math.min(
        view.width,
        (layout.start[row] + layout.width[row] - layout.width[0] * view.x0) * scale,
      );
      const top = levelTop(layout, view, tree.level[row]);
      const inView = top + view.rowHeight > 0 && top <= view.height - 1;
      if (inView && right - left >= MIN_PIXELS + 1e-6) assert.ok(planned.has(row), `row ${row} is missing`);
    }
  }, 200);
});

// Laws of cutting a plan to a byte budget, and of asking again for what was left out: every window is answered once, in
// few rounds, and no round but one that could not be smaller passes the budget.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PricedPart, startWithin } from '../../../core/query/byte-budget.ts';
import { property } from '../block/fixtures.ts';

test('asking again until nothing is left reads every window once', () =>
  property('byte budget', (random) => {
    const windows: { start: number; part: PricedPart }[] = [];
    for (let i = 1 + Math.floor(random() * 30); i > 0; i--) {
      const resolutionSeconds = [0, 300, 3600][Math.floor(random() * 3)]!;
      const stepMs = resolutionSeconds * 1000 || 1;
      const starts = Array.from({ length: 1 + Math.floor(random() * 5) }, () => {
        return Math.floor((random() * 1e8) / stepMs) * stepMs;
      });
      const part = {
        minTime: Math.min(...starts),
        maxTime: Math.max(...starts) + Math.max(stepMs, 10_000),
        resolutionSeconds,
        bytes: Math.floor(random() * 100),
      };
      for (const start of starts) windows.push({ start, part });
    }
    const bytesMax = 50 + random() * 300;
    let end = Number.MAX_SAFE_INTEGER;
    let left = windows;
    for (let round = 0; left.length > 0; round++) {
      assert.ok(round < windows.length + 1, 'does not end');
      const parts = [...new Set(left.map(({ part }) => part))].map((part) => ({
        ...part,
        // What a plan keeps of a part ends with the question.
        maxTime: Math.min(part.maxTime, end),
      }));
      const start = startWithin(parts, bytesMax) ?? 0;
      const answered = left.filter((window) => window.start >= start);
      // Coarse windows are never cut in two.
      assert.ok(
        answered.every(
          ({ part }) => start % (part.resolutionSeconds * 1000 || 1) === 0 || start <= part.minTime,
        ),
      );
      left = left.filter((window) => window.start < start);
      end = start;
    }
  }));

test('what fits is not cut, and the newest is answered whatever it costs', () => {
  const part = (maxTime: number, bytes: number) => ({
    minTime: maxTime - 10,
    maxTime,
    bytes,
    resolutionSeconds: 0,
  });
  assert.equal(startWithin([part(10, 50), part(20, 50)], 100), undefined);
  assert.equal(startWithin([part(10, 50), part(20, 51)], 100), 10);
  assert.equal(startWithin([part(10, 1), part(20, 1000)], 100), 10);
  assert.equal(startWithin([part(20, 1000), part(20, 1000)], 100), undefined);
  assert.equal(startWithin([], 100), undefined);
});

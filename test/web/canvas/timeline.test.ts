import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  gapsOf,
  niceCeiling,
  snapped,
  timeAt,
  timeTickStep,
  xOf,
} from '../../../web/src/canvas/paint-timeline.ts';

const timeline = (times: number[]) => ({
  stepMs: 10,
  unit: 'count',
  completeness: undefined,
  points: times.map((timeMs) => ({ timeMs, value: 1, samples: 1 })),
});

test('missing buckets are gaps, not zeros', () => {
  assert.deepEqual(gapsOf(timeline([0, 10, 40, 50]), { start: 0, end: 60 }), [{ start: 20, end: 40 }]);
  assert.deepEqual(gapsOf(timeline([]), { start: 0, end: 60 }), [{ start: 0, end: 60 }]);
  assert.deepEqual(gapsOf(timeline([0, 10, 20]), { start: 3, end: 100 }), [{ start: 30, end: 100 }]);
  assert.deepEqual(
    gapsOf(timeline([0, 10]), { start: 4, end: 25 }),
    [],
    'the newest bucket may still be coming',
  );
});

test('a brush takes whole buckets', () => {
  assert.deepEqual(snapped({ start: 13, end: 27 }, 10), { start: 10, end: 30 });
});

test('x and time are each other’s inverse', () => {
  const size = { width: 900, height: 100 };
  const window = { start: 1000, end: 5000 };
  for (const time of [1000, 2345, 5000])
    assert.ok(Math.abs(timeAt(xOf(time, window, size), window, size) - time) < 1e-6);
  assert.equal(timeAt(-50, window, size), 1000);
});

test('axes have round ends', () => {
  assert.deepEqual([0, 0.7, 1, 1.1, 3.9, 41, 99].map(niceCeiling), [0, 0.8, 1, 2, 4, 50, 100]);
  assert.equal(timeTickStep({ start: 0, end: 3_600_000 }, 12), 300_000);
  assert.equal(timeTickStep({ start: 0, end: 30 * 86_400_000 }, 10), 3 * 86_400_000);
});

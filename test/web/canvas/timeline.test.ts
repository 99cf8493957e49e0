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
import { bandOf, peakOf } from '../../../web/src/canvas/timeline-band.ts';

const timeline = (times: number[]) => ({
  span: { start: 0, end: 0 },
  stepMs: 10,
  unit: 'count',
  completeness: undefined,
  points: times.map((timeMs) => ({ timeMs, value: 1, samples: 1, windows: 1, least: 1, most: 1 })),
});

test('missing buckets are gaps, not zeros', () => {
  const gaps = (times: number[], start: number, end: number, settledUntil = end) =>
    gapsOf(timeline(times), { start, end }, settledUntil);
  assert.deepEqual(gaps([0, 10, 40, 50], 0, 60), [{ start: 20, end: 40 }]);
  assert.deepEqual(gaps([], 0, 60), [{ start: 0, end: 60 }]);
  assert.deepEqual(gaps([0, 10, 20], 3, 100), [{ start: 30, end: 100 }]);
  assert.deepEqual(gaps([10, 20], 3, 30), [], 'a bucket that began before the range is not missing');
  assert.deepEqual(gaps([0, 10], 4, 25), [], 'the newest bucket may still be coming');
  assert.deepEqual(gaps([0, 10], 0, 60_000, 30), [], 'and so may those after the newest sample');
  assert.deepEqual(gaps([0, 10], 0, 90_000, 30), [{ start: 20, end: 90_000 }], 'for a minute');
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

test('a bar of many windows has the band that they lie in, and the axis has room for it', () => {
  const point = { timeMs: 0, value: 60, samples: 6, windows: 6, least: 2, most: 16 };
  const of = (stepMs: number, change = {}) => ({
    ...timeline([]),
    stepMs,
    points: [{ ...point, ...change }],
  });
  const bandAt = (stepMs: number, change = {}) => bandOf(of(stepMs), { ...point, ...change });
  assert.deepEqual(bandAt(60_000), { least: 12, most: 96 });
  assert.equal(bandAt(10_000), undefined, 'a bucket as long as a window');
  assert.equal(bandAt(60_000, { windows: 1, least: 60, most: 60 }), undefined);
  assert.equal(bandAt(60_000, { least: 10, most: 10 }), undefined, 'all alike');
  assert.equal(peakOf(of(60_000)), 96);
  assert.equal(peakOf(of(10_000)), 60);
  assert.equal(peakOf(of(60_000, { most: 1000 })), 120, 'bars stay readable');
  assert.equal(peakOf(timeline([])), 0);
});

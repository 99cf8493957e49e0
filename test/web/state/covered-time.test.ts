import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newCompleteness } from '../../../core/query/completeness.ts';
import type { Timeline } from '../../../web/src/state/api.ts';
import { coveredTime } from '../../../web/src/state/covered-time.ts';

const HOUR = { start: 3_600_000, end: 7_200_000 };

function timelineOf(times: number[], lagMs = -1): Timeline {
  const points = times.map((timeMs) => ({ timeMs, value: 1, samples: 1 }));
  return {
    stepMs: 60_000,
    unit: 'nanoseconds',
    span: HOUR,
    points,
    completeness: { ...newCompleteness(), lagMs },
  };
}

const minutes = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => HOUR.start + (from + i) * 60_000);

test('steps without data are not covered', () => {
  assert.equal(coveredTime(timelineOf(minutes(0, 60)), HOUR), 3_600_000);
  assert.equal(coveredTime(timelineOf(minutes(50, 60)), HOUR), 600_000);
  assert.equal(coveredTime(timelineOf([...minutes(0, 10), ...minutes(40, 50)]), HOUR), 1_200_000);
});

test('nothing known yet, and nothing there, cover the whole span', () => {
  assert.equal(coveredTime(undefined, HOUR), 3_600_000);
  assert.equal(coveredTime(timelineOf([]), HOUR), 3_600_000);
});

test('a machine that was just started is measured from its first sample to its newest', () => {
  const started = timelineOf(minutes(58, 60), 15_000);
  const firstSeen = HOUR.end - 95_000;
  assert.equal(coveredTime(started, HOUR, firstSeen), 80_000);
});

test('a part of the range covers what of it has data', () => {
  const part = { start: HOUR.start + 9.5 * 60_000, end: HOUR.start + 12 * 60_000 };
  assert.equal(coveredTime(timelineOf(minutes(0, 11)), part), 90_000);
});

test('a clock that is far off costs at most nothing', () => {
  assert.equal(coveredTime(timelineOf(minutes(0, 60), 10 * 60_000), HOUR), 3_600_000);
  assert.equal(
    coveredTime(timelineOf(minutes(50, 60)), HOUR, HOUR.end + 60_000),
    600_000,
    'a first sample after the first step',
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timeline } from '../../../web/src/state/api.ts';
import { partName, splitTimeline } from '../../../web/src/state/split.ts';

function timelineOf(values: number[]): Timeline {
  return {
    span: { start: 0, end: values.length * 10 },
    stepMs: 10,
    unit: 'count',
    points: values.map((value, i) => ({
      ...{ timeMs: i * 10, value, samples: value },
      ...{ windows: 1, least: value, most: value },
    })),
    completeness: undefined,
  };
}

const seriesOf = (value: string, ...values: number[]) => ({
  value,
  points: values.map((amount, i) => ({ timeMs: i * 10, value: amount })),
});

test('parts sum to what is drawn without a split, largest first, the rest last', () => {
  const timeline = timelineOf([10, 20, 0]);
  const split = splitTimeline(timeline, 'pod', [seriesOf('a', 3, 2), seriesOf('b', 5, 10)])!;
  assert.deepEqual(
    split.parts.map((part) => [partName(split, part), [...part.values]]),
    [
      ['b', [5, 10, 0]],
      ['a', [3, 2, 0]],
      ['others', [2, 8, 0]],
    ],
  );
});

test('without a rest there is no part for it', () => {
  const split = splitTimeline(timelineOf([10, 20]), 'pod', [seriesOf('a', 4, 20), seriesOf('', 6, 0)])!;
  assert.deepEqual(
    split.parts.map((part) => partName(split, part)),
    ['a', 'no pod'],
  );
});

test('a bucket that the range cuts keeps its height, and its parts their shares', () => {
  const split = splitTimeline(timelineOf([10]), 'pod', [seriesOf('a', 30), seriesOf('b', 10)])!;
  assert.deepEqual(
    split.parts.map(({ values }) => values[0]),
    [7.5, 2.5],
  );
});

test('points of no bucket are left out, and nothing to split is no split', () => {
  const late = { value: 'a', points: [{ timeMs: 995, value: 7 }] };
  const split = splitTimeline(timelineOf([10]), 'pod', [late])!;
  assert.deepEqual(
    split.parts.map(({ total }) => total),
    [0, 10],
  );
  assert.equal(splitTimeline(timelineOf([]), 'pod', [late]), undefined);
  assert.equal(splitTimeline(timelineOf([1]), 'pod', []), undefined);
});

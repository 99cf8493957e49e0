import assert from 'node:assert/strict';
import { test } from 'node:test';
import { largestValue, rampOf, stepOf } from '../../../web/src/canvas/paint-heatmap.ts';

test('colours go from nothing to the largest value of a single part', () => {
  const part = (value: string | undefined, ...values: number[]) => ({
    value,
    values: Float64Array.from(values),
    total: 0,
  });
  const split = { label: 'pod', parts: [part('a', 1, 4), part('b', 3, 0), part(undefined, 90, 0)] };
  const most = largestValue(split);
  assert.equal(most, 4);
  const ramp = rampOf('#000000', '#ff8000');
  assert.equal(ramp[stepOf(0, most)], 'rgb(0 0 0)');
  assert.equal(ramp[stepOf(4, most)], 'rgb(255 128 0)');
  assert.equal(ramp[stepOf(90, most)], 'rgb(255 128 0)');
  assert.ok(stepOf(0.001, most) > 0, 'little is told from nothing');
  assert.equal(stepOf(1, 0), 0);
});

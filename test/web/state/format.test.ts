import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatChange,
  formatCores,
  formatCount,
  formatShare,
  formatValue,
  signed,
} from '../../../web/src/state/format.ts';

const values: [number, string, string][] = [
  [0, 'nanoseconds', '0 s'],
  [57.02e9, 'nanoseconds', '57.0 s'],
  [119e9, 'nanoseconds', '119 s'],
  [150e9, 'nanoseconds', '2.50 min'],
  [1.5e6, 'nanoseconds', '1.50 ms'],
  [10 * 3600e9, 'nanoseconds', '10 h'],
  [104 * 86_400e9, 'nanoseconds', '104 d'],
  [2, 'seconds', '2 s'],
  [1536, 'bytes', '1.50 KiB'],
  [900, 'bytes', '900 B'],
  [12_345, 'count', '12.3 k'],
  [42, 'goroutines', '42 goroutines'],
  [-1536, 'bytes', '−1.50 KiB'],
];

for (const [value, unit, expected] of values) {
  test(`${value} ${unit}`, () => assert.equal(formatValue(value, unit), expected));
}

test('counts below ten thousand are whole', () => {
  assert.deepEqual([0, 999, 1800, 9999, 10_000].map(formatCount), [
    '0',
    '999',
    '1\u2009800',
    '9\u2009999',
    '10 k',
  ]);
});

test('shares keep small ones visible', () => {
  assert.equal(formatShare(1, 3), '33.3 %');
  assert.equal(formatShare(1, 30), '3.33 %');
  assert.equal(formatShare(1, 1e6), '<0.01 %');
  assert.equal(formatShare(0, 5), '0 %');
  assert.equal(formatShare(5, 5), '100 %');
  assert.equal(formatShare(1, 0), '–');
});

test('cores are processor time per wall time', () => {
  assert.equal(formatCores(7.71e12, 3_600_000), '2.14 cores');
  assert.equal(formatCores(3.6e11, 3_600_000), '100 mcores');
  assert.equal(formatCores(3.6e8, 3_600_000), '100 µcores');
  assert.equal(formatCores(0, 3_600_000), '0 cores');
  assert.equal(formatCores(3.6e12, 3_600_000), '1 core');
});

test('changes', () => {
  assert.deepEqual(
    [
      formatChange(4, 5),
      formatChange(5, 4),
      formatChange(0, 4),
      formatChange(4, 0),
      formatChange(0, 0),
      formatChange(3, 3),
    ],
    ['+25 %', '−20 %', 'new', 'gone', '0 %', '0 %'],
  );
  assert.equal(
    signed(-2, (value) => `${value} x`),
    '−2 x',
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CoveredTime } from '../../../core/query/covered-time.ts';
import { randomFrom } from '../block/fixtures.ts';

test('nothing covers nothing', () => {
  assert.equal(new CoveredTime().ms, 0);
});

test('windows of many series at the same time cover it once', () => {
  const covered = new CoveredTime();
  for (let series = 0; series < 3; series++)
    for (let start = 0; start < 60_000; start += 10_000) covered.add(start, 10_000);
  assert.equal(covered.ms, 60_000);
  covered.add(100_000, 15_000);
  covered.add(55_000, 10_000);
  assert.equal(covered.ms, 80_000);
});

test('the union is that of every millisecond, in whatever order windows come', () => {
  const random = randomFrom(5);
  for (let round = 0; round < 20; round++) {
    const covered = new CoveredTime();
    const marked = new Set<number>();
    const spread = 10 + Math.floor(random() * 40_000);
    for (let i = 0; i < 12_000; i++) {
      const start = Math.floor(random() * spread);
      const duration = Math.floor(random() * 4);
      covered.add(start, duration);
      for (let at = start; at < start + duration; at++) marked.add(at);
    }
    assert.equal(covered.ms, marked.size);
  }
});

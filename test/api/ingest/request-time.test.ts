import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequestTime } from '../../../api/ingest/request-time.ts';
import { MalformedInputError } from '../../../core/errors.ts';

const NOW = 1_755_770_000_123;

test('digits are read by their count', () => {
  const read = (text: string) => parseRequestTime('from', text, NOW);
  assert.equal(read('1755770000'), 1_755_770_000_000);
  assert.equal(read('1755770000123'), NOW);
  assert.equal(read('1755770000123456'), NOW);
  assert.equal(read('1755770000123456789'), NOW);
  assert.equal(read('20250821'), Date.UTC(2025, 7, 21));
  assert.equal(read('0'), 0);
});

test('now, and times from now', () => {
  assert.equal(parseRequestTime('from', 'now', NOW), NOW);
  assert.equal(parseRequestTime('from', 'now-1h', NOW), NOW - 3_600_000);
  assert.equal(parseRequestTime('from', 'now-90s', NOW), NOW - 90_000);
  assert.equal(parseRequestTime('until', 'now+2m', NOW), NOW + 120_000);
  assert.equal(parseRequestTime('from', 'NOW-2Days', NOW), NOW - 172_800_000);
});

test('anything else is refused by name', () => {
  for (const text of [
    'yesterday',
    'now-',
    'now-1x',
    '-5',
    '1e9',
    '123456789012',
    '12345678901234567890',
    'now-1constructor',
  ]) {
    assert.throws(
      () => parseRequestTime('until', text, NOW),
      (error) => error instanceof MalformedInputError && error.message.startsWith('until: '),
      text,
    );
  }
});

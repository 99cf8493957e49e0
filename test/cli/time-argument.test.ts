import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../cli/exit-code.ts';
import { parseDuration, parseRange, parseTime } from '../../cli/time-argument.ts';

const NOW = 1_763_717_400_123;

test('times are relative to now, calendar times with an offset, or digits since epoch by their count', () => {
  const cases: [string, number][] = [
    ['now', NOW],
    ['now-1h', NOW - 3_600_000],
    ['now-90s', NOW - 90_000],
    ['now+5m', NOW + 300_000],
    ['now-250ms', NOW - 250],
    ['now-2d', NOW - 172_800_000],
    ['now-1w', NOW - 604_800_000],
    ['2025-11-21T09:30:00Z', 1_763_717_400_000],
    ['2025-11-21T10:30:00.5+01:00', 1_763_717_400_500],
    ['2025-11-21 09:30z', 1_763_717_400_000],
    ['2025-11-21', 1_763_683_200_000],
    ['1763717400', 1_763_717_400_000],
    ['0', 0],
    ['1763717400123', 1_763_717_400_123],
    ['1763717400123456', 1_763_717_400_123],
    ['1763717400123456789', 1_763_717_400_123],
  ];
  for (const [text, time] of cases) assert.equal(parseTime('--from', text, NOW), time, text);
});

test('what is no time is refused with the name of its option', () => {
  const wrong = [
    '',
    'yesterday',
    'now-1',
    'now-1y',
    '2025-13-01',
    '2025-11-21T09:30:00',
    '12345678901234',
    '-5',
    'now--1h',
  ];
  for (const text of wrong) {
    const refusal = (error: Error) => error instanceof UsageError && error.message.includes('--until');
    assert.throws(() => parseTime('--until', text, NOW), refusal, text);
  }
});

test('a range is the last hour unless it is said, and never empty', () => {
  assert.deepEqual(parseRange({}, NOW), { start: NOW - 3_600_000, end: NOW });
  assert.deepEqual(parseRange({ from: '0', until: 'now-1h' }, NOW), { start: 0, end: NOW - 3_600_000 });
  assert.throws(() => parseRange({ from: 'now' }, NOW), UsageError);
});

test('lengths of time have a unit and are not zero', () => {
  assert.equal(parseDuration('--step', '30s'), 30_000);
  assert.equal(parseDuration('--step', '5m'), 300_000);
  for (const text of ['0s', '5', 'm', '-1m', '1.5h'])
    assert.throws(() => parseDuration('--step', text), UsageError);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ageText,
  durationFromText,
  durationToText,
  parsePastedRange,
  rangeFromText,
  rangeLabel,
  resolveRange,
  shiftRange,
  spanText,
} from '../../../web/src/state/time-range.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const HOUR = 3_600_000;

test('a moving range ends now, a shifted one stands still', () => {
  assert.deepEqual(resolveRange({ kind: 'last', seconds: 3600 }, NOW), { start: NOW - HOUR, end: NOW });
  assert.deepEqual(shiftRange({ kind: 'last', seconds: 3600 }, -1, NOW), {
    kind: 'between',
    start: NOW - 2 * HOUR,
    end: NOW - HOUR,
  });
});

test('durations', () => {
  assert.equal(durationToText(5400), '90m');
  assert.equal(durationToText(7 * 86_400), '7d');
  assert.equal(durationFromText('90 min'), 5400);
  assert.equal(durationFromText('2days'), 172_800);
  assert.equal(durationFromText('0h'), undefined);
  assert.equal(durationFromText('1w'), undefined);
  assert.deepEqual(rangeFromText('1h'), { kind: 'last', seconds: 3600 });
  assert.equal(rangeFromText('2000-1000'), undefined);
});

const between = (start: number, end: number) => ({ kind: 'between', start, end }) as const;
const at = (day: number, hour: number, minute = 0) => Date.UTC(2026, 10, day, hour, minute);

const pasted: [string, unknown][] = [
  ['2026-11-20 14:00..15:00 UTC', between(at(20, 14), at(20, 15))],
  ['2026-11-20T14:00Z/2026-11-20T15:00Z', between(at(20, 14), at(20, 15))],
  ['2026-11-20 14:00:30 to 2026-11-20 15:30', between(at(20, 14) + 30_000, at(20, 15, 30))],
  ['2026-11-20 14:00 – 9:30', undefined],
  ['2026-11-20 04:00 – 9:30', between(at(20, 4), at(20, 9, 30))],
  ['2026-11-20 14:00..now', between(at(20, 14), NOW)],
  ['2026-11-20T14:00+02:00 / 2026-11-20T14:00Z', between(at(20, 12), at(20, 14))],
  ['1763647200-1763650800', between(1_763_647_200_000, 1_763_650_800_000)],
  ['1763647200000..1763650800000', between(1_763_647_200_000, 1_763_650_800_000)],
  ['2026-11-19, 2026-11-20', between(at(19, 0), at(20, 0))],
  ['now-1h..now', { kind: 'last', seconds: 3600 }],
  ['last 15m', { kind: 'last', seconds: 900 }],
  ['6h', { kind: 'last', seconds: 21_600 }],
  ['yesterday', undefined],
  ['2026-13-40 14:00..15:00', undefined],
  ['', undefined],
];

for (const [text, expected] of pasted) {
  test(`pasted “${text}”`, () => assert.deepEqual(parsePastedRange(text, NOW, true), expected));
}

test('labels name the day once, and say UTC', () => {
  assert.equal(spanText({ start: at(20, 14), end: at(20, 15) }, true), '2026-11-20 14:00 – 15:00 UTC');
  assert.equal(
    spanText({ start: at(20, 23), end: at(21, 1) }, true),
    '2026-11-20 23:00 – 2026-11-21 01:00 UTC',
  );
  assert.equal(
    spanText({ start: at(20, 14), end: at(20, 14, 1) }, true),
    '2026-11-20 14:00:00 – 14:01:00 UTC',
  );
  assert.equal(rangeLabel({ kind: 'last', seconds: 3600 }, true), 'Last hour');
  assert.equal(rangeLabel({ kind: 'last', seconds: 7200 }, true), 'Last 2h');
});

test('ages', () => {
  assert.deepEqual([0, 95_000, 600_000, 3 * HOUR, 72 * HOUR].map(ageText), [
    '0 s',
    '95 s',
    '10 min',
    '3 h',
    '3 d',
  ]);
});

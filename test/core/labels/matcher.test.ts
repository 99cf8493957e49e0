import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../../core/errors.ts';
import { labelsOf } from '../../../core/labels/labels.ts';
import { compileMatchers, type MatchOp } from '../../../core/labels/matcher.ts';
import { compileLinearRegex, PATTERN_LENGTH_MAX } from '../../../pipeline/linear-regex.ts';

const shop = labelsOf([
  ['service_name', 'shop'],
  ['zone', 'eu-1'],
  ['note', 'two\nlines'],
]);

const matches = (name: string, op: MatchOp, value: string) =>
  compileMatchers([{ name, op, value }], compileLinearRegex)(shop);

test('operators', () => {
  assert.equal(matches('zone', '=', 'eu-1'), true);
  assert.equal(matches('zone', '=', 'eu'), false);
  assert.equal(matches('zone', '!=', 'eu-1'), false);
  assert.equal(matches('zone', '!=', 'us'), true);
  assert.equal(matches('zone', '=~', 'eu-.*'), true);
  assert.equal(matches('zone', '!~', 'eu-.*'), false);
});

test('regular expressions are anchored on both sides, also their alternatives', () => {
  assert.equal(matches('zone', '=~', 'eu'), false);
  assert.equal(matches('zone', '=~', 'u-1'), false);
  assert.equal(matches('zone', '=~', 'us|eu-1'), true);
  assert.equal(matches('zone', '=~', 'eu|us'), false);
  assert.equal(matches('note', '=~', 'two.lines'), true, 'a dot matches a line break, as in Prometheus');
});

test('a missing label is an empty one', () => {
  assert.equal(matches('pod', '=', ''), true);
  assert.equal(matches('pod', '!=', ''), false);
  assert.equal(matches('pod', '=~', '.*'), true);
  assert.equal(matches('pod', '=~', '.+'), false);
  assert.equal(matches('pod', '!~', 'x'), true);
});

test('all matchers must accept', () => {
  const both = compileMatchers(
    [
      { name: 'zone', op: '=', value: 'eu-1' },
      { name: 'service_name', op: '!=', value: 'shop' },
    ],
    compileLinearRegex,
  );
  assert.equal(both(shop), false);
  assert.equal(compileMatchers([], compileLinearRegex)(shop), true);
});

test('bad patterns are refused with their error', () => {
  for (const pattern of ['(', '[', 'a**b(', '(?<', '\\'])
    assert.throws(() => compileLinearRegex(pattern), RejectedError, pattern);
  assert.throws(() => compileLinearRegex('a'.repeat(PATTERN_LENGTH_MAX + 1)), /limit/);
  assert.throws(() => compileLinearRegex('a)|(b'), RejectedError, 'the anchors cannot be escaped');
});

test('patterns that hang a backtracking engine end', () => {
  for (const pattern of ['(a+)+$', '(a|a)*b', '(.*)*x', '(a?){30}a{30}'])
    assert.equal(typeof compileLinearRegex(pattern)('a'.repeat(5_000)), 'boolean');
});

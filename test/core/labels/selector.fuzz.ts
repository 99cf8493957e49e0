import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RejectedError } from '../../../core/errors.ts';
import type { MatchOp } from '../../../core/labels/matcher.ts';
import { formatSelector, parseSelector } from '../../../core/labels/selector.ts';
import { fuzzOptions } from '../fuzz-options.ts';

// Laws: parse∘format = identity for any names and values; any text parses or is refused as invalid.

const matcher = fc.record(
  {
    name: fc.string({ unit: 'binary', minLength: 1 }),
    op: fc.constantFrom<MatchOp>('=', '!=', '=~', '!~'),
    value: fc.string({ unit: 'binary' }),
  },
  { noNullPrototype: true },
);

test('parse is the inverse of format', () => {
  fc.assert(
    fc.property(fc.array(matcher), (matchers) => {
      assert.deepEqual(parseSelector(formatSelector(matchers)).matchers, matchers);
    }),
    fuzzOptions(500),
  );
});

test('any text parses or is refused', () => {
  const piece = fc.oneof(
    fc.constantFrom('{', '}', '=', '!=', '=~', '!~', ',', '"', "'", '`', '\\', 'a', ' ', 'x:y'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      try {
        parseSelector(pieces.join(''));
      } catch (error) {
        assert.ok(error instanceof RejectedError, String(error));
      }
    }),
    fuzzOptions(2000),
  );
});

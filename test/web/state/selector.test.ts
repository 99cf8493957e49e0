import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterText, parseFilter, selectorOf } from '../../../web/src/state/selector.ts';

test('a selector has the service first, quotes values and names that need it', () => {
  assert.equal(selectorOf('', []), '{}');
  assert.equal(
    selectorOf('pay"ments', [
      { name: 'pod', operator: '=~', value: 'api-\\d+' },
      { name: 'otel.scope', operator: '!=', value: 'a\nb' },
    ]),
    '{service_name="pay\\"ments",pod=~"api-\\\\d+","otel.scope"!="a\\nb"}',
  );
});

const typed: [string, unknown][] = [
  ['pod=x', { name: 'pod', operator: '=', value: 'x' }],
  ['pod =~ "api-.*"', { name: 'pod', operator: '=~', value: 'api-.*' }],
  ['pod!="a b"', { name: 'pod', operator: '!=', value: 'a b' }],
  ['"otel.scope"!~x', { name: 'otel.scope', operator: '!~', value: 'x' }],
  ['pod', undefined],
  ['pod=', undefined],
  ['=x', undefined],
];

for (const [text, expected] of typed) {
  test(`typed ${text}`, () => assert.deepEqual(parseFilter(text), expected));
}

test('what is shown can be typed back', () => {
  const filter = { name: 'a.b', operator: '!~' as const, value: 'q"\\\n' };
  assert.deepEqual(parseFilter(filterText(filter)), filter);
});

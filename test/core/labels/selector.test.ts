import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../../core/errors.ts';
import { formatSelector, parseSelector, SELECTOR_LENGTH_MAX } from '../../../core/labels/selector.ts';

test('names, operators, quotes and blanks', () => {
  assert.deepEqual(parseSelector(` { service_name = "shop" ,zone!='eu', a=~\`x|\\d\`, b!~"" , } `).matchers, [
    { name: 'service_name', op: '=', value: 'shop' },
    { name: 'zone', op: '!=', value: 'eu' },
    { name: 'a', op: '=~', value: 'x|\\d' },
    { name: 'b', op: '!~', value: '' },
  ]);
  assert.deepEqual(parseSelector('{}'), { profileType: '', matchers: [] });
  assert.deepEqual(parseSelector(''), { profileType: '', matchers: [] });
});

test('a profile type may stand before the braces or alone', () => {
  const id = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
  assert.equal(parseSelector(`${id}{a="b"}`).profileType, id);
  assert.equal(parseSelector(id).profileType, id);
});

test('dotted and quoted UTF-8 names', () => {
  const [dotted, quoted] = parseSelector(`{otel.scope.name="x", "größe, \\"kg\\""='y'}`).matchers;
  assert.equal(dotted!.name, 'otel.scope.name');
  assert.equal(quoted!.name, 'größe, "kg"');
});

test('escapes', () => {
  const value = (text: string) => parseSelector(`{a=${text}}`).matchers[0]!.value;
  assert.equal(value(String.raw`"\\ \" \' \n \t \r \x41 \u00e4"`), '\\ " \' \n \t \r A ä');
  assert.equal(value('`\\n`'), '\\n');
  assert.equal(value(`"}"`), '}');
  assert.equal(value(`"__proto__"`), '__proto__');
});

test('errors say where', () => {
  const cases: [string, RegExp][] = [
    ['{', /label name at character 2/],
    ['{a', /expects =/],
    ['{a=', /value in quotes/],
    ['{a=b}', /value in quotes/],
    ['{a="b', /closing "/],
    ['{a="b"', /expects "," or "}"/],
    ['{a="b" c="d"}', /expects "," or "}"/],
    ['{a="b"} x', /nothing more/],
    ['{="b"}', /label name/],
    ['{a=="b"}', /value in quotes/],
    [String.raw`{a="\q"}`, /escape \\q/],
    [String.raw`{a="\xZ1"}`, /escape \\x/],
    [String.raw`{a="\u12"}`, /escape \\u/],
    ['{,}', /label name/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseSelector(text),
      (error) => error instanceof RejectedError && error.reason === 'invalid' && message.test(error.message),
      text,
    );
  }
  assert.throws(() => parseSelector(' '.repeat(SELECTOR_LENGTH_MAX + 1)), /limit/);
});

test('formatSelector quotes what needs it', () => {
  assert.equal(
    formatSelector([
      { name: 'a', op: '=', value: 'x"\n' },
      { name: 'b.c', op: '=~', value: '.*' },
    ]),
    String.raw`{a="x\"\n", "b.c"=~".*"}`,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CompactionRules,
  checkCompactionRules,
  DEFAULT_COMPACTION_RULES,
} from '../../../core/compaction/compaction-rules.ts';

const HOUR = 3_600_000;
const LATE = 72 * HOUR;

const resolution = (seconds: number, from: 'close' | 'seal' = 'close') => ({ seconds, from, joinMs: 0 });

test('the default rules hold together', () => checkCompactionRules(DEFAULT_COMPACTION_RULES, LATE));

const BROKEN: readonly [string, Partial<CompactionRules>, RegExp][] = [
  ['no resolution closes an hour', { resolutions: [resolution(300, 'seal')] }, /no resolution is made/],
  [
    'a step would split another',
    { resolutions: [resolution(300), resolution(450)] },
    /450 s is not a multiple/,
  ],
  ['a step comes twice', { resolutions: [resolution(300), resolution(300)] }, /300 s is not a multiple/],
  ['a step does not divide a day', { resolutions: [resolution(7)] }, /7 s does not divide a day/],
  ['days are sealed before their data came', { sealAfterMs: 71 * HOUR }, /sealAfterMs is 255600000/],
  ['a merge of one block', { fanIn: 1 }, /fanIn is 1/],
];

for (const [name, change, message] of BROKEN) {
  test(`rules are refused: ${name}`, () => {
    assert.throws(() => checkCompactionRules({ ...DEFAULT_COMPACTION_RULES, ...change }, LATE), message);
  });
}

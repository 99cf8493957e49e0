import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CompactionRules,
  checkCompactionRules,
  DEFAULT_COMPACTION_RULES,
  rollUpAt,
  withRollUp,
} from '../../../core/compaction/compaction-rules.ts';

const HOUR = 3_600_000;
const LATE = 72 * HOUR;

const resolution = (seconds: number, from: 'close' | 'seal' = 'close') => ({ seconds, from, joinMs: 0 });

test('the default rules hold together', () => checkCompactionRules(DEFAULT_COMPACTION_RULES, LATE));

const rollingUp = (label: string) => ({ resolutions: [{ ...resolution(300), rollUp: ['pod', label] }] });

test('a label that is rolled up stays so in coarser steps', () => {
  const { resolutions } = DEFAULT_COMPACTION_RULES;
  const [five, hour, day] = resolutions;
  const rules = { resolutions: [five!, { ...hour!, rollUp: ['pod'] }, { ...day!, rollUp: ['node', 'pod'] }] };
  const steps = [300, 3600, 86_400];
  assert.deepEqual(
    steps.map((seconds) => rollUpAt(rules, seconds)),
    [[], ['pod'], ['node', 'pod']],
  );
  assert.deepEqual(
    steps.map((seconds) => rollUpAt(withRollUp(DEFAULT_COMPACTION_RULES, ['pod']), seconds)),
    [[], ['pod'], ['pod']],
  );
  assert.equal(withRollUp(DEFAULT_COMPACTION_RULES, []), DEFAULT_COMPACTION_RULES);
});

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
  ['services are rolled up', rollingUp('service_name'), /service_name cannot be rolled up/],
  ['clusters are rolled up', rollingUp('cluster'), /cluster cannot be rolled up/],
  ['a label without a name', rollingUp(''), /"" is not the name of a label/],
  ['a name that is no text', rollingUp('\ud800'), /is not the name of a label/],
  ['a merge of one block', { fanIn: 1 }, /fanIn is 1/],
];

for (const [name, change, message] of BROKEN) {
  test(`rules are refused: ${name}`, () => {
    assert.throws(() => checkCompactionRules({ ...DEFAULT_COMPACTION_RULES, ...change }, LATE), message);
  });
}

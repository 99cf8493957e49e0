import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../../core/errors.ts';
import {
  isExpired,
  planRetention,
  type RetentionRow,
  SEALED_WITHIN_MS,
} from '../../../core/retention/plan-retention.ts';
import {
  checkPolicies,
  DEFAULT_KEEP,
  type KeepTimes,
  type RetentionPolicy,
  RetentionRules,
} from '../../../core/retention/retention-policy.ts';
import { compileLinearRegex as compileRegex } from '../../../pipeline/linear-regex.ts';

const DAY = 24 * 3_600_000;
const days = (raw: number, fiveMinutes: number, hour: number): KeepTimes => ({
  raw: raw * DAY,
  fiveMinutes: fiveMinutes * DAY,
  hour: hour * DAY,
});

function row(maxTime: number, more: Partial<RetentionRow> = {}): RetentionRow {
  return {
    blockId: `b${maxTime}`,
    createdAt: 0,
    maxTime,
    resolutionSeconds: 0,
    batchIds: ['dev/n/boot/1', 'prod/n/boot/1'],
    datasets: [{ service: 'shop' }, { service: 'pay' }],
    ...more,
  };
}

const POLICIES: RetentionPolicy[] = [
  { selector: '{cluster="dev"}', keepMs: days(4, 4, 4) },
  { selector: '{service_name=~"pay.*"}', keepMs: days(30, 30, 30) },
];

test('the first policy that matches counts, and the default what none names', () => {
  const rules = new RetentionRules(POLICIES, compileRegex);
  assert.equal(rules.keepMs('dev', 'payments', 0), 4 * DAY);
  assert.equal(rules.keepMs('prod', 'payments', 0), 30 * DAY);
  assert.equal(rules.keepMs('prod', 'shop', 0), DEFAULT_KEEP.raw);
  assert.equal(rules.keepMs('prod', 'shop', 300), DEFAULT_KEEP.fiveMinutes);
  assert.equal(rules.keepMs('prod', 'shop', 3600), DEFAULT_KEEP.hour);
});

test('a block goes when all of it is past its time, and is rewritten when some of it is', () => {
  const rules = new RetentionRules(POLICIES, compileRegex);
  const now = 100 * DAY;
  const plan = (one: RetentionRow) => {
    const { expired, partly } = planRetention([one], rules, now);
    return [expired.length, partly.length];
  };
  assert.deepEqual(plan(row(now - 4 * DAY + 1)), [0, 0], 'young');
  assert.deepEqual(plan(row(now - 4 * DAY)), [0, 1], 'dev is over');
  assert.deepEqual(plan(row(now - 4 * DAY, { batchIds: ['dev/sealed'] })), [1, 0], 'all of dev');
  assert.deepEqual(
    plan(row(now - 20 * DAY, { batchIds: ['prod/sealed'] })),
    [0, 1],
    'shop is over, pay is not',
  );
  assert.deepEqual(plan(row(now - 31 * DAY)), [1, 0], 'everything is over');
  assert.deepEqual(plan(row(now - 31 * DAY, { resolutionSeconds: 300 })), [0, 1], 'coarser ones live longer');
  assert.deepEqual(
    plan(row(now - 15 * DAY, { batchIds: [], datasets: [{ service: 'shop' }] })),
    [1, 0],
    'no cluster',
  );
});

test('what comes when its time is past is kept until it can be sealed', () => {
  const rules = new RetentionRules(POLICIES, compileRegex);
  const now = 100 * DAY;
  const expired = (createdAt: number, batchIds: string[]) =>
    planRetention([row(now - 31 * DAY, { createdAt, batchIds })], rules, now).expired.length;
  assert.equal(expired(now - SEALED_WITHIN_MS + 1, ['dev/n/boot/1']), 0, 'stored just now');
  assert.equal(expired(now - SEALED_WITHIN_MS, ['dev/n/boot/1']), 1, 'nobody sealed it in time');
  assert.equal(expired(now - 1, ['dev/sealed']), 1, 'sealed');
});

test('what a plan drops is what a rewrite drops', () => {
  const rules = new RetentionRules(POLICIES, compileRegex);
  const block = row(60 * DAY);
  assert.equal(isExpired(block, 'dev', 'shop', rules, 64 * DAY), true);
  assert.equal(isExpired(block, 'prod', 'shop', rules, 64 * DAY), false);
});

test('policies that would lose what coarser ones need are refused by name', () => {
  const check = (selector: string, keepMs: KeepTimes) => () =>
    checkPolicies([{ selector, keepMs }], compileRegex, 3 * DAY);
  assert.doesNotThrow(check('{cluster="dev"}', days(3, 3, 3)));
  assert.throws(check('{cluster="dev"}', days(2, 3, 3)), /at least 72 hours/);
  assert.throws(check('{cluster="dev"}', days(10, 5, 30)), /no shorter than finer/);
  assert.throws(check('{pod="x"}', days(5, 5, 5)), /not pod/);
  assert.throws(check('cpu{cluster="x"}', days(5, 5, 5)), RejectedError);
  assert.throws(check('{cluster=~"("}', days(5, 5, 5)), RejectedError);
  assert.throws(
    () => new RetentionRules([{ selector: '{x', keepMs: DEFAULT_KEEP }], compileRegex),
    RejectedError,
  );
});

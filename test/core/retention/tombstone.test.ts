import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../../core/errors.ts';
import { labelsOf } from '../../../core/labels/labels.ts';
import {
  checkTombstone,
  cutSteps,
  deletingSpan,
  type Tombstone,
  type TombstoneRow,
  Tombstones,
} from '../../../core/retention/tombstone.ts';
import { compileLinearRegex as compileRegex } from '../../../pipeline/linear-regex.ts';

const SETTLE = 1000;

function tombstone(selector: string, more: Partial<Tombstone> = {}): Tombstone {
  return { id: selector, selector, start: 100, end: 200, createdAt: 5000, reason: 'asked for', ...more };
}

function row(more: Partial<TombstoneRow> = {}): TombstoneRow {
  return {
    level: 1,
    resolutionSeconds: 0,
    minTime: 50,
    maxTime: 150,
    createdAt: 4000,
    batchIds: ['prod/sealed'],
    datasets: [{ service: 'shop' }],
    ...more,
  };
}

test('a block that rolled up a label of a selector cannot tell what it deletes', () => {
  const all = Tombstones.of([tombstone('{pod!="a"}'), tombstone('{service_name="shop"}')], compileRegex);
  const selectors = (tombstones: Tombstones) => tombstones.all.map(({ selector }) => selector);
  const rolledUp = row({ resolutionSeconds: 3600, batchIds: ['prod/sealed', 'family', '~rolled:pod'] });
  assert.deepEqual(selectors(all.concerning(rolledUp, SETTLE)), ['{service_name="shop"}']);
  assert.deepEqual(selectors(all.untoldIn(rolledUp, SETTLE)), ['{pod!="a"}']);
  assert.deepEqual(selectors(all.toldBy(rolledUp)), ['{service_name="shop"}']);
  assert.equal(all.untoldIn({ ...rolledUp, createdAt: 6000 }, SETTLE).isEmpty, true, 'was made anew since');
  assert.equal(all.untoldIn({ ...rolledUp, minTime: 200, maxTime: 300 }, SETTLE).isEmpty, true);
  const told = row({ resolutionSeconds: 300 });
  assert.equal(all.concerning(told, SETTLE).all.length, 2);
  assert.equal(all.untoldIn(told, SETTLE).isEmpty, true);
});

const concerns = (selector: string, block: TombstoneRow) =>
  !Tombstones.of([tombstone(selector)], compileRegex).concerning(block, SETTLE).isEmpty;

test('windows of series that match are deleted where they start in the range', () => {
  const tombstones = Tombstones.of(
    [tombstone('{pod="a"}'), tombstone('{pod=~"a|b"}', { start: 300, end: 400 })],
    compileRegex,
  );
  assert.equal(tombstones.isEmpty, false);
  const spans = tombstones.spansOf(labelsOf([['pod', 'a']]));
  assert.equal(spans.length, 2);
  assert.equal(tombstones.spansOf(labelsOf([['pod', 'b']])).length, 1);
  assert.equal(tombstones.spansOf(labelsOf([['pod', 'c']])).length, 0);
  assert.equal(deletingSpan(spans, 99, 0), undefined, 'starts before it');
  assert.equal(deletingSpan(spans, 100, 0), spans[0]);
  assert.equal(deletingSpan(spans, 199, 0), spans[0]);
  assert.equal(deletingSpan(spans, 200, 0), undefined, 'starts where the range ends');
  assert.equal(deletingSpan(spans, 0, 100), undefined, 'the step ends where the range begins');
  assert.equal(deletingSpan(spans, 0, 101), spans[0], 'a coarse window goes as a whole');
});

test('a step that a range takes in part is cut by it', () => {
  const spans = [
    { start: 100, end: 200 },
    { start: 250, end: 340 },
  ];
  assert.deepEqual(cutSteps(spans, 0), []);
  assert.deepEqual(cutSteps(spans, 10), []);
  assert.deepEqual(cutSteps(spans, 100), [
    { start: 200, end: 300 },
    { start: 300, end: 400 },
  ]);
});

test('a block is concerned unless its index row rules that out', () => {
  assert.equal(
    concerns('{pod="a"}', row()),
    true,
    'labels other than cluster and service are not in the row',
  );
  assert.equal(concerns('{service_name="shop"}', row()), true);
  assert.equal(concerns('{service_name="pay"}', row()), false);
  assert.equal(concerns('{cluster="prod",pod="a"}', row()), true);
  assert.equal(concerns('{cluster="dev"}', row()), false);
  assert.equal(concerns('{cluster="dev"}', row({ batchIds: [] })), true, 'it does not say whose it is');
  assert.equal(concerns('{service_name="pay",cluster="dev"}', row({ batchIds: [] })), false);
  assert.equal(concerns('{pod="a"}', row({ minTime: 200, maxTime: 300 })), false, 'another time');
});

test('a block written after the deletion has settled is done, unless it holds batches as they came', () => {
  assert.equal(concerns('{pod="a"}', row({ createdAt: 5999 })), true, 'its merge may have begun before');
  assert.equal(concerns('{pod="a"}', row({ createdAt: 6000 })), false);
  assert.equal(concerns('{pod="a"}', row({ createdAt: 6000, level: 0 })), true);
});

test('a deletion of nothing, or of everything by mistake, is refused', () => {
  const check = (one: Tombstone) => () => checkTombstone(one, compileRegex);
  assert.doesNotThrow(check(tombstone('{pod="a"}')));
  assert.doesNotThrow(check(tombstone('{service_name=~".*"}')));
  assert.throws(check(tombstone('{}')), /delete everything/);
  assert.throws(check(tombstone('cpu{pod="a"}')), /every profile type/);
  assert.throws(check(tombstone('{pod="a"}', { start: 200 })), /not a range/);
  assert.throws(check(tombstone('{pod="a"}', { reason: '' })), /reason/);
  assert.throws(check(tombstone('{pod=~"("}')), RejectedError);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../../core/errors.ts';
import { labelsKey, labelsOf, labelValue } from '../../../core/labels/labels.ts';
import { CPU_PROFILE_TYPE, parseProfileType, profileTypeId } from '../../../core/labels/profile-type.ts';

test('labels are sorted by code unit, once each, the last winning, empty ones gone', () => {
  const labels = labelsOf([
    ['b', '1'],
    ['a', '2'],
    ['B', '3'],
    ['a', '4'],
    ['gone', 'x'],
    ['gone', ''],
  ]);
  assert.deepEqual(labels, [
    ['B', '3'],
    ['a', '4'],
    ['b', '1'],
  ]);
});

test('names of object members are ordinary names', () => {
  const labels = labelsOf([
    ['__proto__', 'p'],
    ['constructor', 'c'],
    ['toString', 't'],
  ]);
  assert.equal(labelValue(labels, '__proto__'), 'p');
  assert.equal(labelValue(labels, 'constructor'), 'c');
  assert.equal(labelValue(labels, 'hasOwnProperty'), '');
  assert.equal(({} as Record<string, unknown>).p, undefined);
});

test('keys keep label sets apart', () => {
  const sets = [
    [['a', 'b=c']],
    [['a=b', 'c']],
    [['a', 'bc']],
    [['ab', 'c']],
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ] as [string, string][][];
  assert.equal(new Set(sets.map((set) => labelsKey(labelsOf(set)))).size, sets.length);
});

test('profile types are five parts', () => {
  const cpu = parseProfileType(CPU_PROFILE_TYPE);
  assert.deepEqual(
    [cpu.name, cpu.sampleType, cpu.sampleUnit, cpu.periodType, cpu.periodUnit],
    ['process_cpu', 'cpu', 'nanoseconds', 'cpu', 'nanoseconds'],
  );
  assert.equal(
    profileTypeId('off_cpu', { type: 'off_cpu', unit: 'nanoseconds' }),
    'off_cpu:off_cpu:nanoseconds::',
  );
  for (const id of ['', 'cpu', 'a:b:c:d', 'a:b:c:d:e:f', ':b:c:d:e', 'a::c:d:e'])
    assert.throws(() => parseProfileType(id), RejectedError, id);
});

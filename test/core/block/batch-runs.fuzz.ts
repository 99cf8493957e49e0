// Runs say of batches what their ids do, one by one: packed and unpacked, in common, and shared by several tables.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchRuns, batchIdsOf, packBatchIds, unpackBatchIds } from '../../../core/block/batch-runs.ts';
import { clustersOf, familiesOf, isBatchId } from '../../../core/block/batch-table.ts';
import { sharedBatches } from '../../../core/block/duplicate-rows.ts';
import { property } from './fixtures.ts';

const OTHERS = ['c/sealed', '01FAMILY', '~partial', 'c/n/b/late', 'c/n/b/007', 'c/n/b/', 'c/n/b/1.5'];

function randomTable(random: () => number): string[] {
  const ids = new Set<string>();
  for (let i = Math.floor(random() * 30); i > 0; i--) {
    const boot = `c${Math.floor(random() * 2)}/n/b${Math.floor(random() * 3)}`;
    ids.add(`${boot}/${Math.floor(random() * 40)}`);
  }
  for (const other of OTHERS) if (random() < 0.2) ids.add(other);
  return [...ids];
}

/** As an index row has it, or as a block. */
const written = (table: string[], random: () => number) => (random() < 0.5 ? packBatchIds(table) : table);

test('a packed table names the same, in fewer entries', () =>
  property('packing', (random) => {
    const table = randomTable(random);
    const packed = packBatchIds(table);
    assert.deepEqual(unpackBatchIds(packed).sort(), [...table].sort());
    assert.deepEqual(packBatchIds(packed), packed);
    assert.deepEqual(clustersOf(packed), clustersOf(table));
    assert.deepEqual(familiesOf(packed), familiesOf(table));
    assert.equal(packed.some(isBatchId), table.some(isBatchId));
  }));

test('what one agent sent in an hour is one entry', () => {
  const ids = Array.from({ length: 60 }, (_, i) => `c/node-7/boot/${1000 + i}`);
  assert.deepEqual(packBatchIds(ids), ['c/node-7/boot/1000-1059']);
  assert.deepEqual(packBatchIds(['c/n/b/1', 'c/n/b/3', 'c/n/b/2', 'c/n/b/5']), ['c/n/b/1-3', 'c/n/b/5']);
});

test('batches in common, and shared batches, are those of the ids', () =>
  property('sharing', (random) => {
    const tables = Array.from({ length: 1 + Math.floor(random() * 5) }, () => randomTable(random));
    const entries = tables.map((table) => written(table, random));
    const [first, ...rest] = tables.map((table) => new Set(table.filter(isBatchId)));
    for (const [i, other] of rest.entries()) {
      const common = entries[i + 1]!.flatMap((entry) => new BatchRuns(entries[0]!).common(entry));
      assert.deepEqual(common.flatMap(batchIdsOf).sort(), [...other].filter((id) => first!.has(id)).sort());
    }
    const mayShare = (a: number, b: number) => (a + b) % 3 !== 0;
    const expected = new Set<string>();
    for (let b = 1; b < tables.length; b++)
      for (let a = 0; a < b; a++)
        if (mayShare(a, b))
          for (const id of tables[a]!) if (isBatchId(id) && tables[b]!.includes(id)) expected.add(id);
    assert.deepEqual([...sharedBatches(entries, mayShare)].sort(), [...expected].sort());
  }));

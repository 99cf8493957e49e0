// Keys of the table: no partition takes more than a share of the writes, and a search asks few of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toItem } from '../../../storage/aws/attribute-values.ts';
import { effectOf, entryOf, mayMatch, partsOf, rowFields, toRow } from '../../../storage/aws/block-items.ts';
import {
  bucketOf,
  bucketsFor,
  earliestStart,
  entryBlockId,
  entryKey,
  entryPartitions,
  SPAN_CLASSES,
} from '../../../storage/aws/block-spans.ts';
import { declareSame, packRecord, recordsOf, sliceStart } from '../../../storage/aws/ledger-records.ts';
import { agentKey, blockKey, padded, shardOf } from '../../../storage/aws/names.ts';
import type { BlockRow, BlockSwap } from '../../../storage/block-catalog.ts';
import { seededRandom } from '../../../storage/faults/fault-plan.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';

const HOUR = 3_600_000;

test('padded numbers sort as numbers do', () => {
  const numbers = [0, 1, 9, 10, 99, 1e12, Number.MAX_SAFE_INTEGER];
  assert.deepEqual(numbers.map(padded).sort(), numbers.map(padded));
});

test('shards take even shares', () => {
  for (const shards of [4, 8]) {
    const counts = new Array(shards).fill(0);
    for (let i = 0; i < 8000; i++) counts[shardOf(`ip-10-0-${i >> 8}-${i & 255}.internal`, shards)]++;
    for (const count of counts) assert.ok(Math.abs(count - 8000 / shards) < 8000 / shards / 4, counts.join());
  }
  const partitions = new Set(Array.from({ length: 100 }, (_, i) => agentKey('prod', `n${i}`).pk));
  assert.equal(partitions.size, 4);
});

test('a block that overlaps a range begins in a bucket that is asked for', () => {
  const random = seededRandom(7);
  for (let i = 0; i < 5000; i++) {
    const minTime = Math.floor(random() * 1e12);
    const maxTime = minTime + 1 + Math.floor(random() * 2 ** Math.floor(random() * 38));
    const from = Math.max(0, Math.floor(minTime + (random() - 0.6) * 2 * (maxTime - minTime)));
    const until = from + 1 + Math.floor(random() * 1e9);
    if (minTime >= until || maxTime <= from) continue;
    const { spanClass, bucket } = bucketOf({ minTime, maxTime });
    const { first, last } = bucketsFor(spanClass, earliestStart(spanClass, from), until);
    assert.ok(first <= bucket && bucket <= last, `[${minTime}, ${maxTime}) in [${from}, ${until})`);
  }
});

test('an hour is found in at most sixteen partitions', () => {
  for (let from = 0; from < 3000 * HOUR; from += 997_000_003) {
    const partitions = SPAN_CLASSES.flatMap((_, spanClass) => {
      const { first, last, few } = bucketsFor(spanClass, earliestStart(spanClass, from), from + HOUR);
      assert.ok(few);
      return Array.from({ length: last - first + 1 }, (_, i) =>
        entryPartitions('t', { spanClass, bucket: first + i }),
      ).flat();
    });
    assert.ok(partitions.length <= 16, `${partitions.length}`);
  }
});

test('an entry names its block, and sorts by time and id', () => {
  const rows = [
    aBlockRow({ blockId: 'a', minTime: 5, maxTime: 6 }),
    aBlockRow({ blockId: 'a-b', minTime: 5, maxTime: 6 }),
    aBlockRow({ blockId: 'a.b', minTime: 5, maxTime: 6 }),
    aBlockRow({ blockId: '0', minTime: 10, maxTime: 11 }),
  ];
  const keys = rows.map((row) => entryKey(row, entryOf(row).digest).sk);
  assert.deepEqual([...keys].sort(), keys);
  assert.deepEqual(keys.map(entryBlockId), ['a', 'a-b', 'a.b', '0']);
});

test('an entry lets pass what its row may answer, and keeps out most of the rest', () => {
  const services = Array.from({ length: 150 }, (_, i) => `service-${i}`);
  const datasets = services.map((service) => ({ service, profileTypes: ['cpu'], minTime: 5, maxTime: 9 }));
  const entry = toItem(entryOf(aBlockRow({ blockId: 'a', minTime: 5, maxTime: 9, datasets })).fields);
  const ask = (service: string | undefined, from = 5) => mayMatch(entry, { from, until: 99, service });
  for (const service of services) assert.equal(ask(service), true);
  assert.equal(ask(undefined), true);
  assert.equal(ask('service-0', 9), false);
  assert.equal(services.filter((service) => ask(`other-${service}`)).length, 0);
});

test('a row of 200 services and 45 batches takes 2 KB or less', () => {
  const datasets = Array.from({ length: 200 }, (_, i) => {
    const service = `shop/checkout-service-${i}`;
    return { service, profileTypes: ['cpu', 'alloc_space'], minTime: 600_000, maxTime: 660_000 };
  });
  const batchIds = Array.from({ length: 45 }, (_, i) => {
    return `production-eu/ip-10-0-${i}-234.eu-central-1.compute.internal/boot-0000-0000-${i}/12345${i}`;
  });
  const row = aBlockRow({ blockId: '01JX0000000000000000000000', datasets, batchIds });
  const item = toItem({ ...blockKey(row.blockId), ...rowFields(row, 'nonce').fields });
  assert.ok(JSON.stringify(item).length > 0);
  assert.ok((item.content.B as Uint8Array).length < 1800, `${item.content.B?.length} bytes`);
  assert.deepEqual(toRow(item), row);
});

test('a row past the size of an item lies in parts', () => {
  const random = seededRandom(1);
  const batchIds = Array.from({ length: 100_000 }, () => random().toString(36));
  const row = aBlockRow({ blockId: 'a', batchIds });
  const { fields, digest, parts } = rowFields(row, 'nonce');
  const item = toItem({ ...blockKey('a'), ...fields });
  assert.equal(item.content, undefined);
  assert.deepEqual(partsOf(item), { count: parts.length, digest });
  assert.ok(parts.length > 1 && parts.every((part) => part.length < 400_000));
  assert.deepEqual(toRow(item, parts), row);
});

test('the effect of a swap does not depend on order', () => {
  const [m, n] = ['m', 'n'].map((blockId) => aBlockRow({ blockId }));
  const effect = (remove: string[], add: BlockRow[], asides: Partial<BlockSwap> = {}) =>
    effectOf({ remove, add, token: 't', ...asides });
  assert.equal(effect(['a', 'b'], [m, n]), effect(['b', 'a'], [n, m]));
  assert.notEqual(effect(['a', 'b'], [m]), effect(['a', 'b'], [{ ...m, size: 2000 }]));
  assert.notEqual(effect(['a'], [m]), effect(['a'], [aBlockRow({ blockId: 'm', batchIds: [] })]));
  assert.equal(effect(['a'], [m]), effect(['a'], [m], { putBack: [] }));
  const both = { putBack: ['b', 'c'], removeAside: ['d'] };
  assert.equal(effect([], [], both), effect([], [], { ...both, putBack: ['c', 'b'] }));
  assert.notEqual(effect([], [], { putBack: ['b'] }), effect([], [], { removeAside: ['b'] }));
});

test('a record of the ledger comes back, in about 40 bytes', () => {
  const record = {
    cluster: 'prod',
    node: 'n#1/ü',
    bootId: 'b',
    sequence: 123_456,
    samplesTaken: 1485,
    samplesLost: 0,
    samplesDropped: 2,
    samplesKept: 1483,
    firstWindow: 1_790_000_123_000,
    lastWindow: 1_790_000_173_000,
    receivedAt: 1_790_000_190_000,
  };
  const start = sliceStart(record.firstWindow);
  const packed = packRecord(record, start);
  assert.ok(packed.length <= 40, packed);
  const { cluster, node, bootId } = record;
  const item = toItem({
    pk: 'x',
    sk: 'y',
    cluster,
    node,
    bootId,
    start,
    changes: 1,
    r_2n9c: packed,
    d_2n9c: 2,
  });
  assert.deepEqual(recordsOf(item), [{ ...record, duplicates: 2 }]);
  assert.equal(declareSame(packed, packRecord({ ...record, receivedAt: 1 }, start)), true);
  assert.equal(declareSame(packed, packRecord({ ...record, samplesKept: 1 }, start)), false);
});

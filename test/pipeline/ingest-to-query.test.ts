import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError, RejectedError } from '../../core/errors.ts';
import { auditLoss } from '../../pipeline/audit-loss.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import {
  listLabelNames,
  listLabelValues,
  listProfileTypes,
  listSeries,
  listServices,
} from '../../pipeline/list-labels.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectSeries, selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { sumLoss } from '../../pipeline/sum-loss.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW, openHub } from './fixtures.ts';

const HOUR = 3_600_000;
const LAST_HOUR = { profileType: CPU, selector: '{service_name="shop"}', start: NOW - HOUR, end: NOW };

async function send(hub: Hub, ...batches: Uint8Array[]): Promise<void> {
  for (const bytes of batches) await ingestBatch(hub, { cluster: 'c', bytes });
}

async function namesAndTotals(hub: Hub, selection = LAST_HOUR): Promise<[string, number][]> {
  const { tree } = await selectTree(hub, selection);
  return [...tree.nameOf].map((name, i) => [tree.names[name]!, tree.total[i]! * tree.scale]);
}

test('what agents send is what a flame graph shows', async (t) => {
  const hub = await openHub(t);
  await send(
    hub,
    batchOf(1, [{ stacks: { 'main;a': 30, 'main;b': 10 }, samples: 4 }]),
    batchOf(2, [
      { stacks: { 'main;a': 5 }, samples: 1 },
      { service: 'cart', stacks: { main: 99 }, samples: 1 },
    ]),
  );
  assert.deepEqual(await processBatches(hub), {
    batches: 2,
    blocks: 1,
    samples: 6,
    duplicateSamples: 0,
    quarantined: 0,
  });
  assert.deepEqual(await namesAndTotals(hub), [
    ['total', 45],
    ['main', 45],
    ['a', 35],
    ['b', 10],
  ]);
  const { total, completeness } = await selectTree(hub, LAST_HOUR);
  assert.equal(total, 45n);
  assert.equal(completeness.complete, true);
  assert.equal(completeness.samples, 5);
  assert.equal(completeness.blocksRead, 1);
});

test('a batch that comes twice is counted once, in one round, in two, and across blocks', async (t) => {
  const hub = await openHub(t);
  const batch = batchOf(1, [{ stacks: { main: 7 }, samples: 7 }]);
  await send(hub, batch, batch);
  await processBatches(hub);
  assert.deepEqual(await ingestBatch(hub, { cluster: 'c', bytes: batch }), {
    batchId: 'c/n/b/1',
    duplicate: true,
  });
  await processBatches(hub);
  const { total, completeness } = await selectTree(hub, LAST_HOUR);
  assert.equal(total, 7n);
  assert.equal(completeness.blocksRead, 2);
  assert.equal(
    (await selectSeries(hub, { ...LAST_HOUR, stepMs: HOUR, groupBy: [], aggregation: 'sum' })).series[0]!
      .points[0]!.value,
    7,
  );
});

test('a batch of another cluster, cut, tampered, lying about its samples or out of time is refused', async (t) => {
  const hub = await openHub(t);
  const good = batchOf(1, [{ stacks: { main: 7 } }]);
  await assert.rejects(
    ingestBatch(hub, { cluster: 'other', bytes: good }),
    /batch is of cluster c, its sender of other/,
  );
  await assert.rejects(ingestBatch(hub, { cluster: 'c', bytes: good.slice(0, -1) }), MalformedInputError);
  const tampered = good.slice();
  tampered[20]! ^= 1;
  await assert.rejects(ingestBatch(hub, { cluster: 'c', bytes: tampered }), MalformedInputError);
  await assert.rejects(
    ingestBatch(hub, { cluster: 'c', bytes: batchOf(1, [{ stacks: { main: 7 } }], { kept: 5 }) }),
    /holds 1 samples, its sender says 5/,
  );
  const late = batchOf(2, [{ stacks: { main: 1 }, start: NOW - 80 * HOUR }]);
  await assert.rejects(
    ingestBatch(hub, { cluster: 'c', bytes: late }),
    /80 hours old, the limit lateWindowMs is 72 hours/,
  );
  const early = batchOf(2, [{ stacks: { main: 1 }, start: NOW + HOUR }]);
  await assert.rejects(ingestBatch(hub, { cluster: 'c', bytes: early }), /check the sender's clock/);
  await assert.rejects(ingestBatch(hub, { cluster: 'c', bytes: new Uint8Array(5 << 20) }), RejectedError);
  assert.equal((await hub.queue.depth()).visible, 0);
});

test('a batch too large for the queue travels through the object store and leaves nothing behind', async (t) => {
  const hub = await openHub(t);
  const stacks = Object.fromEntries(
    Array.from({ length: 30000 }, (_, i) => [`main;${(i * 2654435761) >>> 0}-${Math.sin(i)}`, 1 + i]),
  );
  const batch = batchOf(1, [{ stacks }]);
  assert.ok(batch.length > 300 * 1024, `${batch.length} bytes`);
  await send(hub, batch);
  assert.equal((await hub.objects.list('inbox/', { limit: 10 })).length, 1);
  await processBatches(hub);
  assert.equal((await hub.objects.list('inbox/', { limit: 10 })).length, 0);
  assert.equal((await selectTree(hub, LAST_HOUR)).total, BigInt((30000 * 30001) / 2));
});

test('a missing and a damaged block are left out, and the answer says so', async (t) => {
  const hub = await openHub(t);
  for (const sequence of [1, 2, 3]) {
    await send(hub, batchOf(sequence, [{ stacks: { main: 10 ** sequence } }]));
    await processBatches(hub);
  }
  const [gone, damaged] = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
  await hub.objects.delete(blockKey('default', 0, gone!.blockId));
  const key = blockKey('default', 0, damaged!.blockId);
  const bytes = (await hub.objects.get(key))!.slice();
  bytes[12]! ^= 255;
  await hub.objects.delete(key);
  await hub.objects.put(key, bytes);
  await sumLoss(hub);
  const { total, completeness } = await selectTree(hub, LAST_HOUR);
  assert.ok([10n, 100n, 1000n].includes(total));
  assert.deepEqual(
    [
      completeness.complete,
      completeness.missingBlocks,
      completeness.corruptBlocks,
      completeness.notes.length,
    ],
    [false, 1, 1, 2],
  );
});

test('missing sequence numbers and lost samples make an answer incomplete', async (t) => {
  const hub = await openHub(t);
  await send(
    hub,
    batchOf(1, [{ stacks: { main: 1 } }], { lost: 3 }),
    batchOf(4, [{ stacks: { main: 1 } }], { taken: 11, dropped: 10 }),
  );
  await processBatches(hub);
  assert.deepEqual((await selectTree(hub, LAST_HOUR)).completeness.notes, [
    'what was lost is not known yet: it is summed every few minutes',
  ]);
  await sumLoss(hub);
  const { completeness } = await selectTree(hub, LAST_HOUR);
  assert.equal(completeness.complete, false);
  assert.equal(completeness.samplesLost, 13);
  assert.deepEqual(completeness.notes, ['2 batches have not arrived: they are late or lost']);
  assert.deepEqual(await auditLoss(hub, { start: NOW - HOUR, end: NOW }), [
    {
      cluster: 'c',
      hourMs: NOW - HOUR,
      taken: 12,
      lostByKernel: 3,
      droppedByAgent: 10,
      spooled: 0,
      acknowledged: 2,
      unaccounted: 0,
      missingBatches: 2,
      duplicateBatches: 0,
    },
  ]);
});

test('SelectSeries points sum (t - step, t], as in the worked example', async (t) => {
  const hub = await openHub(t);
  const at = (ms: number) => NOW - 120_000 + ms;
  await send(
    hub,
    batchOf(1, [
      { stacks: { main: 3 }, start: at(60_000) },
      { stacks: { main: 4 }, start: at(70_000) },
      { stacks: { main: 6 }, start: at(75_000) },
      { stacks: { main: 100 }, start: at(120_000) - 10_000 },
    ]),
  );
  await processBatches(hub);
  const request = { ...LAST_HOUR, start: at(60_000), end: at(105_000), stepMs: 15_000, groupBy: [] };
  const { series } = await selectSeries(hub, { ...request, aggregation: 'sum' });
  assert.deepEqual(series, [
    {
      labels: [],
      points: [
        { timeMs: at(60_000), value: 3 },
        { timeMs: at(75_000), value: 10 },
      ],
    },
  ]);
  const average = await selectSeries(hub, { ...request, aggregation: 'average', groupBy: ['pod', 'no'] });
  assert.deepEqual(average.series[0]!.labels, [['pod', 'pod-0']]);
  assert.equal(average.series[0]!.points[1]!.value, 5);
});

test('a timeline has round steps and at most the points asked for', async (t) => {
  const hub = await openHub(t);
  const rows = Array.from({ length: 60 }, (_, i) => ({
    stacks: { main: 1 },
    start: NOW - HOUR + i * 60_000,
    samples: 2,
  }));
  await send(hub, batchOf(1, rows));
  await processBatches(hub);
  const { stepMs, points, unit } = await selectTimeline(hub, { ...LAST_HOUR, maxPoints: 13 });
  assert.equal(stepMs, 300_000);
  assert.equal(unit, 'nanoseconds');
  assert.equal(points.length, 12);
  assert.ok(
    points.every(({ timeMs, value, samples }) => timeMs % stepMs === 0 && value === 5 && samples === 10),
  );
});

test('labels, series, services and profile types are what was sent', async (t) => {
  const hub = await openHub(t);
  const memory = 'memory:inuse_space:bytes:space:bytes';
  await send(
    hub,
    batchOf(1, [
      { stacks: { main: 1 }, pod: 'p1' },
      { stacks: { main: 1 }, pod: 'p2', type: memory },
      { service: 'cart', stacks: { main: 1 }, pod: 'p3' },
    ]),
  );
  await processBatches(hub);
  const range = { start: NOW - HOUR, end: NOW };
  assert.deepEqual(
    (await listServices(hub, range)).map(({ name, profileTypes, clusters }) => [
      name,
      profileTypes,
      clusters,
    ]),
    [
      ['cart', [CPU], ['c']],
      ['shop', [memory, CPU], ['c']],
    ],
  );
  assert.deepEqual(
    (await listProfileTypes(hub, range)).map((type) => type.id),
    [memory, CPU],
  );
  assert.deepEqual(
    await listLabelValues(hub, { ...range, name: 'pod', matchers: ['{service_name="shop"}'] }),
    ['p1', 'p2'],
  );
  assert.deepEqual(
    await listLabelValues(hub, { ...range, name: 'pod', matchers: [`{__profile_type__="${CPU}"}`] }),
    ['p1', 'p3'],
  );
  assert.deepEqual(await listLabelValues(hub, { ...range, name: 'service_name', matchers: ['{}'] }), [
    'cart',
    'shop',
  ]);
  assert.ok((await listLabelNames(hub, { ...range, matchers: [] })).includes('pod'));
  assert.deepEqual(
    await listSeries(hub, { ...range, matchers: [], labelNames: ['service_name', '__profile_type__'] }),
    [
      [
        ['__profile_type__', memory],
        ['service_name', 'shop'],
      ],
      [
        ['__profile_type__', CPU],
        ['service_name', 'cart'],
      ],
      [
        ['__profile_type__', CPU],
        ['service_name', 'shop'],
      ],
    ],
  );
});

test('a query reads each small block once, and only blocks that can match', async (t) => {
  const hub = await openHub(t);
  for (const sequence of [1, 2, 3]) {
    await send(hub, batchOf(sequence, [{ service: sequence === 3 ? 'cart' : 'shop', stacks: { main: 1 } }]));
    await processBatches(hub);
  }
  const reads: string[] = [];
  const counting: Hub = {
    ...hub,
    objects: new Proxy(hub.objects, {
      get: (target, method) =>
        (Reflect.get(target, method) as (...args: unknown[]) => unknown) &&
        ((...args: unknown[]) => {
          reads.push(String(method));
          return (Reflect.get(target, method) as (...args: unknown[]) => unknown).apply(target, args);
        }),
    }),
  };
  await selectTree(counting, LAST_HOUR);
  assert.deepEqual(reads, ['getTail', 'getTail']);
});

test('a flame graph beyond 2^53 keeps its exact total and says that its values are rounded', async (t) => {
  const hub = await openHub(t);
  const rows = [0, 1, 2].map((i) => ({
    stacks: { main: 2 ** 53 - 1, 'main;a': 1 },
    start: NOW - HOUR + i * 10_000,
  }));
  // 2^53 in one row would be refused: one unit less for the sum.
  for (const row of rows) row.stacks.main -= 1;
  await send(hub, batchOf(1, rows));
  await processBatches(hub);
  const { total, rounded, tree } = await selectTree(hub, LAST_HOUR);
  assert.equal(total, 3n * (2n ** 53n - 1n));
  assert.equal(rounded, true);
  assert.ok(Math.abs(tree.total[0]! * tree.scale - Number(total)) <= tree.scale);
});

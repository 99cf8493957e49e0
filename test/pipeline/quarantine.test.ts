import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError, RetryableError } from '../../core/errors.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { discardQuarantined, listQuarantine, requeueQuarantined } from '../../pipeline/quarantine.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW, openHub } from './fixtures.ts';

const LAST_HOUR = {
  profileType: CPU,
  selector: '{service_name="shop"}',
  start: NOW - 3_600_000,
  end: NOW,
};

const goodBatch = (sequence: number) => batchOf(sequence, [{ stacks: { main: sequence }, samples: 1 }]);

/** Ends too early to be opened. */
const cutBatch = (sequence: number) => goodBatch(sequence).slice(0, 40);

/** Opens, and fails when its rows are read. */
function damagedBatch(sequence: number): Uint8Array {
  const bytes = goodBatch(sequence).slice();
  bytes[12]! ^= 255;
  return bytes;
}

async function enqueue(hub: Hub, sequence: number, payload: Uint8Array): Promise<void> {
  const head = { batchId: `c/n/b/${sequence}`, tenant: hub.tenant, cluster: 'c', receivedAt: hub.clock() };
  await hub.queue.send({ ...head, payload });
}

const total = async (hub: Hub) => (await selectTree(hub, LAST_HOUR)).total;
const EMPTY = { visible: 0, inFlight: 0, dead: 0, oldestMs: 0 };

test('poison among good batches goes to quarantine with its reason, and the good ones are stored', async (t) => {
  const hub = await openHub(t);
  for (let sequence = 1; sequence <= 20; sequence++) {
    if (sequence === 4) await enqueue(hub, 4, cutBatch(4));
    else if (sequence === 13) await enqueue(hub, 13, damagedBatch(13));
    else await enqueue(hub, sequence, goodBatch(sequence));
  }
  const { batches, blocks, quarantined } = await processBatches(hub);
  assert.deepEqual([batches, quarantined], [18, 2]);
  assert.ok(blocks <= 5, `one bad batch in 19 is found by halves, it took ${blocks} blocks`);
  assert.equal(await total(hub), 210n - 4n - 13n);
  assert.deepEqual(await hub.queue.depth(), EMPTY);
  const set = await listQuarantine(hub, 10);
  assert.deepEqual(
    set.map(({ batchId, cluster, size, receivedAt, quarantinedAt }) => ({
      ...{ batchId, cluster, size, receivedAt, quarantinedAt },
    })),
    [
      {
        batchId: 'c/n/b/13',
        cluster: 'c',
        size: damagedBatch(13).length,
        receivedAt: NOW,
        quarantinedAt: NOW,
      },
      { batchId: 'c/n/b/4', cluster: 'c', size: 40, receivedAt: NOW, quarantinedAt: NOW },
    ],
  );
  for (const { reason } of set) assert.match(reason, /^CorruptBlockError: /);
  assert.match(hub.logs.join('\n'), /batch c\/n\/b\/4 cannot be stored, it is in quarantine: CorruptBlock/);
});

test('a poison batch that travelled as an object leaves the inbox', async (t) => {
  const hub = await openHub(t);
  const objectKey = 'inbox/default/c/c=n=b=1=00000000.batch';
  await hub.objects.put(objectKey, cutBatch(1));
  const head = { batchId: 'c/n/b/1', tenant: 'default', cluster: 'c', receivedAt: NOW };
  await hub.queue.send({ ...head, objectKey });
  assert.equal((await processBatches(hub)).quarantined, 1);
  assert.deepEqual(await hub.objects.list('inbox/', { limit: 10 }), []);
  assert.equal((await listQuarantine(hub, 10))[0]?.size, 40);
});

test('storage that refuses for good is no fault of a batch: it stays on the queue', async (t) => {
  const hub = await openHub(t);
  await enqueue(hub, 1, goodBatch(1));
  const denied = async () => assert.fail('AccessDenied');
  const objectKey = 'inbox/default/c/c=n=b=2=00000000.batch';
  await hub.objects.put(objectKey, goodBatch(2));
  const refusing: Hub[] = [
    { ...hub, catalog: { ...hub.catalog, publish: denied } },
    { ...hub, objects: { ...hub.objects, get: denied } },
  ];
  for (const one of refusing) {
    await assert.rejects(processBatches(one), /AccessDenied/);
    const head = { batchId: 'c/n/b/2', tenant: 'default', cluster: 'c', receivedAt: NOW };
    await hub.queue.send({ ...head, objectKey });
    hub.now += hub.settings.processVisibilityMs;
  }
  assert.deepEqual(await listQuarantine(hub, 10), []);
  assert.equal((await processBatches(hub)).batches, 3);
  assert.equal(await total(hub), 3n);
});

test('a requeued batch is stored when its fault was ours, and comes back when it was not', async (t) => {
  const hub = await openHub(t);
  await enqueue(hub, 1, cutBatch(1));
  // A fault of ours: what was read then is read today.
  const blind = { ...hub, codec: { ...hub.codec, decompress: () => assert.fail('a bug') } };
  await enqueue(hub, 2, goodBatch(2));
  await processBatches(blind as Hub);
  const [cut, good] = await listQuarantine(hub, 10);
  hub.now += 1000;
  await requeueQuarantined(hub, cut!.id);
  await requeueQuarantined(hub, good!.id);
  assert.deepEqual(await listQuarantine(hub, 10), []);
  assert.equal((await processBatches(hub)).batches, 1);
  assert.equal(await total(hub), 2n);
  const [back] = await listQuarantine(hub, 10);
  assert.equal(back?.batchId, 'c/n/b/1');
  assert.notEqual(back?.id, cut?.id);
  await discardQuarantined(hub, back!.id);
  assert.deepEqual(await hub.objects.list('quarantine/', { limit: 10 }), []);
});

test('an id that nobody set aside is refused, whatever it looks like', async (t) => {
  const hub = await openHub(t);
  for (const id of ['', 'c', 'c/none', '../c/none', 'c/../x', 'c/a/b', 'c/x y']) {
    for (const act of [requeueQuarantined, discardQuarantined]) {
      await assert.rejects(
        act(hub, id),
        (error: RejectedError) => error.reason === 'not-found',
        JSON.stringify(id),
      );
    }
  }
});

test('a list takes as many as asked, and no more than is sane', async (t) => {
  const hub = await openHub(t);
  for (let sequence = 1; sequence <= 5; sequence++) await enqueue(hub, sequence, cutBatch(sequence));
  await processBatches(hub);
  assert.equal((await listQuarantine(hub, 3)).length, 3);
  await assert.rejects(listQuarantine(hub, 1001), RejectedError);
});

test('a crash at any step of setting aside is mended by the next delivery', async (t) => {
  for (const fault of ['fail-before', 'fail-after'] as const) {
    for (let step = 0; step < 4; step++) {
      const hub = await openHub(t);
      let calls = 0;
      const atStep = () => (calls++ === step ? fault : 'none');
      const faulty = { ...hub, objects: withFaults(hub.objects, atStep), queue: hub.queue };
      if (step === 3)
        faulty.queue = withFaults(hub.queue, ({ method }) => (method === 'acknowledge' ? fault : 'none'));
      await enqueue(hub, 1, cutBatch(1));
      await processBatches(faulty).catch((error) =>
        assert.ok(error instanceof RetryableError, String(error)),
      );
      hub.now += 61_000;
      await processBatches(hub);
      assert.deepEqual(await hub.queue.depth(), EMPTY, `${fault} ${step}`);
      assert.equal((await listQuarantine(hub, 10)).length, 1, `${fault} ${step}`);
    }
  }
});

test('trouble with storage is no poison: the batch stays, and others of the round are stored', async (t) => {
  const hub = await openHub(t);
  const objectKey = 'inbox/default/c/c=n=b=1=00000000.batch';
  await hub.objects.put(objectKey, goodBatch(1));
  await hub.queue.send({ batchId: 'c/n/b/1', tenant: 'default', cluster: 'c', receivedAt: NOW, objectKey });
  await ingestBatch(hub, { cluster: 'c', bytes: goodBatch(2) });
  const faulty = {
    ...hub,
    objects: withFaults(hub.objects, ({ method }) => (method === 'get' ? 'fail-before' : 'none')),
  };
  assert.equal((await processBatches(faulty)).batches, 1);
  assert.deepEqual(await listQuarantine(hub, 10), []);
  hub.now += 61_000;
  assert.equal((await processBatches(hub)).batches, 1);
  assert.equal(await total(hub), 3n);
});

test('the second message of a large batch that came twice is no dead letter', async (t) => {
  const hub = await openHub(t);
  const objectKey = 'inbox/default/c/c=n=b=1=00000000.batch';
  await hub.objects.put(objectKey, goodBatch(1));
  const message = { batchId: 'c/n/b/1', tenant: 'default', cluster: 'c', receivedAt: NOW, objectKey };
  await hub.queue.send(message);
  await processBatches(hub);
  await hub.queue.send(message);
  await processBatches(hub);
  assert.deepEqual(await hub.queue.depth(), EMPTY);
  assert.match(hub.logs.join('\n'), /was dealt with before/);
});

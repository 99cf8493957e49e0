import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BatchQueue } from '../../../storage/batch-queue.ts';
import { type ApiUnderTest, type Json, NOW, openApi } from '../api-under-test.ts';

interface Admin extends ApiUnderTest {
  admin(method: string, request?: object): Promise<Json>;
}

/** A hub whose queue holds this many dead letters, and as many that wait. */
async function withDeadLetters(t: TestContext, count: number): Promise<Admin> {
  const api = await openApi(t, { openAdmin: true });
  const { queue } = api.hub;
  for (let i = 0; i < count; i++) await queue.send(message(`dead-${i}`));
  await wearOut(api, queue);
  for (let i = 0; i < count; i++) await queue.send(message(`waiting-${i}`));
  const admin = async (method: string, request: object = {}) =>
    (await api.call(`/cinderblock.v1.AdminService/${method}`, request)).body;
  return { ...api, admin };
}

function message(batchId: string) {
  return { batchId, tenant: 'local', cluster: 'c', receivedAt: NOW, payload: new Uint8Array(10) };
}

/** Receives until nothing is delivered any more. */
async function wearOut(api: ApiUnderTest, queue: BatchQueue): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const received = await queue.receive({ max: 100, visibilityMs: 1000 });
    if (received.length === 0 && i > 0) return;
    api.control.now += 1001;
  }
  assert.fail('the queue delivers without an end');
}

test('says what waits, and lists what was tried too often', async (t) => {
  const { admin } = await withDeadLetters(t, 3);
  const queue = await admin('GetQueue', { limit: 2 });
  assert.partialDeepStrictEqual(queue, { visible: '3', inFlight: '0', dead: '3' });
  assert.equal(queue.deadLetters.length, 2);
  assert.partialDeepStrictEqual(queue.deadLetters[0], {
    ...{ batchId: 'dead-0', cluster: 'c', receivedAtMs: String(NOW), bytes: '10' },
  });
  assert.equal((await admin('GetQueue', { limit: 0 })).deadLetters.length, 0);
  assert.match((await admin('GetQueue', { limit: 1001 })).message, /at most 1000/);
});

test('dead letters are sent again, some or all', async (t) => {
  const { admin } = await withDeadLetters(t, 3);
  const { deadLetters } = await admin('GetQueue');
  assert.equal((await admin('RedriveDeadLetters', { ids: [deadLetters[1].id, 'nope'] })).redriven, '1');
  assert.partialDeepStrictEqual(await admin('GetQueue'), { visible: '4', dead: '2' });
  assert.equal((await admin('RedriveDeadLetters', { all: true })).redriven, '2');
  assert.partialDeepStrictEqual(await admin('GetQueue'), { visible: '6', dead: '0' });
});

test('dead letters are discarded, some or all, and never by saying nothing', async (t) => {
  const { admin } = await withDeadLetters(t, 3);
  const { deadLetters } = await admin('GetQueue');
  for (const request of [{}, { ids: [deadLetters[0].id], all: true }]) {
    assert.match((await admin('DiscardDeadLetters', request)).message, /and not both/);
    assert.match((await admin('RedriveDeadLetters', request)).message, /and not both/);
  }
  assert.equal((await admin('DiscardDeadLetters', { ids: [deadLetters[0].id] })).discarded, '1');
  assert.equal((await admin('DiscardDeadLetters', { all: true })).discarded, '2');
  assert.partialDeepStrictEqual(await admin('GetQueue'), { visible: '3', dead: '0' });
});

test('a batch that can never be stored is set aside with its reason, and requeued or discarded', async (t) => {
  const { admin, hub, process } = await withDeadLetters(t, 0);
  for (const batchId of ['c/n/b/1', 'c/n/b/2']) await hub.queue.send(message(batchId));
  await process();
  const { batches } = await admin('ListQuarantine');
  assert.partialDeepStrictEqual(
    batches.map(({ batchId, cluster, bytes }: Json) => ({ batchId, cluster, bytes })),
    ['c/n/b/1', 'c/n/b/2'].map((batchId) => ({ batchId, cluster: 'c', bytes: '10' })),
  );
  assert.match(batches[0].reason, /\w+Error: /);
  assert.deepEqual(await admin('RequeueQuarantined', { id: batches[0].id }), {});
  assert.deepEqual(await admin('DiscardQuarantined', { id: batches[1].id }), {});
  assert.deepEqual(await admin('ListQuarantine'), { batches: [] });
  assert.equal((await admin('GetQueue')).visible, '1');
  for (const method of ['RequeueQuarantined', 'DiscardQuarantined']) {
    assert.match((await admin(method, { id: batches[1].id })).message, /is in quarantine/);
    assert.match((await admin(method, { id: '../x' })).message, /is in quarantine/);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../core/errors.ts';
import { processorHandler } from '../../functions/processor.ts';
import { listQuarantine } from '../../pipeline/quarantine.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import { contextOf, type FunctionUnderTest, openFunctionHub, sqsEvent } from './function-events.ts';

const HOUR = 3_600_000;

const messageOf = (sequence: number, payload: Uint8Array) => ({
  ...{ batchId: `c/n/b/${sequence}`, tenant: 'default', cluster: 'c', receivedAt: NOW },
  payload,
});

const goodMessage = (sequence: number, start = NOW - 60_000) =>
  messageOf(sequence, batchOf(sequence, [{ stacks: { main: sequence }, samples: 1, start }]));

async function total({ hub }: FunctionUnderTest): Promise<bigint> {
  const selection = { profileType: CPU, selector: '{}', start: NOW - 6 * HOUR, end: NOW };
  return (await selectTree(hub, selection)).total;
}

test('the batches of an event become one block, and none comes back', async (t) => {
  const under = await openFunctionHub(t);
  const event = sqsEvent(Array.from({ length: 45 }, (_, i) => goodMessage(i + 1)));
  assert.deepEqual(await processorHandler(under.open)(event, contextOf()), { batchItemFailures: [] });
  assert.equal(await total(under), 1035n);
  assert.equal((await under.hub.catalog.find({ tenant: 'default', from: 0, until: NOW })).length, 1);
  assert.equal(under.counts.get('process_batches_total'), 45);
  assert.equal(under.flushes.count, 1);
});

test('more messages than one round takes are all stored', async (t) => {
  const under = await openFunctionHub(t);
  const hub = { ...under.hub, settings: { ...under.hub.settings, processBatchesMax: 2 } };
  const event = sqsEvent([1, 2, 3, 4, 5].map((sequence) => goodMessage(sequence)));
  const open = () => ({ ...under.open(), hub });
  assert.deepEqual(await processorHandler(open)(event, contextOf()), { batchItemFailures: [] });
  assert.equal(await total(under), 15n);
});

test('what was stored before storage failed stays stored, and only the rest comes back', async (t) => {
  const under = await openFunctionHub(t);
  // Two hours are two blocks, the older first.
  const event = sqsEvent([goodMessage(1, NOW - 3 * HOUR), goodMessage(2), goodMessage(4)]);
  let puts = 0;
  const objects = withFaults(under.hub.objects, ({ method }) =>
    method === 'put' && ++puts === 2 ? 'fail-before' : 'none',
  );
  const open = () => ({ ...under.open(), hub: { ...under.hub, objects } });
  const { batchItemFailures } = await processorHandler(open)(event, contextOf());
  assert.deepEqual(
    batchItemFailures.map(({ itemIdentifier }) => itemIdentifier),
    event.Records.slice(1).map(({ messageId }) => messageId),
  );
  assert.equal(await total(under), 1n);
  assert.equal(under.counts.get('process_returned_batches_total'), 2);
  assert.equal(under.flushes.count, 1);
});

test('poison goes to quarantine and does not come back', async (t) => {
  const under = await openFunctionHub(t);
  const poison = messageOf(9, batchOf(9, [{ stacks: { main: 1 } }]).slice(0, 40));
  const event = sqsEvent([goodMessage(1), poison, goodMessage(2)]);
  assert.deepEqual(await processorHandler(under.open)(event, contextOf()), { batchItemFailures: [] });
  assert.equal(await total(under), 3n);
  const [set] = await listQuarantine(under.hub, 10);
  assert.deepEqual([set?.batchId, set?.size], ['c/n/b/9', 40]);
  assert.equal(under.counts.get('quarantined_batches_total'), 1);
});

test('a message that is not ours comes back until it is a dead letter, and does not hold up others', async (t) => {
  const under = await openFunctionHub(t);
  const event = sqsEvent([goodMessage(1), goodMessage(2)]);
  event.Records[0]!.body = '{"v":99}';
  const { batchItemFailures } = await processorHandler(under.open)(event, contextOf());
  assert.deepEqual(batchItemFailures, [{ itemIdentifier: event.Records[0]!.messageId }]);
  assert.equal(await total(under), 2n);
  assert.equal(under.counts.get('process_foreign_messages_total'), 1);
});

test('a bug gives batches back instead of losing them', async (t) => {
  const under = await openFunctionHub(t);
  const quarantine = { ...under.hub.objects, put: () => Promise.reject(new TypeError('a bug')) };
  const open = () => ({ ...under.open(), hub: { ...under.hub, objects: quarantine } });
  const event = sqsEvent([goodMessage(1)]);
  const { batchItemFailures } = await processorHandler(open)(event, contextOf());
  assert.equal(batchItemFailures.length, 1);
  assert.match(under.control.logs.join('\n'), /batches go back to the queue: TypeError: a bug/);
});

test('when time is up it answers with what is done', async (t) => {
  const under = await openFunctionHub(t);
  const never = Promise.withResolvers<'created'>();
  const stuck = { ...under.hub.objects, put: () => never.promise };
  const open = () => ({ ...under.open(), hub: { ...under.hub, objects: stuck } });
  const { batchItemFailures } = await processorHandler(open)(sqsEvent([goodMessage(1)]), contextOf(2050));
  assert.equal(batchItemFailures.length, 1);
  assert.equal(under.counts.get('process_late_rounds_total'), 1);
  never.reject(new RetryableError('the test ends'));
});

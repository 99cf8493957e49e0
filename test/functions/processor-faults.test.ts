// Law: wherever the processor is cut off between receive and acknowledge, redelivery until the queue is empty loses
// nothing and counts nothing twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SqsRecord } from '../../functions/event-queue.ts';
import { processorHandler } from '../../functions/processor.ts';
import { compactBlocks } from '../../pipeline/compact-blocks.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { listQuarantine } from '../../pipeline/quarantine.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import type { BatchMessage } from '../../storage/batch-queue.ts';
import type { Fault } from '../../storage/faults/fault-plan.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import { contextOf, type FunctionUnderTest, openFunctionHub, sqsEvent } from './function-events.ts';

const HOUR = 3_600_000;

/** How one invocation goes wrong at the call with a given number. */
const CUTS: Record<string, { fault: Fault; dies: boolean }> = {
  'the request was lost': { fault: 'fail-before', dies: false },
  'the answer was lost': { fault: 'fail-after', dies: false },
  'the request went out twice': { fault: 'duplicate', dies: false },
  'the function died before it': { fault: 'fail-before', dies: true },
  'the function died after it': { fault: 'fail-after', dies: true },
};

/** Batches that do not travel inside their messages, and those that can never be stored: some of either kind. */
const AS_OBJECTS = [1, 2, 7];
const POISON = [6, 7];

/** Of two hours, so that they become two blocks. */
async function sendBatches(hub: Hub): Promise<BatchMessage[]> {
  const messages: BatchMessage[] = [];
  for (let sequence = 1; sequence <= 7; sequence++) {
    const start = sequence % 2 === 0 ? NOW - 60_000 : NOW - 3 * HOUR;
    const whole = batchOf(sequence, [{ stacks: { main: 10 ** sequence }, samples: 1, start }]);
    const payload = POISON.includes(sequence) ? whole.slice(0, 40) : whole;
    const head = { batchId: `c/n/b/${sequence}`, tenant: 'default', cluster: 'c', receivedAt: NOW };
    const objectKey = `inbox/default/c/c=n=b=${sequence}=00000000.batch`;
    const isObject = AS_OBJECTS.includes(sequence);
    if (isObject) await hub.objects.put(objectKey, payload);
    messages.push(isObject ? { ...head, objectKey } : { ...head, payload });
  }
  return messages;
}

/** Calls of all ports share one count, so that every call is cut once. */
function cutAt(hub: Hub, at: number, { fault, dies }: { fault: Fault; dies: boolean }) {
  let calls = 0;
  const plan = (): Fault => {
    const call = calls++;
    if (call === at) return fault;
    return dies && call > at ? 'fail-before' : 'none';
  };
  const objects = withFaults(hub.objects, plan);
  const catalog = withFaults(hub.catalog, plan);
  return { hub: { ...hub, objects, catalog }, calls: () => calls };
}

/** One invocation; answers the messages that are still in the queue after it. */
async function invoke(under: FunctionUnderTest, hub: Hub, records: SqsRecord[], dies: boolean) {
  const open = () => ({ ...under.open(), hub });
  const { batchItemFailures } = await processorHandler(open)({ Records: records }, contextOf());
  // A function that died answered nothing: every message comes again.
  const left = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  return dies ? records : records.filter(({ messageId }) => left.has(messageId));
}

async function check({ hub }: FunctionUnderTest, what: string): Promise<void> {
  const selection = { profileType: CPU, selector: '{}', start: NOW - 6 * HOUR, end: NOW };
  assert.equal((await selectTree(hub, selection)).total, 111_110n, what);
  assert.deepEqual(
    (await listQuarantine(hub, 10)).map(({ batchId }) => batchId),
    ['c/n/b/6', 'c/n/b/7'],
    what,
  );
  assert.deepEqual(await hub.objects.list('inbox/', { limit: 10 }), [], what);
  while ((await compactBlocks(hub)).jobs > 0);
  assert.equal((await selectTree(hub, selection)).total, 111_110n, `${what}, compacted`);
}

for (const [name, cut] of Object.entries(CUTS)) {
  test(`at any call of the processor, ${name}`, async (t) => {
    let steps = 0;
    for (let at = 0; at <= steps; at++) {
      const under = await openFunctionHub(t);
      let records = sqsEvent(await sendBatches(under.hub)).Records;
      const faulty = cutAt(under.hub, at, cut);
      records = await invoke(under, faulty.hub, records, cut.dies);
      // The first run, cut at its first call, does not tell how many there are: count until a cut is past the end.
      if (faulty.calls() > at) steps = at + 1;
      for (let deliveries = 0; records.length > 0; deliveries++) {
        assert.ok(deliveries < 3, `${name} ${at}: the queue does not become empty`);
        records = await invoke(under, under.hub, records, false);
      }
      await check(under, `${name}, call ${at}`);
    }
    assert.ok(steps >= 14, `only ${steps} calls were cut`);
  });
}

test('cut in every delivery but the last, each at another call', async (t) => {
  const under = await openFunctionHub(t);
  let records = sqsEvent(await sendBatches(under.hub)).Records;
  for (let at = 0; at < 15 && records.length > 0; at++) {
    const { fault, dies } = Object.values(CUTS)[at % 5]!;
    records = await invoke(under, cutAt(under.hub, at, { fault, dies }).hub, records, dies);
  }
  while (records.length > 0) records = await invoke(under, under.hub, records, false);
  await check(under, 'cut again and again');
});

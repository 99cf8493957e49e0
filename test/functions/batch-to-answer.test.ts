// One batch through the three functions on its way: what an agent sent is what a flame graph shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ingestHandler } from '../../functions/ingest.ts';
import { processorHandler } from '../../functions/processor.ts';
import { queryHandler } from '../../functions/query.ts';
import { CPU } from '../core/block/fixtures.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import {
  agentOf,
  callerWith,
  contextOf,
  httpEvent,
  json,
  openFunctionHub,
  sqsEvent,
} from './function-events.ts';

test('what agents send, large and small and twice, is what a query answers', async (t) => {
  const { open, hub } = await openFunctionHub(t);
  const stacks = Object.fromEntries(
    Array.from({ length: 30_000 }, (_, i) => [`main;${(i * 2654435761) >>> 0}-${Math.sin(i)}`, 1 + i]),
  );
  const small = batchOf(1, [{ stacks: { 'main;a': 30, 'main;b': 10 }, samples: 4 }]);
  const large = batchOf(2, [{ stacks, samples: 100 }]);
  for (const body of [small, large, small, large]) {
    const event = httpEvent('/v1/clusters/c/batches', { body, authorizer: agentOf('c') });
    assert.equal((await ingestHandler(open)(event, contextOf())).statusCode, 202);
  }
  const received = await hub.queue.receive({ max: 10, visibilityMs: 1000 });
  assert.equal(received.filter(({ message }) => message.objectKey !== undefined).length, 2);
  // Two events, as two functions get them: the same batches are in either.
  for (const half of [received.slice(0, 2), received.slice(2)]) {
    const event = sqsEvent(half.map(({ message }) => message));
    assert.deepEqual(await processorHandler(open)(event, contextOf()), { batchItemFailures: [] });
  }
  const result = await queryHandler(open)(
    httpEvent('/querier.v1.QuerierService/SelectMergeStacktraces', {
      body: JSON.stringify({
        ...{ profileTypeID: CPU, labelSelector: '{service_name="shop"}' },
        ...{ start: NOW - 3_600_000, end: NOW },
      }),
      headers: { 'content-type': 'application/json' },
      authorizer: callerWith('query'),
    }),
    contextOf(),
  );
  assert.equal(result.statusCode, 200, result.body);
  assert.equal(Number(json(result).flamegraph.total), 40 + (30_000 * 30_001) / 2);
});

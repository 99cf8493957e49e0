// Law: a call to the catalog or the ledger may be cut off before or after any request it makes; then what was there is
// there whole or not at all, and the same call repeated takes effect exactly once. And: under any order of calls the
// catalog answers as a naive one does.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { RetryableError } from '../../../core/errors.ts';
import { dynamodbBlockCatalog } from '../../../storage/aws/dynamodb-block-catalog.ts';
import { dynamodbRegistry } from '../../../storage/aws/dynamodb-registry.ts';
import { type DynamoClient, dynamoTable } from '../../../storage/aws/dynamodb-table.ts';
import { blockPartition } from '../../../storage/aws/names.ts';
import { TestClock } from '../../contracts/adapter.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';
import { blockCatalogSteps } from '../../contracts/block-catalog.walk.ts';
import { fuzzWalks } from '../../contracts/fuzz-walk.ts';
import { clientOptions, createTable, freshName, onDynamoDb } from './aws-adapters.ts';
import { type LossAt, lossyClient, tally } from './command-clients.ts';
import { type RunningStandIn, startStandIn } from './stand-in-process.ts';
import { installed, STAND_INS } from './stand-ins.ts';

const standIn = STAND_INS[0];

type Catalog = ReturnType<typeof dynamodbBlockCatalog>;
type Registry = ReturnType<typeof dynamodbRegistry>;

interface Ports {
  catalog: Catalog;
  registry: Registry;
}

/** One call that is cut off: what comes before it, the call, and what must hold once it was cut off and once repeated. */
interface CrashCase {
  prepare?(ports: Ports, id: string): Promise<unknown>;
  call(ports: Ports, id: string): Promise<unknown>;
  whole?(ports: Ports, id: string): Promise<unknown>;
  done(ports: Ports, id: string): Promise<unknown>;
}

const swapOf = (id: string) => ({
  remove: [`${id}-a`, `${id}-b`],
  add: [aBlockRow({ blockId: `${id}-m`, tenant: id })],
  token: id,
});
const liveIds = async ({ catalog }: Ports, tenant: string) =>
  (await catalog.find({ tenant, from: 0, until: 1e12 })).map(({ blockId }) => blockId);

const CASES: Record<string, CrashCase> = {
  publish: {
    call: ({ catalog }, id) => catalog.publish(aBlockRow({ blockId: `${id}-a`, tenant: id })),
    async done(ports, id) {
      assert.deepEqual(await liveIds(ports, id), [`${id}-a`]);
    },
  },
  swap: {
    async prepare({ catalog }, id) {
      for (const name of ['a', 'b'])
        await catalog.publish(aBlockRow({ blockId: `${id}-${name}`, tenant: id }));
    },
    async call({ catalog }, id) {
      assert.equal(await catalog.swap(swapOf(id)), 'done');
    },
    async whole(ports, id) {
      const live = await liveIds(ports, id);
      assert.ok([`${id}-a,${id}-b`, `${id}-m`].includes(live.join()), `one side of the swap, not ${live}`);
    },
    async done(ports, id) {
      assert.deepEqual(await liveIds(ports, id), [`${id}-m`]);
      const marks = (await ports.catalog.listDeletionMarks(Infinity)).filter(({ tenant }) => tenant === id);
      assert.deepEqual(
        marks.map(({ blockId }) => blockId),
        [`${id}-a`, `${id}-b`],
      );
    },
  },
  forget: {
    async prepare({ catalog }, id) {
      await catalog.publish(aBlockRow({ blockId: `${id}-a`, tenant: id }));
      await catalog.swap({ remove: [`${id}-a`], add: [], token: id });
    },
    call: ({ catalog }, id) => catalog.forget(`${id}-a`),
    async done({ catalog }, id) {
      const marks = await catalog.listDeletionMarks(Infinity);
      assert.ok(!marks.some(({ tenant }) => tenant === id));
      assert.equal(await catalog.publish(aBlockRow({ blockId: `${id}-a`, tenant: id })), 'published');
    },
  },
  recordBatch: {
    async call({ registry }, id) {
      assert.notEqual(await registry.recordBatch(aRecord(id)), 'conflict');
    },
    async done({ registry }, id) {
      const [boot] = await registry.listBatchSequences({ cluster: id, from: 0, until: 1e12 });
      assert.deepEqual(boot.sequences, [{ first: 0, end: 1, since: 5 }]);
      assert.equal(boot.hours[0].samplesTaken, 10);
    },
  },
};

function aRecord(cluster: string) {
  const samples = { samplesTaken: 10, samplesLost: 0, samplesDropped: 0, samplesKept: 10 };
  return {
    cluster,
    node: 'n',
    bootId: 'b',
    sequence: 0,
    ...samples,
    firstWindow: 5,
    lastWindow: 5,
    receivedAt: 9,
  };
}

function crashTests(folder: string): void {
  let running: RunningStandIn;
  let client: DynamoDBClient;
  const name = freshName();
  const clock = new TestClock();
  before(async () => {
    running = await startStandIn((port) => standIn.plan(folder, port));
    client = new DynamoDBClient(clientOptions(running.endpoint));
    await createTable(client, name);
  });
  after(async () => {
    client?.destroy();
    await running?.stop();
  });

  const portsOn = (sender: DynamoClient): Ports => {
    const table = dynamoTable(sender, name);
    return {
      catalog: dynamodbBlockCatalog(table, clock.read),
      registry: dynamodbRegistry(table, clock.read),
    };
  };
  for (const [what, crash] of Object.entries(CASES)) {
    test(what, async () => {
      const healthy = portsOn(lossyClient(client));
      await crash.prepare?.(healthy, `${what}-clean`);
      const recorded = lossyClient(client);
      await crash.call(portsOn(recorded), `${what}-clean`);
      console.log(`  ${what}: ${tally(recorded.commands)}`);
      for (let step = 0; step < recorded.commands.length; step++) {
        for (const loss of ['before', 'after'] as LossAt[]) {
          const id = `${what}-${step}-${loss}`;
          await crash.prepare?.(healthy, id);
          await assert.rejects(crash.call(portsOn(lossyClient(client, step, loss)), id), RetryableError, id);
          await crash.whole?.(healthy, id);
          await crash.call(healthy, id);
          await crash.done(healthy, id);
        }
      }
    });
  }

  test('who searches while blocks are swapped sees one side of each swap', async () => {
    const { catalog } = portsOn(lossyClient(client));
    const { catalog: reader } = portsOn(lossyClient(client));
    const tenant = 'chain';
    const block = (n: number) => aBlockRow({ blockId: `chain-${n}`, tenant, minTime: 1000 + n });
    await catalog.publish(block(0));
    let swapping = true;
    let answers = 0;
    const search = async () => {
      while (swapping) {
        // Overtaken by swaps time and again: the reader is told to come again, and does.
        const rows = await reader.find({ tenant, from: 0, until: 1e12 }).catch((error) => {
          assert.ok(error instanceof RetryableError, error);
        });
        if (!rows) continue;
        assert.equal(rows.length, 1, rows.map(({ blockId }) => blockId).join());
        answers++;
      }
    };
    const swap = async () => {
      try {
        for (let n = 0; n < 40; n++) {
          const token = `chain-${n}`;
          assert.equal(await catalog.swap({ remove: [`chain-${n}`], add: [block(n + 1)], token }), 'done');
          // Some searches fit between two swaps, some do not.
          await sleep(Math.random() * 80);
        }
      } finally {
        swapping = false;
      }
    };
    await Promise.all([swap(), search(), search()]);
    assert.ok(answers > 5, `${answers} answers`);
  });

  test('a row past the size of an item is stored in parts, and goes with them', async () => {
    const { catalog } = portsOn(lossyClient(client));
    const batchIds = Array.from({ length: 60_000 }, () => randomBytes(9).toString('hex'));
    const row = aBlockRow({ blockId: 'large', tenant: 'large', batchIds });
    assert.equal(await catalog.publish(row), 'published');
    assert.deepEqual(await catalog.get('large'), row);
    assert.deepEqual(await catalog.find({ tenant: 'large', from: 0, until: 1e12 }), [row]);
    const larger = { ...row, blockId: 'larger' };
    assert.equal(await catalog.swap({ remove: ['large'], add: [larger], token: 'large' }), 'done');
    assert.deepEqual(await catalog.list({ tenant: 'large', limit: 10 }), [larger]);
    await catalog.forget('large');
    for await (const item of dynamoTable(client, name).query(blockPartition('large')))
      assert.fail(`left: ${item.sk.S}`);
  });

  test('the catalog does as a naive one does', () =>
    fuzzWalks(1, 120, async (chance) => {
      const walkClock = new TestClock();
      const open = onDynamoDb(() => running.endpoint, dynamodbBlockCatalog);
      const { port, another, close } = await open(walkClock, undefined);
      return { steps: blockCatalogSteps([port, await another()], walkClock, chance), close };
    }));
}

const found = await installed(standIn);
if ('lacks' in found) console.log(`${standIn.name} is left out: this machine has no ${found.lacks}`);
else describe(`crashes on ${standIn.name}`, () => crashTests(found.folder));

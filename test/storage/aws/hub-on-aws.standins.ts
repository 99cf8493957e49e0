// The pipeline's use cases on the AWS adapters, as openAwsStorage composes them: what is ingested is what a query shows,
// also when calls to any port are lost, done twice or late.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { RetryableError } from '../../../core/errors.ts';
import { compactBlocks } from '../../../pipeline/compact-blocks.ts';
import { defaultHubSettings, type Hub } from '../../../pipeline/hub.ts';
import { ingestBatch } from '../../../pipeline/ingest-batch.ts';
import { compileLinearRegex } from '../../../pipeline/linear-regex.ts';
import { processBatches } from '../../../pipeline/process-batches.ts';
import { selectTree } from '../../../pipeline/run-query.ts';
import { type AwsStorage, openAwsStorage } from '../../../storage/aws/open-aws-storage.ts';
import { seededFaults } from '../../../storage/faults/fault-plan.ts';
import { withFaults } from '../../../storage/faults/with-faults.ts';
import { gunzipBounded } from '../../../storage/gzip.ts';
import { zstdCodec } from '../../../storage/zstd-codec.ts';
import { CPU, randomFrom } from '../../core/block/fixtures.ts';
import { batchOf, NOW } from '../../pipeline/fixtures.ts';
import { fuzzSeed } from '../fuzz-seed.ts';
import { clientOptions, createQueues, createTable, freshName } from './aws-adapters.ts';
import { type RunningStandIn, startStandIn } from './stand-in-process.ts';
import { ACCESS_KEY_ID, installed, REGION, SECRET_KEY, STAND_INS } from './stand-ins.ts';

const HOUR = 3_600_000;
const LAST_HOUR = { profileType: CPU, selector: '{service_name="shop"}', start: NOW - HOUR, end: NOW };
const BATCHES = 30;
const RATES = { 'fail-before': 0.06, 'fail-after': 0.06, duplicate: 0.06, delay: 0.06 };

const standIn = STAND_INS[0];

let now = NOW;

function hubTests(folder: string): void {
  let running: RunningStandIn;
  let storage: AwsStorage;
  before(async () => {
    // As a function or a pod has them: the adapters find them by themselves.
    process.env.AWS_ACCESS_KEY_ID = ACCESS_KEY_ID;
    process.env.AWS_SECRET_ACCESS_KEY = SECRET_KEY;
    running = await startStandIn((port) => standIn.plan(folder, port));
    storage = await openFresh(running.endpoint);
  });
  after(async () => {
    await storage?.close();
    await running?.stop();
  });

  test('what agents send is what a flame graph shows, whatever fails on the way', async () => {
    const seed = fuzzSeed();
    const hub = hubOn(storage);
    const ports = ['objects', 'catalog', 'queue', 'registry', 'leases'] as const;
    const faulty: Hub = {
      ...hub,
      ...Object.fromEntries(
        ports.map((port, i) => [port, withFaults(hub[port], seededFaults(seed + i, RATES))]),
      ),
    };
    try {
      await ingestAll(faulty);
      await processAll(faulty);
      await assertTotal(hub);
      const blocks = await liveBlocks(hub);
      now += 3 * HOUR;
      for (let round = 0; round < 20 && (await liveBlocks(hub)) === blocks; round++) {
        await untilDone(() => compactBlocks(faulty));
        // A lease whose answer was lost lapses.
        now += HOUR;
      }
      assert.ok((await liveBlocks(hub)) < blocks, 'blocks were merged');
      await assertTotal(hub);
    } catch (error) {
      assert.fail(`CINDERBLOCK_SEED=${seed}\n${(error as Error).stack}`);
    }
    const depth = await storage.queue.depth();
    assert.deepEqual([depth.visible + depth.inFlight, depth.dead], [0, 0]);
    const [boot] = await storage.registry.listBatchSequences({ from: NOW - HOUR, until: NOW });
    assert.deepEqual(boot.sequences, [{ first: 0, end: BATCHES, since: NOW - 60_000 }]);
  });
}

async function ingestAll(hub: Hub): Promise<void> {
  for (let sequence = 0; sequence < BATCHES; sequence++) {
    const bytes = batchOf(sequence, [{ stacks: { 'main;a': 3, 'main;b': 1 }, samples: 4 }]);
    await untilDone(() => ingestBatch(hub, { cluster: 'c', bytes }));
  }
}

/** Until the queue stays empty for longer than a failed round hides its batches. */
async function processAll(hub: Hub): Promise<void> {
  for (let idle = 0; idle < 2; ) {
    const before = await untilDone(() => hub.queue.depth());
    await processBatches(hub).catch((error) => assert.ok(error instanceof RetryableError, error));
    idle = before.visible + before.inFlight === 0 ? idle + 1 : 0;
    if (idle === 0) await sleep(600);
  }
}

async function assertTotal(hub: Hub): Promise<void> {
  const { total, completeness } = await selectTree(hub, LAST_HOUR);
  assert.equal(total, BigInt(4 * BATCHES));
  assert.equal(completeness.complete, true);
}

async function liveBlocks({ catalog, tenant }: Hub): Promise<number> {
  return (await catalog.find({ tenant, from: 0, until: NOW })).length;
}

async function untilDone<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
    }
  }
  throw new Error('100 tries were not enough');
}

async function openFresh(endpoint: string): Promise<AwsStorage> {
  const bucket = freshName();
  const table = freshName();
  const s3 = new S3Client({ ...clientOptions(endpoint), forcePathStyle: true });
  const dynamodb = new DynamoDBClient(clientOptions(endpoint));
  const sqs = new SQSClient(clientOptions(endpoint));
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  await createTable(dynamodb, table);
  // Faults make many deliveries; none of these batches is poison.
  const maxReceives = 1000;
  const urls = await createQueues(sqs, maxReceives);
  for (const client of [s3, dynamodb, sqs]) client.destroy();
  return openAwsStorage({ region: REGION, endpoint, bucket, table, ...urls, maxReceives, clock: () => now });
}

function hubOn(storage: AwsStorage): Hub {
  return {
    ...storage,
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: compileLinearRegex,
    clock: () => now,
    random: randomFrom(42),
    tenant: 'default',
    settings: { ...defaultHubSettings, processVisibilityMs: 1000, processBatchesMax: 8 },
    telemetry: { count() {}, gauge() {}, log() {} },
  };
}

const found = await installed(standIn);
if ('lacks' in found) console.log(`${standIn.name} is left out: this machine has no ${found.lacks}`);
else describe(`a hub on ${standIn.name}`, () => hubTests(found.folder));

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SQSClient } from '@aws-sdk/client-sqs';
import { sqsBatchQueue } from '../../storage/aws/sqs-batch-queue.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import { fuzzSeed } from '../storage/fuzz-seed.ts';
import { killFunction, misinform, WRONG_SETTINGS } from './deployed-processor.ts';
import type { ClusterName, Lane } from './lane.ts';
import type { SentBatch } from './lane-batches.ts';
import { until } from './lane-hub.ts';

const HIDDEN_SECONDS = 1;
const KILLS_MS = 8_000;

/** What may go wrong between ingest and block: nothing is lost, nothing is counted twice. */
export function faultTests(open: () => Lane): void {
  test('the queue hides batches for a second here, not for six minutes', async () => {
    await open().queue.hideFor(HIDDEN_SECONDS);
  });

  test('batches that come twice are counted once', async () => {
    const lane = open();
    const batches = Array.from({ length: 5 }, () => lane.batches.a.next());
    for (const { bytes } of [...batches, ...batches]) await lane.send('a', bytes);
    await assertAllStored(lane);
    for (const { bytes } of batches) await lane.send('a', bytes);
    await assertAllStored(lane);
  });

  test('a processor that is killed again and again', async (t) => {
    const lane = open();
    const processor = await lane.functionNamed('Ingest', 'Processor');
    const seed = fuzzSeed();
    const random = randomFrom(seed);
    let killed = 0;
    for (const end = Date.now() + KILLS_MS; Date.now() < end; await sleep(50 + 300 * random())) {
      const cluster: ClusterName = random() < 0.5 ? 'a' : 'b';
      await lane.send(cluster, lane.batches[cluster].next().bytes);
      if (random() < 0.5) killed += await killFunction(lane.cloud.pid, processor);
    }
    t.diagnostic(`killed ${killed} times, CINDERBLOCK_SEED=${seed}`);
    assert.ok(killed > 0);
    await letDeadLettersLive(lane);
    await assertAllStored(lane);
  });

  for (const [what, wrong] of Object.entries(WRONG_SETTINGS)) {
    test(`a processor that ${what}: batches become dead letters, and a redrive stores them`, async (t) => {
      const lane = open();
      const mend = await misinform(await lane.functionNamed('Ingest', 'Processor'), wrong);
      // Also when this fails: the tests after it are not to blame.
      t.after(mend);
      const batches = Array.from({ length: 3 }, () => lane.batches.b.next());
      for (const { bytes } of batches) await lane.send('b', bytes);
      await until(
        () => lane.queue.depth(),
        ({ dead }) => dead === batches.length,
      );
      assert.equal(await lane.total(), lane.sent - samplesOf(batches));
      await mend();
      const { out } = await lane.cli('queue', 'dead', '--output', 'json');
      const ids = JSON.parse(out).deadLetters.map(({ batchId }: { batchId: string }) => batchId);
      assert.deepEqual(ids.sort(), batches.map(({ batchId }) => batchId).sort());
      await lane.cli('queue', 'redrive', '--all');
      await assertAllStored(lane);
      assert.deepEqual(await lane.queue.depth(), { waiting: 0, dead: 0 });
    });
  }

  test('poison goes into quarantine with its reason, and holds nobody up', async () => {
    const lane = open();
    const urls = {
      queueUrl: lane.fresh.output('Data', 'QueueUrl'),
      deadLetterUrl: lane.fresh.output('Data', 'DeadLetterUrl'),
    };
    const payload = new TextEncoder().encode('these are no samples');
    const poison = {
      batchId: 'a/n/lane/poison',
      tenant: 'default',
      cluster: 'a',
      receivedAt: Date.now(),
      payload,
    };
    await lane.send('a', lane.batches.a.next().bytes);
    await sqsBatchQueue(new SQSClient({ useQueueUrlAsEndpoint: false }), urls).send(poison);
    await lane.send('a', lane.batches.a.next().bytes);
    await assertAllStored(lane);
    const list = async () =>
      JSON.parse((await lane.cli('queue', 'quarantined', '--output', 'json')).out).batches;
    const [set] = await until(list, (batches) => batches.length > 0);
    assert.equal(set.batchId, poison.batchId);
    assert.notEqual(set.reason, '');
    await lane.cli('queue', 'discard', set.id, '--yes');
    assert.deepEqual(await list(), []);
    assert.deepEqual(await lane.queue.depth(), { waiting: 0, dead: 0 });
  });

  test('a cluster that was removed is refused at once, and its profiles stay', async () => {
    const lane = open();
    const before = await lane.total();
    await lane.cli('cluster', 'remove', 'b', '--yes');
    await assert.rejects(lane.send('b', lane.batches.b.sample()), /403.*cluster b is removed/);
    assert.equal(await lane.total(), before);
  });
}

function samplesOf(batches: readonly SentBatch[]): number {
  return batches.reduce((sum, { samples }) => sum + samples, 0);
}

/** As many kills in a row as a batch may be delivered make it a dead letter. */
async function letDeadLettersLive(lane: Lane): Promise<void> {
  await until(
    async () => {
      const depth = await lane.queue.depth();
      if (depth.dead > 0) await lane.cli('queue', 'redrive', '--all');
      return depth;
    },
    ({ waiting, dead }) => waiting + dead === 0,
  );
}

async function assertAllStored(lane: Lane): Promise<void> {
  const depth = () => lane.queue.depth();
  await until(depth, ({ waiting }) => waiting === 0);
  assert.equal(
    await until(
      () => lane.total(),
      (total) => total >= lane.sent,
    ),
    lane.sent,
  );
}

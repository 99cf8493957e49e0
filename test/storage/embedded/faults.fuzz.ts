// Law: who repeats a call until it goes through gets its effect exactly once, whatever is lost before, lost after, done
// twice or late; and what is sent is received at least once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import {
  type EmbeddedStorage,
  openEmbeddedStorage,
} from '../../../storage/embedded/open-embedded-storage.ts';
import { seededFaults } from '../../../storage/faults/fault-plan.ts';
import { withFaults } from '../../../storage/faults/with-faults.ts';
import { aMessage } from '../../contracts/batch-queue.contract.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';
import { fuzzRuns, fuzzSeed } from '../fuzz-seed.ts';
import { withFreshFolder } from './fresh-folder.ts';

const RATES = { 'fail-before': 0.15, 'fail-after': 0.15, duplicate: 0.15, delay: 0.15 };

async function untilDone<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
    }
  }
}

function faulty(storage: EmbeddedStorage, seed: number) {
  return {
    objects: withFaults(storage.objects, seededFaults(seed, RATES)),
    catalog: withFaults(storage.catalog, seededFaults(seed + 1, RATES)),
    queue: withFaults(storage.queue, seededFaults(seed + 2, RATES)),
    registry: withFaults(storage.registry, seededFaults(seed + 3, RATES)),
  };
}

/** Stores block n, publishes it, and compacts every two into one; all steps repeated until they go through. */
async function produce(storage: ReturnType<typeof faulty>, n: number): Promise<void> {
  const { objects, catalog, queue, registry } = storage;
  await untilDone(() => objects.put(`k/${n}`, Uint8Array.of(n)));
  await untilDone(() => catalog.publish(aBlockRow({ blockId: `b${n}` })));
  await untilDone(() => queue.send(aMessage(`m${n}`)));
  await untilDone(() => registry.recordBatch(record(n)));
}

const record = (sequence: number) => {
  const samples = { samplesTaken: 10, samplesLost: 0, samplesDropped: 0, samplesKept: 10 };
  return {
    cluster: 'c',
    node: 'n',
    bootId: 'b',
    sequence,
    ...samples,
    firstWindow: 0,
    lastWindow: 0,
    receivedAt: 0,
  };
};

test('calls that are repeated until they go through take effect exactly once', async () => {
  const firstSeed = fuzzSeed();
  for (let seed = firstSeed; seed < firstSeed + fuzzRuns(5); seed++) {
    await withFreshFolder(async (folder) => {
      const storage = await openEmbeddedStorage({ folder, clock: () => 0 });
      const ports = faulty(storage, seed);
      const numbers = Array.from({ length: 20 }, (_, n) => n);
      await Promise.all(numbers.map((n) => produce(ports, n)));
      for (let n = 0; n < 20; n += 2) {
        const swap = {
          remove: [`b${n}`, `b${n + 1}`],
          add: [aBlockRow({ blockId: `m${n}` })],
          token: `t${n}`,
        };
        assert.equal(await untilDone(() => ports.catalog.swap(swap)), 'done', `CINDERBLOCK_SEED=${seed}`);
      }
      await check(storage, numbers, `CINDERBLOCK_SEED=${seed}`);
      await storage.close();
    });
  }
});

async function check(
  { objects, catalog, queue, registry }: EmbeddedStorage,
  numbers: number[],
  seed: string,
) {
  for (const n of numbers) assert.deepEqual(await objects.get(`k/${n}`), Uint8Array.of(n), seed);
  assert.equal((await objects.list('', { limit: 1000 })).length, numbers.length, seed);
  assert.equal(
    (await catalog.find({ tenant: 'acme', from: 0, until: 1e12 })).length,
    numbers.length / 2,
    seed,
  );
  assert.equal((await catalog.listDeletionMarks(1)).length, numbers.length, seed);
  const received = await queue.receive({ max: 1000, visibilityMs: 1 });
  assert.equal(new Set(received.map(({ message }) => message.batchId)).size, numbers.length, seed);
  const [boot] = await registry.listBatchSequences({ from: 0, until: 1 });
  assert.deepEqual(boot.sequences, [{ first: 0, end: numbers.length, since: 0 }], seed);
  assert.equal(boot.hours[0].samplesTaken, 10 * numbers.length, seed);
}

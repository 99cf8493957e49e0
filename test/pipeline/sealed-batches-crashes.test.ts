// A process dies within a call of storage: while it seals a day, while it seals what came late, while it stores a
// repetition. Whatever it left behind, no batch is lost and none counts twice once all is done again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../core/errors.ts';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { LEASE_MS } from '../../pipeline/group-lease.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { ORPHAN_AGE_MS, sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { parseSealedKey, sealedPrefix } from '../../storage/names.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import { ask, expected, publishRows, randomBatch, type WindowRow } from './fleet-history.ts';
import { type LateHub, lateHub } from './late-batches.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;
const SEALED_AT = START + DAY + 84 * HOUR;
const QUESTION = { start: START, end: START + 3 * DAY, service: 'shop', maxPoints: 240 };
const STEP = roundStep((QUESTION.end - QUESTION.start) / QUESTION.maxPoints);

interface Situation {
  readonly hub: LateHub;
  readonly batches: WindowRow[][];
}

/** A day that can be sealed. */
async function ripeDay(): Promise<Situation> {
  const random = randomFrom(11);
  const hub = lateHub(START + HOUR);
  const batches = Array.from({ length: 4 }, () => randomBatch(random, START, START + 2 * HOUR));
  for (const batch of batches) hub.send(batch);
  await processBatches(hub);
  hub.now = START + 4 * HOUR;
  await compactBlocks(hub);
  hub.now = SEALED_AT;
  return { hub, batches };
}

/** One that is sealed, and blocks that were stored beside: a repetition and a batch that is new. */
async function lateBlocks(): Promise<Situation> {
  const { hub, batches } = await ripeDay();
  await compactBlocks(hub);
  const fresh = randomBatch(randomFrom(12), START, START + 2 * HOUR);
  await publishRows(hub, [...batches[0]!, ...fresh]);
  return { hub, batches: [...batches, fresh] };
}

/** One that is sealed, and a queue with a repetition and a batch that is new. */
async function lateQueue(): Promise<Situation> {
  const { hub, batches } = await ripeDay();
  await compactBlocks(hub);
  const fresh = randomBatch(randomFrom(12), START, START + 2 * HOUR);
  for (const batch of [batches[0]!, fresh]) hub.send(batch);
  return { hub, batches: [...batches, fresh] };
}

/** The hub as a process sees it that is killed within its nth call: before it is done, or after. */
function killedAt(hub: LateHub, n: number, when: 'fail-before' | 'fail-after'): Hub & { calls(): number } {
  let calls = 0;
  const plan = () => {
    const call = calls++;
    if (call < n) return 'none' as const;
    return call === n ? when : ('fail-before' as const);
  };
  const ports = {
    objects: withFaults(hub.objects, plan),
    catalog: withFaults(hub.catalog, plan),
    leases: withFaults(hub.leases, plan),
    registry: withFaults(hub.registry, plan),
    queue: withFaults(hub.queue, plan),
  };
  return { ...hub, ...ports, clock: () => hub.now, calls: () => calls };
}

/** Everything that hosts do again and again, until nothing is left to do; then what crashes left is swept. */
async function settle(hub: LateHub): Promise<void> {
  hub.now += LEASE_MS;
  while (hub.waiting > 0) await processBatches(hub);
  for (let round = 0; round < 3; round++) await compactBlocks(hub, 'all');
  hub.now += DELETION_GRACE_MS + 1;
  await deleteMarkedBlocks(hub);
}

async function assertHolds({ hub, batches }: Situation, when: string): Promise<void> {
  assert.deepEqual(await ask(hub, QUESTION), expected(batches.flat(), QUESTION, STEP), when);
}

const STEPS: Record<string, { make: () => Promise<Situation>; work: (hub: Hub) => Promise<unknown> }> = {
  'sealing a day': { make: ripeDay, work: (hub) => compactBlocks(hub) },
  'sealing what came late': { make: lateBlocks, work: (hub) => compactBlocks(hub, 'all') },
  'storing what comes late': { make: lateQueue, work: processBatches },
};

for (const [name, { make, work }] of Object.entries(STEPS)) {
  for (const when of ['fail-before', 'fail-after'] as const) {
    test(`killed at every call of ${name} (${when}), nothing is lost and nothing counts twice`, async () => {
      for (let n = 0; ; n++) {
        const situation = await make();
        const { hub, batches } = situation;
        const doomed = killedAt(hub, n, when);
        const died = await work(doomed).then(
          () => false,
          (error) => assert.ok(error instanceof RetryableError, error.stack) ?? true,
        );
        // A repetition meets whatever the dead one left, before and after others have done its work.
        hub.send(batches[1]!);
        await processBatches(hub);
        await settle(hub);
        await assertHolds(situation, `killed in call ${n}`);
        for (const batch of batches) hub.send(batch);
        await settle(hub);
        await assertHolds(situation, `killed in call ${n}, and all delivered again`);
        hub.now += ORPHAN_AGE_MS + 1;
        await sweepOrphans(hub, { dryRun: false });
        await assertSwept(hub);
        for (const batch of batches) hub.send(batch);
        await settle(hub);
        await assertHolds(situation, `killed in call ${n}, swept, and all delivered again`);
        if (!died && doomed.calls() <= n) break;
      }
    });
  }
}

/** What names sealed batches has its family, and each raw family has it. */
async function assertSwept(hub: LateHub): Promise<void> {
  const rows = await hub.catalog.find({ tenant: 'default', from: 0, until: SEALED_AT });
  const raw = rows.filter((row) => row.resolutionSeconds === 0).map(({ blockId }) => blockId);
  const kept = await hub.objects.list(sealedPrefix('default'), { limit: 1000 });
  assert.deepEqual(kept.map(({ key }) => parseSealedKey(key)!.family).sort(), raw.sort());
}

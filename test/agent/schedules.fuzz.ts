// Random schedules of crash (agent, its machine, hub), duplicate, reorder, delay, partition, poison and full disk, over
// the agent's own state machines and the hub's own use cases: samples in = samples stored + samples accounted as lost,
// every time. One sample too few is a lost one, one too many is one that was stored twice. After every step, what a
// heartbeat would say of the spool is what is on the disk.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { labelValue } from '../../core/labels/labels.ts';
import { CPU_PROFILE_TYPE } from '../../core/labels/profile-type.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { selectSeries } from '../../pipeline/run-query.ts';
import { openHub } from '../../server/open-hub.ts';
import { type EmbeddedStorage, openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { seededFaults } from '../../storage/faults/fault-plan.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { fuzzRuns, seededRandom, wholeBetween } from './seeded-random.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { UnreliableNetwork } from './unreliable-network.ts';
import { VirtualClock } from './virtual-clock.ts';
import { makeWindow } from './windows.ts';

const START = Date.parse('2026-11-21T12:00:00Z');
const WINDOW_MS = 10_000;
const PERIOD_NS = 52_631_578;
/** Schedules that share a hub, each as a cluster of its own. */
const SCHEDULES_PER_HUB = 50;
const STEPS = 30;
/** The hub's commits wait for the disk; nothing here depends on that. */
const MEMORY_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** What an agent was told; what the hub must know in the end. */
interface Expected {
  readonly seed: number;
  readonly taken: number;
  readonly lost: number;
}

interface HubUnderTest {
  readonly storage: EmbeddedStorage;
  /** Ms since epoch; never goes back. */
  now: number;
  /** Its storage fails, before or after the effect, as if the hub had crashed there. */
  readonly crashing: Hub;
  readonly sound: Hub;
}

async function openHubs(folder: string, seed: number): Promise<HubUnderTest> {
  const under = { now: START } as { -readonly [K in keyof HubUnderTest]: HubUnderTest[K] };
  const clock = () => under.now;
  under.storage = await openEmbeddedStorage({ folder, clock, maxReceives: 1000 });
  const telemetry = { count: () => {}, gauge: () => {}, log: () => {} };
  under.sound = openHub(under.storage, { telemetry, clock });
  const { objects, catalog, queue, registry, leases } = under.storage;
  const plan = seededFaults(seed, { 'fail-before': 0.02, 'fail-after': 0.03, duplicate: 0.02 });
  const faulty = {
    ...under.storage,
    objects: withFaults(objects, plan),
    catalog: withFaults(catalog, plan),
    queue: withFaults(queue, plan),
    registry: withFaults(registry, plan),
    leases: withFaults(leases, plan),
  };
  under.crashing = openHub(faulty, { telemetry, clock });
  return under;
}

async function runSchedule(hub: HubUnderTest, seed: number): Promise<Expected> {
  const random = seededRandom(seed);
  const skewMs = random() < 0.3 ? wholeBetween(random, -60_000, 60_000) : 0;
  const clock = new VirtualClock(hub.now + skewMs);
  const network = new UnreliableNetwork({ hub: hub.crashing, random, clock });
  network.poisonShare = random() < 0.2 ? 0.1 : 0;
  const bytesMax = random() < 0.4 ? wholeBetween(random, 8_000, 30_000) : 1e9;
  const hubStart = hub.now;
  const deliver = (cluster: string, bytes: Uint8Array) => {
    hub.now = Math.max(hub.now, Math.floor(hubStart + clock.monotonic()));
    return network.deliver(cluster, bytes);
  };
  const agent = new SimulatedAgent({ cluster: `c${seed}`, random, clock, deliver, bytesMax });
  for (let i = 0; i < STEPS; i++) {
    await step(hub, agent, network, clock, random);
    checkAccount(agent);
  }
  await heal(agent, network, clock, random);
  return { seed, taken: agent.taken, lost: agent.lost };
}

async function step(
  hub: HubUnderTest,
  agent: SimulatedAgent,
  network: UnreliableNetwork,
  clock: VirtualClock,
  random: () => number,
): Promise<void> {
  const choice = random();
  if (choice < 0.4) {
    await takeWindow(agent, clock, random);
    if (random() < 0.7) await agent.flush();
  } else if (choice < 0.78) await agent.upload();
  else if (choice < 0.82) agent.fs.crashAfter = wholeBetween(random, 1, 15);
  else if (choice < 0.84) agent.crash();
  else if (choice < 0.88) network.isParted = !network.isParted;
  else if (choice < 0.91)
    agent.fs.capacity =
      random() < 0.6 ? agent.fs.used + wholeBetween(random, 0, 3_000) : Number.POSITIVE_INFINITY;
  else if (choice < 0.94) await network.deliverLate();
  else if (choice < 0.96) clock.wallOffset += wholeBetween(random, -3_600_000, 3_600_000);
  else if (choice < 0.98) await processBatches(hub.crashing).catch(onlyInjected);
  else clock.skip(wholeBetween(random, 0, 60_000));
}

function checkAccount(agent: SimulatedAgent): void {
  const onDisk = agent.spooledHeaders();
  const samples = onDisk.reduce((sum, { kept }) => sum + kept, 0);
  const { account } = agent.spool;
  assert.deepEqual([account.batches, account.samples], [onDisk.length, samples]);
  assert.equal(
    account.hours.reduce((sum, { kept }) => sum + kept, 0),
    samples,
  );
}

async function takeWindow(agent: SimulatedAgent, clock: VirtualClock, random: () => number): Promise<void> {
  clock.skip(WINDOW_MS);
  const startMs = Math.floor(agent.hubClock.now() / WINDOW_MS) * WINDOW_MS - WINDOW_MS;
  const processes = wholeBetween(random, 1, 4);
  await agent.takeWindow(
    makeWindow(random, { startMs, windowMs: WINDOW_MS, processes, stacks: 3, depth: 4 }),
  );
}

/** Everything works again, and one more window carries what is still to be said. */
async function heal(
  agent: SimulatedAgent,
  network: UnreliableNetwork,
  clock: VirtualClock,
  random: () => number,
): Promise<void> {
  agent.fs.crashAfter = agent.fs.capacity = Number.POSITIVE_INFINITY;
  network.isParted = false;
  network.isReliable = true;
  await network.deliverLate();
  for (let i = 0; i < 200; i++) {
    const { taken, droppedSamples, lost } = agent.spool.unreported;
    if (agent.spool.batches === 0 && taken + droppedSamples + lost === 0 && i > 0) return;
    if (agent.spool.batches === 0) {
      await takeWindow(agent, clock, random);
      await agent.flush();
    }
    agent.skipWait();
    await agent.upload();
  }
  assert.fail(`${agent.spool.batches} batches do not go through although everything works`);
}

function onlyInjected(error: unknown): void {
  if (!/injected/.test((error as Error).message)) throw error;
}

/** What the hub says of each cluster: its ledger, and what a query finds stored. */
async function checkHub(hub: HubUnderTest, schedules: readonly Expected[]): Promise<number> {
  do hub.now += 60_000;
  while ((await processBatches(hub.sound)).batches > 0);
  const [from, until] = [START - 86_400_000, hub.now + 86_400_000];
  const stepMs = until - from;
  const { series, completeness } = await selectSeries(hub.sound, {
    profileType: CPU_PROFILE_TYPE,
    selector: '{}',
    start: until,
    end: until,
    stepMs,
    groupBy: ['cluster'],
    aggregation: 'sum',
  });
  assert.equal(completeness.missingBlocks + completeness.corruptBlocks, 0, completeness.notes.join('; '));
  let stored = 0;
  for (const { seed, taken, lost } of schedules) {
    const cluster = `c${seed}`;
    const said = { taken: 0, lost: 0, kept: 0, dropped: 0 };
    for (const { hours } of await hub.sound.registry.listBatchSequences({ cluster, from, until })) {
      for (const hour of hours) {
        said.taken += hour.samplesTaken;
        said.lost += hour.samplesLost;
        said.kept += hour.samplesKept;
        said.dropped += hour.samplesDropped;
      }
    }
    const nanoseconds =
      series.find(({ labels }) => labelValue(labels, 'cluster') === cluster)?.points[0]?.value ?? 0;
    const found = nanoseconds / PERIOD_NS;
    const expected = { taken, lost, stored: taken - said.dropped, kept: found };
    const seen = { taken: said.taken, lost: said.lost, stored: found, kept: said.kept };
    assert.deepEqual(seen, expected, `CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`);
    stored += found;
  }
  return stored;
}

test('samples in = samples stored + samples accounted as lost, whatever happens', async () => {
  const { seed, runs } = fuzzRuns(1000);
  let [taken, stored] = [0, 0];
  for (let first = seed; first < seed + runs; first += SCHEDULES_PER_HUB) {
    const folder = mkdtempSync(join(MEMORY_FOLDER, 'cinderblock-schedules-'));
    const hub = await openHubs(folder, first);
    try {
      const schedules: Expected[] = [];
      for (let i = first; i < Math.min(first + SCHEDULES_PER_HUB, seed + runs); i++) {
        schedules.push(
          await runSchedule(hub, i).catch((cause: Error) =>
            Promise.reject(new Error(`CINDERBLOCK_SEED=${i}: ${cause.message}`, { cause })),
          ),
        );
      }
      stored += await checkHub(hub, schedules);
      for (const schedule of schedules) taken += schedule.taken;
    } finally {
      await hub.storage.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }
  // The law would also hold of an agent that drops everything.
  if (runs >= SCHEDULES_PER_HUB) assert.ok(stored > taken / 2, `${stored} of ${taken} samples are stored`);
});

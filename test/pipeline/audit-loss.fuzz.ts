// The equation of the audit, over agents that crash, are cut off for hours, give batches up and lose their disks, with
// heartbeats, sums and audits at any moment, also while batches arrive. A model of single batches says what each number
// has to be: unaccounted is what was on destroyed disks and did not arrive, to the sample, and nothing else.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { auditLoss, type LossHour } from '../../pipeline/audit-loss.ts';
import { forgetAgents } from '../../pipeline/forget-agents.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { recordHeartbeat } from '../../pipeline/record-heartbeat.ts';
import { sumAllLoss, sumLoss } from '../../pipeline/sum-loss.ts';
import { WRITTEN_OFF } from '../../pipeline/write-off-spools.ts';
import { openHub } from '../../server/open-hub.ts';
import { openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import type { BatchRecord, Registry } from '../../storage/registry.ts';
import { fuzzRuns, seededRandom, wholeBetween } from '../agent/seeded-random.ts';
import { SimulatedAgent } from '../agent/simulated-agent.ts';
import { UnreliableNetwork } from '../agent/unreliable-network.ts';
import { VirtualClock } from '../agent/virtual-clock.ts';
import { makeWindow } from '../agent/windows.ts';

const START = Date.parse('2026-11-21T12:00:00Z');
const HOUR = 3_600_000;
const WINDOW_MS = 10_000;
const STEPS = 60;
const MEMORY_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A batch by what it counts. */
interface Counted {
  readonly cluster: string;
  readonly hourMs: number;
  readonly kept: number;
  readonly dropped: number;
  readonly lost: number;
}

type Batches = ReadonlyMap<string, Counted>;

interface Node {
  readonly cluster: string;
  readonly name: string;
  readonly agent: SimulatedAgent;
  readonly network: UnreliableNetwork;
  /** By spool, what its last heartbeat said to be there. */
  readonly words: Map<string, Batches>;
  spoolId: string;
  disksLost: number;
}

interface Fleet {
  readonly hub: Hub;
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly nodes: readonly Node[];
  /** In the ledger. */
  readonly arrived: Map<string, Counted>;
  /** Samples that were on a disk when it was lost, in no batch that a heartbeat had told of. */
  untold: number;
  isSummed: boolean;
}

function idOf({ bootId, sequence }: { bootId: string; sequence: number }): string {
  return `${bootId}/${sequence}`;
}

/** Notes which batches the ledger takes; what is written off never was one that came. */
function noting(registry: Registry, arrived: Map<string, Counted>): Registry {
  const recordBatch = async (record: BatchRecord) => {
    const outcome = await registry.recordBatch(record);
    const { cluster, firstWindow, samplesKept: kept, samplesDropped: dropped, samplesLost: lost } = record;
    const hourMs = firstWindow - (firstWindow % HOUR);
    const isWrittenOff = record.bootId.startsWith(WRITTEN_OFF);
    if (outcome === 'recorded' && !isWrittenOff)
      arrived.set(idOf(record), { cluster, hourMs, kept, dropped, lost });
    return outcome;
  };
  return { ...registry, recordBatch };
}

function makeFleet(
  hub: Hub,
  clock: VirtualClock,
  arrived: Map<string, Counted>,
  random: () => number,
): Fleet {
  const nodes = Array.from({ length: wholeBetween(random, 1, 5) }, (_, i): Node => {
    const [cluster, name] = [`c${i % 2}`, `n${i}`];
    const network = new UnreliableNetwork({ hub, random, clock });
    network.poisonShare = random() < 0.2 ? 0.1 : 0;
    const bytesMax = random() < 0.4 ? wholeBetween(random, 8_000, 30_000) : 1e9;
    const deliver = (to: string, bytes: Uint8Array) => network.deliver(to, bytes);
    const agent = new SimulatedAgent({ cluster, node: name, random, clock, deliver, bytesMax });
    return { cluster, name, agent, network, words: new Map(), spoolId: '', disksLost: 0 };
  });
  return { hub, clock, random, nodes, arrived, untold: 0, isSummed: false };
}

function batchesOf({ cluster, agent }: Node): Batches {
  return new Map(
    agent.spooledHeaders().map((header) => {
      const { firstWindow, kept, says } = header;
      const dropped = says.taken - kept + says.droppedSamples;
      return [
        idOf(header),
        { cluster, hourMs: firstWindow - (firstWindow % HOUR), kept, dropped, lost: says.lost },
      ];
    }),
  );
}

async function beat({ hub }: Fleet, node: Node): Promise<void> {
  const { agent, cluster } = node;
  await recordHeartbeat(hub, { cluster, body: agent.heartbeatBody });
  node.spoolId = agent.spool.account.spoolId;
  node.words.set(node.spoolId, batchesOf(node));
}

async function takeWindow({ clock, random }: Fleet, { agent }: Node): Promise<void> {
  clock.skip(WINDOW_MS);
  const startMs = Math.floor(agent.hubClock.now() / WINDOW_MS) * WINDOW_MS - WINDOW_MS;
  const processes = wholeBetween(random, 1, 4);
  await agent.takeWindow(
    makeWindow(random, { startMs, windowMs: WINDOW_MS, processes, stacks: 3, depth: 4 }),
  );
  if (random() < 0.8) await agent.flush();
}

async function loseDisk(fleet: Fleet, node: Node): Promise<void> {
  if (node.disksLost++ >= 6) return;
  await beat(fleet, node);
  // What its agent has in hand, and what it has yet to say of batches that it gave up.
  const { taken, droppedSamples } = node.agent.spool.unreported;
  fleet.untold += taken + droppedSamples;
  node.agent.destroyDisk();
}

async function work(fleet: Fleet, node: Node): Promise<void> {
  const choice = fleet.random();
  if (choice < 0.4) await takeWindow(fleet, node);
  else if (choice < 0.8) await node.agent.upload();
  else await beat(fleet, node);
}

async function step(fleet: Fleet): Promise<void> {
  const { random, nodes, clock, hub } = fleet;
  const node = nodes[wholeBetween(random, 0, nodes.length)]!;
  const choice = random();
  if (choice < 0.7) await work(fleet, node);
  else if (choice < 0.74) node.network.isParted = !node.network.isParted;
  else if (choice < 0.8) clock.skip(wholeBetween(random, 0, 2 * HOUR));
  else if (choice < 0.84) node.agent.crash();
  else if (choice < 0.88) await loseDisk(fleet, node);
  else if (choice < 0.9) await node.network.deliverLate();
  else if (choice < 0.93 && fleet.isSummed) await sumLoss(hub);
  else await checkAudit(fleet);
}

/** What the audit has to say when the ledger is as it is now, and spools are as they were told. */
function expectedHours({ nodes, arrived }: Fleet): Map<string, Partial<LossHour>> {
  const hours = new Map<string, LossHour>();
  const add = (
    { cluster, hourMs, kept, dropped, lost }: Counted,
    where: 'spooled' | 'acknowledged' | 'unaccounted',
  ) => {
    const key = `${cluster} ${hourMs}`;
    const zero = {
      taken: 0,
      lostByKernel: 0,
      droppedByAgent: 0,
      spooled: 0,
      acknowledged: 0,
      unaccounted: 0,
    };
    const hour = hours.get(key) ?? { cluster, hourMs, ...zero, missingBatches: 0, duplicateBatches: 0 };
    hours.set(key, hour);
    hour.taken += kept + dropped;
    hour.droppedByAgent += dropped;
    hour.lostByKernel += lost;
    hour[where] += kept;
  };
  for (const batch of arrived.values()) add(batch, 'acknowledged');
  for (const { words, spoolId } of nodes) {
    for (const [id, batches] of words) {
      for (const [batchId, batch] of batches)
        if (!arrived.has(batchId)) add(batch, id === spoolId ? 'spooled' : 'unaccounted');
    }
  }
  return hours;
}

function comparable(hours: Iterable<Partial<LossHour>>): object {
  const shown = [...hours].map(({ missingBatches, duplicateBatches, ...hour }) => hour);
  const isThere = ({ taken, lostByKernel }: Partial<LossHour>) => taken! + lostByKernel! > 0;
  return Object.fromEntries(
    shown
      .filter(isThere)
      .map((hour) => [`${hour.cluster} ${hour.hourMs}`, hour])
      .sort(),
  );
}

const ALL = { start: START - 24 * HOUR, end: START + 30 * 24 * HOUR };

function checkEquation(hours: readonly LossHour[]): void {
  for (const hour of hours) {
    const { taken, droppedByAgent, spooled, acknowledged, unaccounted } = hour;
    assert.equal(taken, droppedByAgent + spooled + acknowledged + unaccounted);
    for (const value of [taken, droppedByAgent, spooled, acknowledged, unaccounted]) assert.ok(value >= 0);
  }
}

async function checkAudit(fleet: Fleet): Promise<void> {
  if (!fleet.isSummed && fleet.random() < 0.5) return checkWhileBatchesArrive(fleet);
  const hours = await auditLoss(fleet.hub, ALL);
  checkEquation(hours);
  const expected = expectedHours(fleet);
  if (!fleet.isSummed) assert.deepEqual(comparable(hours), comparable(expected.values()));
  // Sums may not have what came late: of hours in which nothing is spooled, that is told after they are made again.
  for (const [key, { spooled, unaccounted, taken }] of expected) {
    const hour = hours.find(({ cluster, hourMs }) => key === `${cluster} ${hourMs}`);
    assert.deepEqual([hour?.spooled ?? 0, hour?.unaccounted ?? 0], [spooled, unaccounted], key);
    assert.ok((hour?.taken ?? 0) <= taken!, key);
  }
}

/** Agents go on between any two reads of an audit: each batch counts once, whether it is seen here or there. */
async function checkWhileBatchesArrive(fleet: Fleet): Promise<void> {
  const { hub, nodes, random } = fleet;
  let before: Map<string, Partial<LossHour>> | undefined;
  const meanwhile = async () => {
    before ??= expectedHours(fleet);
    for (let i = wholeBetween(random, 0, 4); i > 0; i--)
      await work(fleet, nodes[wholeBetween(random, 0, nodes.length)]!);
  };
  const registry = new Proxy(hub.registry, {
    get:
      (target, name: keyof Registry) =>
      async (...args: never[]) => {
        const answer = await (target[name] as (...args: never[]) => Promise<unknown>)(...args);
        await meanwhile();
        return answer;
      },
  });
  const hours = await auditLoss({ ...hub, registry }, ALL);
  checkEquation(hours);
  const after = expectedHours(fleet);
  for (const key of after.keys()) {
    const hour = hours.find(({ cluster, hourMs }) => key === `${cluster} ${hourMs}`);
    assert.equal(hour?.unaccounted ?? 0, before?.get(key)?.unaccounted ?? 0, key);
    // Nothing that was known before is missing, and nothing counts twice.
    assert.ok((hour?.taken ?? 0) >= (before?.get(key)?.taken ?? 0), key);
    assert.ok((hour?.acknowledged ?? 0) <= after.get(key)!.acknowledged!, key);
  }
}

/** All networks work, all spools are empty, and all agents were heard. */
async function settle(fleet: Fleet): Promise<void> {
  for (const node of fleet.nodes) {
    node.network.isParted = false;
    node.network.isReliable = true;
    await node.network.deliverLate();
    for (let i = 0; i < 200; i++) {
      const { spool } = node.agent;
      const { taken, droppedSamples, lost } = spool.unreported;
      if (spool.batches === 0 && taken + droppedSamples + lost === 0) break;
      if (spool.batches === 0) await takeWindow(fleet, node);
      node.agent.skipWait();
      await node.agent.upload();
    }
    await beat(fleet, node);
  }
}

function totalOf(hours: readonly LossHour[], field: 'taken' | 'spooled' | 'unaccounted'): number {
  return hours.reduce((sum, hour) => sum + hour[field], 0);
}

async function checkQuiet(fleet: Fleet): Promise<number> {
  const expected = comparable(expectedHours(fleet).values());
  const hours = await auditLoss(fleet.hub, ALL);
  checkEquation(hours);
  assert.deepEqual(comparable(hours), expected);
  assert.equal(totalOf(hours, 'spooled'), 0);
  const taken = fleet.nodes.reduce((sum, { agent }) => sum + agent.taken, 0);
  assert.equal(totalOf(hours, 'taken'), taken - fleet.untold, 'what engines took');
  return totalOf(hours, 'unaccounted');
}

async function runFleet(folder: string, seed: number): Promise<number> {
  const random = seededRandom(seed);
  const clock = new VirtualClock(START);
  let passedMs = 0;
  const now = () => START + Math.floor(clock.monotonic()) + passedMs;
  const storage = await openEmbeddedStorage({ folder, clock: now, maxReceives: 1000 });
  const arrived = new Map<string, Counted>();
  const telemetry = { count: () => {}, gauge: () => {}, log: () => {} };
  const hub = openHub({ ...storage, registry: noting(storage.registry, arrived) }, { telemetry, clock: now });
  try {
    const fleet = makeFleet(hub, clock, arrived, random);
    fleet.isSummed = random() < 0.5;
    for (const node of fleet.nodes) await beat(fleet, node);
    for (let i = 0; i < STEPS; i++) await step(fleet);
    await settle(fleet);
    if (fleet.isSummed) {
      passedMs += 80 * HOUR;
      await sumAllLoss(hub);
    }
    const unaccounted = await checkQuiet(fleet);
    // The last words are forgotten after a week; what they stood for is not.
    passedMs += 8 * 24 * HOUR - passedMs;
    await forgetAgents(hub);
    assert.deepEqual(await hub.registry.listAgents(), []);
    await sumAllLoss(hub);
    assert.equal(await checkQuiet(fleet), unaccounted);
    return unaccounted;
  } finally {
    await storage.close();
  }
}

test('taken = dropped + spooled + acknowledged + unaccounted, and unaccounted is what was destroyed', async () => {
  const { seed, runs } = fuzzRuns(40);
  let unaccounted = 0;
  for (let i = seed; i < seed + runs; i++) {
    const folder = mkdtempSync(join(MEMORY_FOLDER, 'cinderblock-audit-'));
    try {
      unaccounted += await runFleet(folder, i);
    } catch (cause) {
      throw new Error(`CINDERBLOCK_SEED=${i} CINDERBLOCK_RUNS=1: ${(cause as Error).message}`, { cause });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  if (runs >= 20) assert.ok(unaccounted > 0, 'something was destroyed');
});

import assert from 'node:assert/strict';
import { RetryableError } from '../../core/errors.ts';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { LEASE_MS } from '../../pipeline/group-lease.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { withFaults } from '../../storage/faults/with-faults.ts';
import { parseBlockKey } from '../../storage/names.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import { type Answer, ask, expected, publishRows, randomBatch, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const START = 1_700_006_400_000;
const RANGE = { start: START - (START % DAY), end: START + 40 * DAY - (START % DAY) };
const QUESTIONS = ['shop', 'cart'].map((service) => ({ ...RANGE, service, maxPoints: 240 }));
const STEP = roundStep((RANGE.end - RANGE.start) / 240);

export interface Filled {
  hub: MemoryHub;
  rows: WindowRow[];
}

/** A day that is sealed, and an hour that is fresh. */
export async function filledHub(): Promise<Filled> {
  const random = randomFrom(11);
  const hub = memoryHub(START + HOUR);
  const rows: WindowRow[] = [];
  for (let hour = 0; hour < 3; hour++) {
    for (let i = 0; i < 3; i++) {
      const batch = randomBatch(random, START + hour * HOUR, START + (hour + 1) * HOUR - 60_000);
      rows.push(...batch);
      await publishRows(hub, batch);
    }
  }
  hub.now = START + 6 * DAY;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  const batch = randomBatch(random, hub.now - HOUR, hub.now);
  rows.push(...batch);
  await publishRows(hub, batch);
  return { hub, rows };
}

/** The same hub as a process sees it that is killed within its nth call of storage: before it is done, or after. */
export function killedAt(
  hub: MemoryHub,
  n: number,
  when: 'fail-before' | 'fail-after',
): Hub & { calls(): number } {
  let calls = 0;
  const plan = () => {
    const call = calls++;
    if (call < n) return 'none' as const;
    // What is dead makes no further call, and hears no answer of the last one.
    return call === n ? when : ('fail-before' as const);
  };
  return {
    ...hub,
    clock: () => hub.now,
    objects: withFaults(hub.objects, plan),
    catalog: withFaults(hub.catalog, plan),
    leases: withFaults(hub.leases, plan),
    registry: withFaults(hub.registry, plan),
    calls: () => calls,
  };
}

export const answers = (hub: MemoryHub) => Promise.all(QUESTIONS.map((question) => ask(hub, question)));
export const expectedOf = (rows: readonly WindowRow[]): Answer[] =>
  QUESTIONS.map((question) => expected(rows, question, STEP));

/** Every block of the catalog has its object. */
export async function assertObjects(hub: MemoryHub): Promise<void> {
  const live = await hub.catalog.find({ tenant: 'default', from: 0, until: hub.now });
  const stored = new Set([...hub.stored.keys()].map((key) => parseBlockKey(key)?.blockId));
  assert.deepEqual(
    live.filter(({ blockId }) => !stored.has(blockId)),
    [],
  );
}

/** Runs `work` killed at each of its calls, and again whole; `check` is asked after both. */
export async function killAtEveryStep(
  prepare: () => Promise<Filled>,
  work: (hub: Hub) => Promise<unknown>,
  check: (filled: Filled, when: string, isDone: boolean) => Promise<void>,
): Promise<void> {
  for (const when of ['fail-before', 'fail-after'] as const) {
    for (let n = 0; ; n++) {
      const filled = await prepare();
      const { hub } = filled;
      const doomed = killedAt(hub, n, when);
      const isKilled = await work(doomed).then(
        () => false,
        (error) => assert.ok(error instanceof RetryableError, error.stack) ?? true,
      );
      await check(filled, `${when} in call ${n}`, false);
      await assertObjects(hub);
      hub.now += LEASE_MS;
      await work(hub);
      await check(filled, `done after ${when} in call ${n}`, true);
      hub.now += DELETION_GRACE_MS + 1;
      await deleteMarkedBlocks(hub);
      await check(filled, `objects deleted after ${when} in call ${n}`, true);
      await assertObjects(hub);
      if (!isKilled && doomed.calls() <= n) break;
    }
  }
}

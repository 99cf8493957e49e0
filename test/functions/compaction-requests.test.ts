// What compaction asks of the ports: bench/cost counts with these.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plannerHandler } from '../../functions/compaction-planner.ts';
import { compactionHandler } from '../../functions/compaction-worker.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';
import { contextOf, jobsEvent, openFunctionHub } from './function-events.ts';

const PORTS = ['objects', 'catalog', 'leases', 'registry'] as const;

/** The same hub; `asked` says which calls of ports it made since it was last asked. */
function counting(hub: Hub) {
  const counts = new Map<string, number>();
  const counted = (name: (typeof PORTS)[number]) =>
    new Proxy<object>(hub[name], {
      get(target, property) {
        const member = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        const call = `${name}.${String(property)}`;
        return (...args: unknown[]) => {
          counts.set(call, (counts.get(call) ?? 0) + 1);
          return member.apply(target, args);
        };
      },
    });
  const asked = () => {
    const all = Object.fromEntries(counts);
    counts.clear();
    return all;
  };
  return { hub: { ...hub, ...Object.fromEntries(PORTS.map((name) => [name, counted(name)])) }, asked };
}

test('a plan is a search a day; a job is a read and a GET per block, one swap, and a lease', async (t) => {
  const under = await openFunctionHub(t);
  for (let i = 1; i <= 12; i++) {
    const start = NOW - 3 * 3_600_000;
    await ingestBatch(under.hub, { cluster: 'c', bytes: batchOf(i, [{ stacks: { main: i }, start }]) });
    await processBatches(under.hub);
  }
  const { hub, asked } = counting(under.hub);
  const messages: string[] = [];
  const jobs = {
    send: async (sent: readonly string[]) => void messages.push(...sent),
    waiting: async () => 0,
  };
  await plannerHandler(() => ({ ...under.open(), hub, jobs }))({ scope: 'recent' }, contextOf());
  // Five days and a half, and today.
  assert.deepEqual(asked(), { 'catalog.find': 6, 'registry.setting': 2 });
  assert.equal(messages.length, 1);
  assert.ok(messages[0]!.length < 12 * 40, 'ids, not rows');
  await compactionHandler(() => ({ ...under.open(), hub }))(jobsEvent(messages), contextOf(900_000));
  const { 'registry.setting': settings, ...calls } = asked();
  assert.deepEqual(calls, {
    'leases.acquire': 1,
    'catalog.get': 12,
    'objects.getTail': 12,
    'objects.put': 3,
    'leases.renew': 1,
    'catalog.swap': 1,
    'leases.release': 1,
  });
  assert.ok(settings! <= 4, String(settings));
});

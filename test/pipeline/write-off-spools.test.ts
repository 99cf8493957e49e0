import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditLoss } from '../../pipeline/audit-loss.ts';
import { AGENT_FORGET_MS, forgetAgents } from '../../pipeline/forget-agents.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { sumAllLoss } from '../../pipeline/sum-loss.ts';
import { batchOf, NOW, openHub } from './fixtures.ts';

const HOUR = 3_600_000;
const OLD = NOW - AGENT_FORGET_MS - 1;

/** A heartbeat of an agent with a batch of 7 samples of an hour, and 2 that it dropped. */
function beat(hub: Hub, at: number, hourMs: number, spoolId = 's', bootId = 'b'): Promise<void> {
  const hour = { bootId, hourMs, first: 1, end: 2, batches: 1, kept: 7, dropped: 2, lost: 1 };
  const agent = { cluster: 'c', node: 'n', bootId: 'b', version: '1', engine: 'perf', clockSkewMs: 0 };
  const spool = { spoolId, batches: 1, samples: 7, hours: [hour] };
  return hub.registry.recordHeartbeat({ ...agent, at, counters: {}, spool });
}

async function auditOf(hub: Hub, hourMs: number): Promise<number[][]> {
  const hours = await auditLoss(hub, { start: hourMs, end: hourMs + HOUR });
  return hours.map((hour) => [
    ...[hour.taken, hour.lostByKernel, hour.droppedByAgent],
    ...[hour.spooled, hour.acknowledged, hour.unaccounted, hour.missingBatches],
  ]);
}

test('what a silent agent had on its disk is spooled for a week, and unaccounted from then on', async (t) => {
  const hub = await openHub(t);
  const hourMs = NOW - 7 * 24 * HOUR - HOUR;
  await beat(hub, OLD, hourMs);
  await sumAllLoss(hub);
  assert.deepEqual(await auditOf(hub, hourMs), [[9, 1, 2, 7, 0, 0, 0]]);
  await forgetAgents(hub);
  await forgetAgents(hub);
  await sumAllLoss(hub);
  assert.deepEqual(await hub.registry.listAgents(), []);
  assert.deepEqual(await auditOf(hub, hourMs), [[9, 1, 2, 0, 0, 7, 0]]);
  assert.ok(hub.logs.some((line) => line.startsWith('7 samples on the disk of n of c are given up')));
});

test('nothing is forgotten while sums are being made, and what was written off twice counts once', async (t) => {
  const hub = await openHub(t);
  const hourMs = NOW - 7 * 24 * HOUR - HOUR;
  await beat(hub, OLD, hourMs);
  const lease = await hub.leases.acquire('sum-loss', 'another', HOUR);
  await forgetAgents(hub);
  assert.equal((await hub.registry.listAgents()).length, 1);
  await hub.leases.release('sum-loss', 'another', lease!.token);
  // A crash between the two.
  const forget = hub.registry.forgetAgents;
  hub.registry.forgetAgents = async () => assert.fail('crash');
  await assert.rejects(forgetAgents(hub), /crash/);
  hub.registry.forgetAgents = forget;
  await forgetAgents(hub);
  await sumAllLoss(hub);
  assert.deepEqual(await auditOf(hub, hourMs), [[9, 1, 2, 0, 0, 7, 0]]);
});

test('what arrived is not written off, nor is what a live agent has', async (t) => {
  const hub = await openHub(t);
  const hourMs = NOW - HOUR;
  await ingestBatch(hub, {
    cluster: 'c',
    bytes: batchOf(1, [{ stacks: { main: 1 }, samples: 7 }], { taken: 9, dropped: 2 }),
  });
  await beat(hub, OLD, hourMs, 'former');
  await beat(hub, NOW, hourMs + HOUR, 's', 'next');
  await forgetAgents(hub);
  const [agent] = await hub.registry.listAgents();
  assert.deepEqual([agent?.spool?.spoolId, agent?.formerSpools], ['s', undefined]);
  assert.deepEqual(await auditOf(hub, hourMs), [[9, 0, 2, 0, 7, 0, 0]]);
  const [, next] = await auditLoss(hub, { start: hourMs, end: hourMs + 2 * HOUR });
  assert.deepEqual([next?.spooled, next?.unaccounted], [7, 0]);
});

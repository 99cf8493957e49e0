import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newCompleteness } from '../../core/query/completeness.ts';
import { auditLoss } from '../../pipeline/audit-loss.ts';
import { noteLoss } from '../../pipeline/note-loss.ts';
import { planPeriods } from '../../pipeline/read-loss.ts';
import { SUM_HOURS_MAX, sumLoss } from '../../pipeline/sum-loss.ts';
import type { BatchRecord } from '../../storage/registry.ts';
import { memoryHub } from './memory-hub.ts';
import { memoryLedger } from './memory-ledger.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 10, 22, 2, 20);

function hubWithLedger() {
  const hub = memoryHub(NOW);
  const ledger = memoryLedger();
  hub.registry.listBatchSequences = ledger.list;
  const read: string[] = [];
  const { setting } = hub.registry;
  hub.registry.setting = async (key) => {
    read.push(key);
    return setting(key);
  };
  return { hub, ledger, read };
}

function batchAt(time: number, fields: Partial<BatchRecord> = {}): BatchRecord {
  return {
    ...{ cluster: 'prod', node: 'n', bootId: 'b', sequence: 0, firstWindow: time, lastWindow: time },
    ...{ samplesTaken: 100, samplesLost: 0, samplesDropped: 0, samplesKept: 100, receivedAt: time + MINUTE },
    ...fields,
  };
}

async function completenessOf(hub: ReturnType<typeof memoryHub>, start: number, end: number) {
  const completeness = newCompleteness();
  await noteLoss(hub, { start, end }, undefined, completeness);
  return completeness;
}

async function sumAll(hub: ReturnType<typeof memoryHub>): Promise<void> {
  while ((await sumLoss(hub)).due > 0);
}

test('a run reads few hours of the ledger, one at a time; what is left follows', async () => {
  const { hub, ledger } = hubWithLedger();
  const first = await sumLoss(hub);
  assert.equal(first.hours, SUM_HOURS_MAX);
  assert.ok(first.due > 0);
  await sumAll(hub);
  assert.ok(await hub.registry.setting('loss/day/2026-11-21'));
  assert.equal(await hub.registry.setting('loss/day/2026-11-22'), undefined);
  ledger.searches.length = 0;
  hub.now += MINUTE;
  assert.deepEqual(await sumLoss(hub), { hours: 1, due: 0 });
  assert.deepEqual(
    ledger.searches.map(({ from, until }) => [from, until - from]),
    [[NOW - 20 * MINUTE, HOUR]],
  );
});

test('an hour is summed again when it is over, and 1, 6, 24 and 72 hours later', async () => {
  const { hub, ledger } = hubWithLedger();
  await sumAll(hub);
  const hour = NOW - 20 * MINUTE;
  const summedAt: number[] = [];
  for (hub.now = NOW; hub.now < NOW + 80 * HOUR; hub.now += 5 * MINUTE) {
    ledger.searches.length = 0;
    await sumLoss(hub);
    if (ledger.searches.some(({ from }) => from === hour)) summedAt.push((hub.now - hour - HOUR) / MINUTE);
  }
  const minutes = (hours: number) => hours * 60;
  assert.deepEqual(
    summedAt.filter((age) => age > 10),
    [minutes(1), minutes(6), minutes(24), minutes(72) + 10],
  );
});

test('a query reads the state, months, days and hours of its range, whatever the number of nodes', async () => {
  const { hub, ledger, read } = hubWithLedger();
  await sumAll(hub);
  for (let cluster = 0; cluster < 5; cluster++) {
    for (let n = 0; n < 60; n++)
      ledger.record(batchAt(hub.now - n * MINUTE, { cluster: `c${cluster}`, node: `n${n}` }));
  }
  for (const until = hub.now + 75 * DAY; hub.now < until; hub.now += 4 * HOUR) await sumLoss(hub);
  const keysFor = async (start: number, end: number) => {
    read.length = 0;
    ledger.searches.length = 0;
    await completenessOf(hub, start, end);
    assert.deepEqual(ledger.searches, []);
    return read.map((key) => key.replace(/^loss./, ''));
  };
  assert.deepEqual(await keysFor(NOW - 30 * MINUTE, NOW), [
    'state',
    'hour/2026-11-22T01',
    'hour/2026-11-22T02',
  ]);
  assert.deepEqual(await keysFor(NOW, NOW + DAY), [
    'state',
    ...Array.from({ length: 22 }, (_, i) => `hour/2026-11-22T${String(i + 2).padStart(2, '0')}`),
    ...['00', '01', '02'].map((hour) => `hour/2026-11-23T${hour}`),
  ]);
  const long = await keysFor(NOW, NOW + 75 * DAY);
  const months = long.filter((key) => key.startsWith('month'));
  assert.deepEqual(months, ['month/2026-12', 'month/2027-01']);
  assert.ok(long.length <= 1 + months.length + 60 + 46, `${long.length} values`);
});

test('what lies between two hours that were asked for is planned once, in the largest periods that fit', () => {
  const since = Date.UTC(2026, 0, 10, 5);
  const at = Date.UTC(2026, 3, 2, 12, 30);
  const plan = (start: number, end: number) =>
    planPeriods({ start, end }, { since, at }).map(
      ({ period, start }) => `${period} ${new Date(start).toISOString().slice(0, 13)}`,
    );
  // The first month was summed in part, and is over: all that is known of it is its sum.
  assert.deepEqual(plan(since, Date.UTC(2026, 3)), [
    'month 2026-01-01T00',
    'month 2026-02-01T00',
    'month 2026-03-01T00',
  ]);
  assert.deepEqual(plan(Date.UTC(2026, 1, 27, 23), Date.UTC(2026, 2, 1, 0, 1)), [
    'hour 2026-02-27T23',
    'day 2026-02-28T00',
    'hour 2026-03-01T00',
  ]);
  // This day is not over.
  assert.deepEqual(plan(Date.UTC(2026, 3, 1), Date.UTC(2026, 3, 2, 2)), [
    'day 2026-04-01T00',
    'hour 2026-04-02T00',
    'hour 2026-04-02T01',
  ]);
});

test('a query of minutes is told of the loss of its minutes', async () => {
  const { hub, ledger } = hubWithLedger();
  const hour = NOW - 20 * MINUTE;
  ledger.record(batchAt(hour, { sequence: 0, samplesLost: 7 }));
  ledger.record(batchAt(hour + 12 * MINUTE, { sequence: 3, samplesDropped: 5 }));
  await sumAll(hub);
  const early = await completenessOf(hub, hour, hour + 10 * MINUTE);
  assert.deepEqual([early.samplesLost, early.notes], [7, []]);
  const late = await completenessOf(hub, hour + 10 * MINUTE, hour + 15 * MINUTE);
  const missing = '2 batches have not arrived: they are late or lost';
  assert.deepEqual([late.samplesLost, late.notes], [5, [missing]]);
});

test('a gap that spans hours of silence counts once, in the hour after it, until what was late has come', async () => {
  const { hub, ledger } = hubWithLedger();
  const hour = NOW - 20 * MINUTE;
  ledger.record(batchAt(hour - 5 * HOUR, { sequence: 3 }));
  ledger.record(batchAt(hour, { sequence: 10 }));
  await sumAll(hub);
  const missing = async () =>
    (await auditLoss(hub, { start: hour - 6 * HOUR, end: NOW })).map((loss) => [
      (loss.hourMs - hour) / HOUR,
      loss.missingBatches,
    ]);
  assert.deepEqual(await missing(), [
    [-5, 0],
    [0, 6],
  ]);
  ledger.record(batchAt(hour - 3 * HOUR, { sequence: 5, receivedAt: NOW }));
  // The late batch's hour is summed again after 6 hours, and what follows from it with it.
  for (let i = 0; i < 4; i++) {
    hub.now += HOUR;
    await sumAll(hub);
  }
  assert.deepEqual(await missing(), [
    [-5, 0],
    [-3, 1],
    [0, 4],
  ]);
  const { notes } = await completenessOf(hub, hour - 6 * HOUR, NOW);
  assert.deepEqual(notes, ['5 batches have not arrived: they are late or lost']);
});

test('where numbers of batches do not follow time, all hours together say what is missing', async () => {
  const { hub, ledger } = hubWithLedger();
  const hour = NOW - 20 * MINUTE;
  for (const [ago, sequence] of [
    [5, 3],
    [4, 10],
    [3, 1],
    [3, 5],
  ] as const)
    ledger.record(batchAt(hour - ago * HOUR, { sequence }));
  await sumAll(hub);
  const { notes } = await completenessOf(hub, hour - 6 * HOUR, NOW);
  assert.deepEqual(notes, ['6 batches have not arrived: they are late or lost']);
});

test('sums stay when the ledger has expired', async () => {
  const { hub, ledger } = hubWithLedger();
  ledger.record(batchAt(NOW - 5 * HOUR, { samplesLost: 3 }));
  await sumAll(hub);
  hub.registry.listBatchSequences = async () => [];
  const was = hub.now;
  // Nobody ran the job for a month.
  hub.now += 30 * DAY;
  await sumAll(hub);
  assert.equal((await completenessOf(hub, was - DAY, was)).samplesLost, 3);
  const [hour] = await auditLoss(hub, { start: was - DAY, end: was });
  assert.deepEqual([hour?.lostByKernel, hour?.acknowledged], [3, 100]);
});

test('an answer says when sums are old, and that the newest data was behind then', async () => {
  const { hub, ledger } = hubWithLedger();
  ledger.record(batchAt(NOW - 2 * MINUTE));
  await sumAll(hub);
  hub.now += 10 * MINUTE;
  const fresh = await completenessOf(hub, NOW - HOUR, hub.now);
  assert.deepEqual([fresh.lagMs, fresh.notes], [MINUTE, []]);
  hub.now += 10 * MINUTE;
  const old = await completenessOf(hub, NOW - HOUR, hub.now);
  assert.deepEqual(old.notes, ['what was lost is known up to 2026-11-22T02:20:00.000Z']);
  assert.deepEqual((await completenessOf(hub, NOW - HOUR, NOW - 5 * MINUTE)).notes, []);
});

test('one at a time sums', async () => {
  const { hub, ledger } = hubWithLedger();
  const lease = await hub.leases.acquire('sum-loss', 'another', HOUR);
  assert.deepEqual(await sumLoss(hub), { hours: 0, due: 0 });
  assert.deepEqual(ledger.searches, []);
  await hub.leases.release('sum-loss', 'another', lease!.token);
  assert.ok((await sumLoss(hub)).hours > 0);
});

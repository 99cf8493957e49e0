// Sums of loss say what the ledger says. Days of batches of several clusters, nodes and boots, some lost, some late by up
// to three days, some repeated, are recorded while time passes and sums are made at odd times, now and then cut off. In
// the end every range of hours has the sums of its batches, and each missing batch counts once, in the hour after its gap.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newCompleteness } from '../../core/query/completeness.ts';
import { auditLoss } from '../../pipeline/audit-loss.ts';
import { noteLoss } from '../../pipeline/note-loss.ts';
import { sumLoss } from '../../pipeline/sum-loss.ts';
import type { BatchRecord } from '../../storage/registry.ts';
import { property } from '../core/block/fixtures.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';
import { type MemoryLedger, memoryLedger } from './memory-ledger.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Across the end of a month: 2023-11-30T23:00Z is in the middle. */
const START = Date.UTC(2023, 10, 29, 7);
const UNTIL = START + 3 * DAY;

interface Sent extends BatchRecord {
  /** Lost for good when absent. */
  arrives: number | undefined;
}

function randomHistory(random: () => number): Sent[] {
  const sent: Sent[] = [];
  const below = (n: number) => Math.floor(random() * n);
  for (let boot = 0; boot < 6; boot++) {
    let sequence = random() < 0.8 ? 0 : below(9);
    let time = START + below(DAY);
    const until = Math.min(UNTIL, time + HOUR + below(3 * DAY));
    const isBad = random() < 0.5;
    while (time < until) {
      const arrival = random();
      const lateBy = arrival < 0.85 ? MINUTE : below(60 * HOUR);
      sent.push({
        ...{ cluster: `c${boot % 3}`, node: `n${boot % 4}`, bootId: `b${boot}`, sequence: sequence++ },
        ...{
          samplesTaken: 100,
          samplesLost: isBad ? below(3) : 0,
          samplesDropped: below(2),
          samplesKept: 90,
        },
        ...{ firstWindow: time, lastWindow: time, receivedAt: 0 },
        arrives: arrival > 0.97 ? undefined : time + lateBy,
      });
      // Now and then it sends nothing for hours, and loses what it had.
      if (random() < 0.03) {
        sequence += below(20);
        time += below(9 * HOUR);
      } else time += (1 + below(40)) * MINUTE;
    }
  }
  return sent;
}

/** What a reader of all records finds within [start, end): the definition that sums are held to. */
function expectedLoss(sent: readonly Sent[], start: number, end: number, cluster: string) {
  const loss = { samples: 0, missing: 0, stored: 0 };
  const boots = Map.groupBy(
    sent.filter((batch) => batch.arrives !== undefined && batch.cluster === cluster),
    ({ bootId }) => bootId,
  );
  for (const batches of boots.values()) {
    batches.sort((a, b) => a.sequence - b.sequence);
    for (const [i, batch] of batches.entries()) {
      if (batch.firstWindow < start || batch.firstWindow >= end) continue;
      loss.samples += batch.samplesLost + batch.samplesDropped;
      loss.stored += batch.samplesKept;
      if (i > 0) loss.missing += batch.sequence - batches[i - 1]!.sequence - 1;
    }
  }
  return loss;
}

/** Batches arrive as time passes; sums are made every minute to half a day, and every tenth run is cut off. */
async function liveThrough(
  hub: MemoryHub,
  ledger: MemoryLedger,
  sent: readonly Sent[],
  random: () => number,
) {
  const put = hub.registry.putSetting;
  let next = START;
  const arriving = sent.filter(({ arrives }) => arrives !== undefined);
  for (const { arrives, ...batch } of arriving.sort((a, b) => a.arrives! - b.arrives!)) {
    for (; next < arrives!; next += MINUTE + Math.floor(random() ** 4 * 12 * HOUR)) {
      hub.now = next;
      let writes = random() < 0.1 ? random() * 20 : Number.POSITIVE_INFINITY;
      hub.registry.putSetting = async (key, value) => {
        if (writes-- < 0) throw new Error('cut off');
        await put(key, value);
      };
      await sumLoss(hub).catch((error) => assert.equal(error.message, 'cut off'));
    }
    ledger.record({ ...batch, receivedAt: arrives! });
  }
  hub.registry.putSetting = put;
  hub.now = UNTIL + 4 * DAY;
  while ((await sumLoss(hub)).due > 0);
}

async function checkQueries(hub: MemoryHub, sent: readonly Sent[], random: () => number): Promise<void> {
  for (let i = 0; i < 40; i++) {
    const edge = () => START + Math.floor(random() * 12 * 72 - 40) * 5 * MINUTE;
    const [start, end] = [edge(), edge()].sort((a, b) => a - b) as [number, number];
    const cluster = `c${Math.floor(random() * 3)}`;
    const completeness = newCompleteness();
    await noteLoss(hub, { start, end }, (name) => name === cluster, completeness);
    const { samples, missing } = expectedLoss(sent, start, end, cluster);
    const where = `${new Date(start).toISOString()} ${new Date(end).toISOString()} ${cluster}`;
    assert.equal(completeness.samplesLost, samples, where);
    const note = `${missing} batches have not arrived: they are late or lost`;
    assert.deepEqual(completeness.notes, missing > 0 ? [note] : [], where);
    assert.equal(completeness.complete, missing === 0 && samples === 0, where);
  }
}

async function checkAudit(hub: MemoryHub, sent: readonly Sent[]): Promise<void> {
  const hours = await auditLoss(hub, { start: START, end: UNTIL });
  for (const { cluster, hourMs, acknowledged, missingBatches, lostByKernel, droppedByAgent } of hours) {
    const samples = lostByKernel + droppedByAgent;
    const actual = { samples, missing: missingBatches, stored: acknowledged };
    assert.deepEqual(actual, expectedLoss(sent, hourMs, hourMs + HOUR, cluster), `${cluster} ${hourMs}`);
  }
  const stored = hours.reduce((sum, hour) => sum + hour.acknowledged, 0);
  assert.equal(stored, 90 * sent.filter(({ arrives }) => arrives !== undefined).length);
}

test('sums are what the ledger says', async () => {
  await property('sums are what the ledger says', async (random) => {
    const hub = memoryHub(START);
    const ledger = memoryLedger();
    hub.registry.listBatchSequences = ledger.list;
    const sent = randomHistory(random);
    await liveThrough(hub, ledger, sent, random);
    hub.registry.listBatchSequences = async () => assert.fail('what is summed is not read from the ledger');
    await checkQueries(hub, sent, random);
    await checkAudit(hub, sent);
  });
});

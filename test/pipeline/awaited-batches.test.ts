import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpooledHour } from '../../core/batch/spool-account.ts';
import { arrivedBoots, awaitedOf } from '../../pipeline/awaited-batches.ts';
import { newestWords, type SpoolWord } from '../../pipeline/spool-words.ts';
import type { BatchRecord } from '../../storage/registry.ts';
import { memoryHub } from './memory-hub.ts';
import { memoryLedger } from './memory-ledger.ts';

const HOUR = 3_600_000;
const NOW = 500_000 * HOUR;

/** A batch of 10 · sequence samples. */
function batch(sequence: number, hour: number, fields: Partial<BatchRecord> = {}): BatchRecord {
  return {
    ...{ cluster: 'c', node: 'n', bootId: 'b', sequence, receivedAt: NOW },
    ...{ firstWindow: NOW + hour * HOUR, lastWindow: NOW + hour * HOUR },
    ...{ samplesTaken: 10 * sequence + 2, samplesKept: 10 * sequence, samplesDropped: 2, samplesLost: 1 },
    ...fields,
  };
}

/** The batches of hour 0, as a heartbeat tells them. */
function hourOf(batches: readonly BatchRecord[]): SpooledHour {
  const numbers = batches.map(({ sequence }) => sequence);
  const sum = (field: 'samplesKept' | 'samplesDropped' | 'samplesLost') =>
    batches.reduce((total, one) => total + one[field], 0);
  const counts = { kept: sum('samplesKept'), dropped: sum('samplesDropped'), lost: sum('samplesLost') };
  const range = { first: Math.min(...numbers), end: Math.max(...numbers) + 1, batches: batches.length };
  return { bootId: 'b', hourMs: NOW, ...range, ...counts };
}

/** What is awaited of `spooled` when `arrived` is in the ledger, and how many records were looked into. */
async function awaited(
  spooled: readonly BatchRecord[],
  arrived: readonly BatchRecord[],
  since: readonly BatchRecord[] = [],
) {
  const hub = memoryHub(NOW);
  const ledger = memoryLedger();
  for (const one of arrived) ledger.record(one);
  const boots = arrivedBoots(await ledger.list({ cluster: 'c', from: NOW, until: NOW + 2 * HOUR }));
  let lookups = 0;
  hub.registry.listBootBatches = async ({ node, bootId, hour }) => {
    lookups++;
    return [...arrived, ...since].filter(
      (one) => one.node === node && one.bootId === bootId && one.firstWindow === hour,
    );
  };
  const { kept, dropped, lost } = await awaitedOf(hub, 'c', hourOf(spooled), boots);
  return [kept, dropped, lost, lookups];
}

const [one, two, three] = [batch(1, 0), batch(2, 0), batch(3, 0)];

test('of an hour of which nothing or everything arrived, its numbers tell that', async () => {
  assert.deepEqual(await awaited([two, three], []), [50, 4, 2, 0]);
  assert.deepEqual(await awaited([two, three], [one]), [50, 4, 2, 0]);
  assert.deepEqual(await awaited([two, three], [batch(2, 0, { bootId: 'other' })]), [50, 4, 2, 0]);
  assert.deepEqual(await awaited([two, three], [one, two, three, batch(4, 0)]), [0, 0, 0, 0]);
});

test('of one of which some arrived, their records do', async () => {
  assert.deepEqual(await awaited([one, two, three], [one, two]), [30, 2, 1, 1]);
  assert.deepEqual(await awaited([one, two, three], [one, three]), [20, 2, 1, 1]);
  assert.deepEqual(await awaited([two, three], [one, two]), [30, 2, 1, 1]);
});

test('what comes between two reads of the ledger is left for the next audit', async () => {
  assert.deepEqual(await awaited([one, two, three], [one], [two]), [50, 4, 2, 1]);
});

test('numbers of batches of another hour, or that were given up, stand for none of this one', async () => {
  const other = batch(2, 1);
  assert.deepEqual(await awaited([one, three], [one, other]), [30, 2, 1, 1]);
  assert.deepEqual(await awaited([one, three], [other]), [40, 4, 2, 1]);
  assert.deepEqual(await awaited([one, three], [one, three]), [0, 0, 0, 1]);
});

test('a node that got another name has the batches that it had', async () => {
  const renamed = { node: 'before' };
  assert.deepEqual(await awaited([one, two], [batch(1, 0, renamed)]), [20, 2, 1, 1]);
  assert.deepEqual(await awaited([one, two], [batch(1, 0, renamed), batch(2, 0, renamed)]), [0, 0, 0, 0]);
});

test('an agent that says one thing in a heartbeat and another in a batch makes nothing negative', async () => {
  const more = { samplesKept: 1000, samplesDropped: 1000, samplesLost: 1000 };
  assert.deepEqual(await awaited([one, two], [batch(1, 0, more)]), [0, 0, 0, 1]);
});

test('each spool and each batch is there once: under the newest id and name', () => {
  const word = (spoolId: string, at: number, first: number, fields: Partial<SpoolWord> = {}): SpoolWord => {
    const hour = { ...hourOf([one, two]), first, end: first + 2 };
    const agent = { cluster: 'c', node: 'n', bootId: 'b', standing: 'live' as const };
    return { ...agent, spoolId, at, batches: 2, samples: 30, hours: [hour], ...fields };
  };
  const told = (words: readonly SpoolWord[]) =>
    newestWords(words).map(({ spoolId, node, hours }) => `${spoolId} ${node} ${hours.length}`);
  assert.deepEqual(told([word('s', 1, 1), word('s', 2, 1, { node: 'm' })]), ['s m 1']);
  assert.deepEqual(told([word('s', 1, 1), word('t', 2, 2)]), ['t n 1', 's n 0'], 'an id that was not kept');
  assert.deepEqual(told([word('s', 1, 1), word('t', 2, 3)]), ['t n 1', 's n 1']);
  assert.deepEqual(told([word('s', 1, 1), word('s', 2, 1, { cluster: 'd' })]), ['s n 1', 's n 1']);
});

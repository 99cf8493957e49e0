import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CostInputs, HubShape } from '../../bench/cost/cost-inputs.ts';
import { type Bill, monthlyBill } from '../../bench/cost/cost-model.ts';
import {
  LEDGER_ITEM_BYTES,
  LEDGER_RECORD_BYTES,
  ledgerReadUnits,
  ledgerWriteUnits,
  lossReadUnits,
} from '../../bench/cost/ledger-units.ts';
import { LIST_PRICES } from '../../bench/cost/list-prices.ts';
import { highlyAvailable, singleInstance } from '../../bench/cost/self-hosted.ts';
import { packRecord, recordAttribute, SLICE_MS } from '../../storage/aws/ledger-records.ts';
import { ledgerPartition, padded } from '../../storage/aws/names.ts';

const FLEET: CostInputs = {
  nodes: 1000,
  flushSeconds: 60,
  batchKb: 100,
  retentionDays: 14,
  queriesPerDay: 1000,
  relay: false,
  heartbeatSeconds: 300,
};
const CPU = { ingestMs: 4, processorMs: 5 };
const SHAPE: HubShape = {
  ingestMemoryMb: 512,
  processorMemoryMb: 1769,
  queryMemoryMb: 1769,
  plannerMemoryMb: 1769,
  workerMemoryMb: 3008,
  housekeeperMemoryMb: 3008,
  planSeconds: 300,
  planAllSeconds: 3600,
  lossSumSeconds: 300,
  housekeepingCallsPerDay: 600,
  processorBatches: 100,
  processorWindowSeconds: 5,
  messageGroups: false,
  alarmMetrics: 30,
  customMetrics: 20,
  accessLogBytes: 400,
  metricsLineBytes: 800,
  metricsEverySeconds: 60,
};

const bill = (inputs: Partial<CostInputs> = {}, shape: Partial<HubShape> = {}) =>
  monthlyBill({ ...FLEET, ...inputs }, CPU, { ...SHAPE, ...shape });

/** US dollars per million batches of one component. */
function perMillion({ components, batches }: Bill, name: string): number {
  const component = components.find((one) => one.name === name);
  assert.ok(component, `no component ${name}`);
  return component.usd / (batches / 1e6);
}

function close(value: number, expected: number, within = 0.001): void {
  assert.ok(Math.abs(value - expected) <= within, `${value} is not ${expected} ± ${within}`);
}

test('the components are the total, and those that grow with batches are the price of a million', () => {
  for (const relay of [false, true]) {
    const { components, total, perMillionBatches, allPerMillionBatches, batches } = bill({ relay });
    close(total / (batches / 1e6), allPerMillionBatches, 1e-9);
    close(
      components.reduce((sum, { usd }) => sum + usd, 0),
      total,
      1e-9,
    );
    const growing = components.filter((component) => component.perBatch);
    close(growing.reduce((sum, { usd }) => sum + usd, 0) / (batches / 1e6), perMillionBatches, 1e-9);
    assert.ok(components.every(({ usd, basis }) => usd > 0 && basis !== ''));
  }
});

test('1,000 nodes at 60 s: batches, bytes and the lines that can be worked out by hand', () => {
  const month = bill();
  close(month.batches, 43_800_000);
  close(month.gigabytes, 4380);
  // 1 of $1.00. 2 to send, 16 for ten to receive, 1 for ten to delete: 3.7 × $0.40. One write unit of $0.625. One read.
  close(perMillion(month, 'ingest API'), 1);
  close(perMillion(month, 'queue'), 1.48);
  close(perMillion(month, 'ledger'), 0.625);
  close(perMillion(month, 'cluster check'), 0.125);
  // 16.7 a second on 5 pollers for 5 s, and the first: 17.7 to a block, 9 write units each.
  close(month.batchesPerBlock, 1 + (1000 / 60 / 5) * 5);
  close(perMillion(month, 'block catalog'), (9 * 0.625) / month.batchesPerBlock);
  // 4 ms of a core are 13.82 ms of 512 MB, 22 ms waiting: 36 ms, half a GB.
  close(perMillion(month, 'ingest function'), 0.2 + 0.036 * 0.5 * 13.3334, 0.0001);
  // A fifth of the requests, each: $1.20 of requests, 17 ms of 512 MB, a read and a write unit, a log line.
  const beat = 1.2 + 0.017 * 0.5 * 13.3334 + 0.125 + 0.625 + 0.1;
  close(perMillion(month, 'heartbeats'), beat / 5, 0.0001);
  // An access log line of 400 bytes; lines of 800: one a block, and of two environments one a minute.
  const lines = 1 / month.batchesPerBlock + (2 * 43_800) / 43_800_000;
  close(perMillion(month, 'logs'), 0.1 + 0.4 * lines);
});

test('storage: what was sent, over the retention, reduced', () => {
  // 4,380 GB × 14 / 30.42 days / 4 × $0.023
  close(bill().components.find(({ name }) => name === 'storage')!.usd, 11.59, 0.01);
  close(perMillion(bill({ retentionDays: 28 }), 'storage'), 2 * perMillion(bill(), 'storage'));
});

/** US dollars a month of one component. */
const usdOf = (month: Bill, name: string) => month.components.find((one) => one.name === name)!.usd;

test('queries read sums of loss: as many units for any fleet', () => {
  // The state and two hours; 78 for the blocks.
  const each = 1.2 / 1e6 + 0.3 * (1769 / 1024) * 0.0000133334 + (3 + 78) * 0.125e-6 + 60 * 0.4e-6;
  close(usdOf(bill(), 'queries'), ((1000 * 2_628_000) / 86_400) * each, 0.001);
  assert.equal(usdOf(bill({ nodes: 100_000 }), 'queries'), usdOf(bill(), 'queries'));
  assert.deepEqual([lossReadUnits(1), lossReadUnits(24)], [3, 26]);
  assert.equal(lossReadUnits(87_600), lossReadUnits(876_000));
});

test('sums of loss: the ledger of an hour is read thirteen times', () => {
  // 60,000 records of 50 bytes in 4,000 items of 260.
  assert.equal(ledgerReadUnits(60_000, 1000), 987);
  // Half of it twelve times, all of it twice in the ten minutes after, and at five ages. 3 s of CPU a day for each.
  const reads = 6 + 2 + 5;
  const cpu = 43_800_000 * reads * 2e-6 * (3008 / 1024) * 0.0000133334;
  // 12 runs of 8 write units, and 23 KB of boots thrice.
  const hour = reads * 987 * 0.125e-6 + (12 * 8 + 3 * 23) * 0.625e-6;
  close(usdOf(bill(), 'sums of loss'), 730 * hour + cpu);
});

test('housekeeping: calls, and a GiB an hour that is checked, or what there is', () => {
  const gbSecond = (3008 / 1024) * 0.0000133334;
  const calls = (600 * 2_628_000) / 86_400;
  const ofCalls = calls * (1.2e-6 + 0.5 * gbSecond);
  // 10 s of a GB, 1,000 GETs.
  const ofGigabyte = 10 * gbSecond + 1000 * 0.4e-6;
  close(usdOf(bill(), 'housekeeping'), ofCalls + 730 * 1.073741824 * ofGigabyte);
  // A node of 1 KB every 60 s leaves 5 MB.
  close(usdOf(bill({ nodes: 1, batchKb: 1 }), 'housekeeping'), ofCalls + 730 * 0.00504 * ofGigabyte);
});

test('an event of 6 MB holds 46 batches of 100 KB, however many arrive', () => {
  close(bill({ nodes: 100_000 }).batchesPerBlock, 46);
  assert.equal(bill({ nodes: 100_000, batchKb: 10 }).batchesPerBlock, 100);
});

test('message groups are billed on top of every request', () => {
  close(perMillion(bill({}, { messageGroups: true }), 'queue'), 1.48 + 0.37);
});

test('past 300 KiB a batch is an object, its message one step', () => {
  const pointed = bill({ batchKb: 308 });
  const inline = bill({ batchKb: 307 });
  close(perMillion(inline, 'queue'), 0.4 * (5 + 16 / 3 + 1 / 3), 0.15);
  assert.ok(perMillion(pointed, 'queue') < 0.7);
  assert.ok(perMillion(pointed, 'object requests') > 5);
});

test('the bill grows with nodes, with shorter flushes, larger batches and more heartbeats', () => {
  const totals = (list: Partial<CostInputs>[]) => list.map((inputs) => bill(inputs).total);
  const rising = (values: number[]) => values.every((value, i) => i === 0 || value > values[i - 1]!);
  const nodes = [1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 100_000];
  for (const relay of [false, true]) assert.ok(rising(totals(nodes.map((n) => ({ nodes: n, relay })))));
  assert.ok(rising(totals([120, 60, 30, 15].map((flushSeconds) => ({ flushSeconds })))));
  assert.ok(rising(totals([10, 50, 100, 200, 300, 1000].map((batchKb) => ({ batchKb })))));
  assert.ok(rising(totals([600, 300, 60, 15].map((heartbeatSeconds) => ({ heartbeatSeconds })))));
});

test('a relay sends a fortieth of the requests, and costs less than half', () => {
  const without = bill();
  const relayed = bill({ relay: true });
  // 41 batches of 100 KB fit 4 MiB.
  close(perMillion(relayed, 'cluster check'), 0.125 / 41);
  assert.ok(relayed.total < without.total / 2);
  close(perMillion(relayed, 'ledger'), perMillion(without, 'ledger'));
});

test('a block is made of 32 MiB at most', () => {
  // 8 uploads of 41 batches of 100 KB.
  close(bill({ relay: true, nodes: 100_000 }).batchesPerBlock, 8 * 41);
});

test('an item of the ledger is as large as the model says', () => {
  const bytes = (record: number) => {
    const start = 1_760_000_000_000 - (1_760_000_000_000 % SLICE_MS);
    const sequence = 1_000_000 + record;
    const firstWindow = start + record * 60_000;
    const times = { firstWindow, lastWindow: firstWindow + 60_000, receivedAt: firstWindow + 61_000 };
    const counts = { samplesTaken: 20_000, samplesLost: 3, samplesDropped: 100, samplesKept: 19_900 };
    const origin = { cluster: 'c', node: 'n', bootId: 'b', sequence };
    return recordAttribute(sequence).length + packRecord({ ...origin, ...counts, ...times }, start).length;
  };
  for (const record of [0, 7, 14]) assert.ok(bytes(record) <= LEDGER_RECORD_BYTES, `${bytes(record)} bytes`);
  const key = ledgerPartition(488_888, 7).length + padded(0).length + 16 + 1 + 32 + 2;
  const names = 'pk sk cluster node bootId start expires changes'.replaceAll(' ', '').length;
  const values = 'prod-eu-1'.length + 'ip-10-0-123-45.eu-central-1.compute.internal'.length + 36 + 3 * 8;
  assert.ok(key + names + values <= LEDGER_ITEM_BYTES, `${key + names + values} bytes`);
  assert.equal(ledgerWriteUnits(60), 1);
  assert.ok(ledgerWriteUnits(10) > 2);
});

test("a server of one's own: instances of 5 MB/s, a volume, zones", () => {
  // 1.67 MB/s: one instance of $0.1632 for 730 hours, 504 GB at $0.08.
  const single = singleInstance(FLEET);
  close(single.usd, 119.136 + 40.32, 0.01);
  const three = highlyAvailable(FLEET);
  close(three.usd, 3 * 119.136 + 73 + 16.425 + 11.59 + 52.56 + 58.4, 0.05);
  assert.ok(highlyAvailable({ ...FLEET, nodes: 10_000 }).usd > three.usd);
});

test('every list price has a unit and a source', () => {
  for (const [name, { usd, unit, source }] of Object.entries(LIST_PRICES)) {
    assert.ok(usd > 0, name);
    assert.match(unit, /^[A-Za-z]/, name);
    assert.match(source, /^(aws\.amazon\.com|cloudburn\.io)\//, name);
  }
});

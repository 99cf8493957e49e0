// What calls cost: how many requests of which kind, counted. What grows with data is told with its factor.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { toItem } from '../../../storage/aws/attribute-values.ts';
import { entryOf, rowFields } from '../../../storage/aws/block-items.ts';
import { entryKey } from '../../../storage/aws/block-spans.ts';
import { dynamodbBlockCatalog } from '../../../storage/aws/dynamodb-block-catalog.ts';
import { dynamodbLeaseStore } from '../../../storage/aws/dynamodb-lease-store.ts';
import { dynamodbRegistry } from '../../../storage/aws/dynamodb-registry.ts';
import { dynamoTable } from '../../../storage/aws/dynamodb-table.ts';
import { blockKey } from '../../../storage/aws/names.ts';
import type { BlockRow } from '../../../storage/block-catalog.ts';
import { aBlockRow } from '../../contracts/block-catalog.contract.ts';
import { type Command, scriptedClient, tally } from './command-clients.ts';

const HOUR = 3_600_000;
const T0 = 500_000 * HOUR;

/** A table with these live blocks, as far as searches and swaps read it. */
function tableWith(rows: BlockRow[]) {
  const items = new Map(
    rows.map((row) => [
      blockKey(row.blockId).pk,
      toItem({ ...blockKey(row.blockId), ...rowFields(row, 'n').fields }),
    ]),
  );
  const entries = rows.map((row) => {
    const { fields, digest } = entryOf(row);
    return toItem({ ...entryKey(row, digest), ...fields });
  });
  return scriptedClient(({ name, input }: Command) => {
    if (name === 'Query') {
      const { ':pk': pk, ':from': from, ':to': to } = input.ExpressionAttributeValues;
      const isAsked = (sk = '') => (from === undefined || sk >= from.S) && (to === undefined || sk <= to.S);
      return { Items: entries.filter((entry) => entry.pk.S === pk.S && isAsked(entry.sk.S)) };
    }
    if (name !== 'BatchGetItem') return {};
    const keys: { pk: { S: string } }[] = input.RequestItems.hub.Keys;
    return {
      Responses: { hub: keys.map((key) => items.get(key.pk.S)).filter((item) => item !== undefined) },
    };
  });
}

const catalogOn = (client: ReturnType<typeof scriptedClient>) =>
  dynamodbBlockCatalog(dynamoTable(client, 'hub'), () => T0);

const fresh = (i: number) =>
  aBlockRow({ blockId: `b${i}`, minTime: T0 + i * 1000, maxTime: T0 + i * 1000 + 60_000 });

test('publish: two writes, and one more per process and bucket of time', async () => {
  const client = tableWith([]);
  const catalog = catalogOn(client);
  await catalog.publish(fresh(0));
  assert.equal(tally(client.commands), '3 PutItem');
  client.commands.length = 0;
  await catalog.publish(fresh(1));
  assert.equal(tally(client.commands), '2 PutItem');
});

test('find: an hour asks few partitions, and reads rows a hundred at a time', async () => {
  const client = tableWith(Array.from({ length: 150 }, (_, i) => fresh(i)));
  const found = await catalogOn(client).find({ tenant: 'acme', from: T0, until: T0 + HOUR, service: 'web' });
  assert.equal(found.length, 150);
  const counts = Object.fromEntries(
    tally(client.commands)
      .split(', ')
      .map((line) => line.split(' ').reverse()),
  );
  assert.equal(counts.BatchGetItem, '2');
  assert.equal(counts.GetItem, '2');
  assert.ok(Number(counts.Query) <= 16, `${counts.Query} queries`);
});

test('find: rows of blocks without the service are not read', async () => {
  const client = tableWith(Array.from({ length: 150 }, (_, i) => fresh(i)));
  await catalogOn(client).find({ tenant: 'acme', from: T0, until: T0 + HOUR, service: 'no such' });
  assert.ok(client.commands.every(({ name }) => name !== 'BatchGetItem'));
});

test('find by day: few partitions a day, and no row is read twice', async () => {
  const DAY = 24 * HOUR;
  const day0 = Math.floor(T0 / DAY) * DAY;
  const rows = Array.from({ length: 6 * 24 }, (_, hour) => {
    const minTime = day0 + hour * HOUR;
    return aBlockRow({ blockId: `b${hour}`, minTime, maxTime: minTime + HOUR + 5000 });
  });
  rows.push(aBlockRow({ blockId: 'joined', minTime: day0, maxTime: day0 + 6 * DAY }));
  const client = tableWith(rows);
  for (let day = 0; day < 6; day++) {
    const range = { from: day0 + day * DAY, until: day0 + (day + 1) * DAY };
    const found = await catalogOn(client).find({ tenant: 'acme', ...range, starting: true });
    assert.equal(found.length, day === 0 ? 25 : 24);
  }
  const read = client.commands.filter(({ name }) => name === 'BatchGetItem');
  assert.equal(
    read.reduce((sum, { input }) => sum + input.RequestItems.hub.Keys.length, 0),
    rows.length,
  );
  assert.equal(tally(client.commands), '6 BatchGetItem, 12 GetItem, 72 Query');
});

test('get: one read', async () => {
  const client = tableWith([]);
  await catalogOn(client).get('b0');
  assert.equal(tally(client.commands), '1 GetItem');
});

test('swap: one read, two writes per output, one transaction of an item per block and three', async () => {
  const rows = Array.from({ length: 95 }, (_, i) => fresh(i));
  const client = tableWith(rows);
  const output = aBlockRow({ blockId: 'm', level: 1, minTime: T0, maxTime: T0 + HOUR });
  const swap = { remove: rows.map(({ blockId }) => blockId), add: [output], token: 't' };
  assert.equal(await catalogOn(client).swap(swap), 'done');
  assert.equal(tally(client.commands), '1 BatchGetItem, 2 PutItem, 1 TransactWriteItems');
  assert.equal(client.commands.at(-1)?.input.TransactItems.length, 95 + 1 + 3);
});

test('ledger: one write per batch, and one more per process and hour', async () => {
  const client = scriptedClient(() => ({}));
  const registry = dynamodbRegistry(dynamoTable(client, 'hub'), () => T0);
  const samples = { samplesTaken: 10, samplesLost: 0, samplesDropped: 0, samplesKept: 10 };
  const times = { firstWindow: T0, lastWindow: T0, receivedAt: T0 };
  for (let sequence = 0; sequence < 45; sequence++) {
    await registry.recordBatch({ cluster: 'c', node: 'n', bootId: 'b', sequence, ...samples, ...times });
  }
  assert.equal(tally(client.commands), '1 PutItem, 45 UpdateItem');
  client.commands.length = 0;
  await registry.listBatchSequences({ from: T0, until: T0 + HOUR });
  assert.equal(tally(client.commands), '8 Query');
  client.commands.length = 0;
  await registry.listBootBatches({ cluster: 'c', node: 'n', bootId: 'b', hour: T0 });
  assert.equal(tally(client.commands), '1 Query');
});

test('registry and leases: one request for what is looked up by name', async () => {
  const client = scriptedClient(() => ({}));
  const table = dynamoTable(client, 'hub');
  const registry = dynamodbRegistry(table, () => T0);
  const leases = dynamodbLeaseStore(table, () => T0);
  const counted = async (call: () => Promise<unknown>) => {
    client.commands.length = 0;
    await call();
    return tally(client.commands);
  };
  assert.equal(await counted(() => registry.findCredential('AK')), '1 GetItem');
  assert.equal(await counted(() => registry.findApiToken('hash')), '1 GetItem');
  assert.equal(await counted(() => registry.getCluster('prod')), '1 GetItem');
  assert.equal(await counted(() => registry.nextCount('n')), '1 UpdateItem');
  assert.equal(await counted(() => leases.acquire('n', 'o', 1)), '1 UpdateItem');
  assert.equal(await counted(() => leases.renew('n', 'o', 1, 1)), '1 UpdateItem');
  assert.equal(await counted(() => leases.release('n', 'o', 1)), '1 UpdateItem');
});

/** Attributes of an item as they are billed: names and texts in bytes, numbers two digits to the byte and one more. */
function itemBytes(values: Record<string, AttributeValue>): number {
  const sizes = Object.entries(values).map(
    ([name, { S, N }]) =>
      name.length + (S === undefined ? Math.ceil(N!.length / 2) + 1 : Buffer.byteLength(S)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What an agent counted in a year, by all names that it has. */
const YEAR_OF_COUNTERS = {
  ...{
    samplesTaken: 1_600_000_000,
    samplesKept: 1_600_000_000,
    samplesLost: 123_456,
    samplesDropped: 123_456,
  },
  ...{ samplesDroppedByRules: 123_456, samplesOverflowed: 12_345_678, samplesRooted: 1_600_000_000 },
  ...{ samplesTruncated: 1_234_567, samplesUnattributed: 1_234_567, samplesThrottled: 12_345 },
  ...{ spooledBatches: 3, spooledBytes: 300_000, spoolDiskBytes: 8_388_608 },
  ...{ droppedBatches: 12, refusedBatches: 1, damagedBatches: 1 },
  ...{ uploadedBatches: 525_600, uploadedBytes: 52_560_000_000, failedUploads: 1234 },
  ...{ rssBytes: 90_123_456, supervisorRssBytes: 80_123_456, samplerRssBytes: 10_123_456 },
  ...{
    cpuPercent: 1.23,
    samplerCpuPercent: 0.84,
    samplerCrashes: 1,
    pendingSymbols: 12,
    uptimeSeconds: 31_536_000,
  },
};

/** An item of an agent whose spool holds batches of as many hours. */
async function heartbeatBytes(hours: number): Promise<number> {
  const client = scriptedClient(() => ({}));
  const counts = { first: 525_600, end: 525_660, batches: 60, kept: 123_456, dropped: 12, lost: 3 };
  await dynamodbRegistry(dynamoTable(client, 'hub'), () => T0).recordHeartbeat({
    ...{ cluster: 'prod-eu-central-1', node: 'ip-10-123-45-67.eu-central-1.compute.internal' },
    ...{ bootId: '0123456789abcdef', version: '0.1.0', engine: 'perf', clockSkewMs: -123, at: T0 },
    counters: YEAR_OF_COUNTERS,
    spool: {
      ...{ spoolId: 'fedcba9876543210', batches: 60 * hours, samples: 123_456 * hours },
      hours: Array.from({ length: hours }, (_, i) => ({
        bootId: '0123456789abcdef',
        hourMs: T0 - i * HOUR,
        ...counts,
      })),
    },
  });
  const { Key, ExpressionAttributeValues } = client.commands.at(-1)!.input;
  const values = Object.entries<AttributeValue>(ExpressionAttributeValues);
  const fields = Object.fromEntries(values.map(([name, value]) => [name.slice(1), value]));
  return itemBytes({ ...Key, ...fields, firstSeenAt: fields.at! });
}

test('a heartbeat is a write unit of 1 KB, also of an agent that spools; of one cut off for three days, 4', async () => {
  assert.ok((await heartbeatBytes(2)) <= 1024, `${await heartbeatBytes(2)} bytes`);
  assert.ok((await heartbeatBytes(73)) <= 4096, `${await heartbeatBytes(73)} bytes`);
});

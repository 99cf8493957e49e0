import assert from 'node:assert/strict';
import type { SpoolAccount } from '../../core/batch/spool-account.ts';
import type { BatchRecord, Heartbeat, Registry } from '../../storage/registry.ts';
import { assertRejected, type MakeAdapter, scenario } from './adapter.ts';

const HOUR = 3_600_000;

function aHeartbeat(fields: Partial<Heartbeat>): Heartbeat {
  return {
    cluster: 'prod',
    node: 'n1',
    bootId: 'boot1',
    version: '0.1.0',
    engine: 'perf',
    at: 1000,
    clockSkewMs: -0.25,
    counters: { taken: 10, 'dropped.spool-full': 0 },
    ...fields,
  };
}

/** A spool with `batches` batches, all of one hour. */
function aSpool(spoolId: string, batches: number, bootId = 'boot1'): SpoolAccount {
  const hour = { bootId, hourMs: 10 * HOUR, first: 3, end: 3 + batches, batches };
  const counts = { kept: 100 * batches, dropped: 2, lost: 1 };
  return { spoolId, batches, samples: counts.kept, hours: batches === 0 ? [] : [{ ...hour, ...counts }] };
}

function aRecord(fields: Partial<BatchRecord>): BatchRecord {
  return {
    cluster: 'prod',
    node: 'n1',
    bootId: 'boot1',
    sequence: 0,
    samplesTaken: 100,
    samplesLost: 1,
    samplesDropped: 2,
    samplesKept: 97,
    firstWindow: 10 * HOUR,
    lastWindow: 10 * HOUR + 10_000,
    receivedAt: 10 * HOUR + 20_000,
    ...fields,
  };
}

const active = { displayName: 'Production', status: 'active', createdAt: 1 } as const;

/** What every Registry does. */
export function registryContract(name: string, make: MakeAdapter<Registry>): void {
  const it = (what: string, play: Parameters<typeof scenario<Registry, undefined>>[3]) =>
    scenario(`${name}: ${what}`, make, undefined, play);

  it('keeps clusters', async ({ port, another }) => {
    assert.equal(await port.createCluster({ cluster: 'prod', ...active }), 'created');
    assert.equal(await port.createCluster({ cluster: 'prod', ...active, displayName: 'Other' }), 'exists');
    assert.equal(await port.createCluster({ cluster: 'dev', ...active, status: 'disabled' }), 'created');
    await port.setClusterStatus('prod', 'disabled');
    const other = await another();
    assert.deepEqual(await other.getCluster('prod'), { cluster: 'prod', ...active, status: 'disabled' });
    assert.equal(await other.getCluster('nope'), undefined);
    assert.deepEqual(
      (await other.listClusters()).map((row) => row.cluster),
      ['dev', 'prod'],
    );
    await assertRejected(port.setClusterStatus('nope', 'active'), 'not-found');
    assert.equal(await other.replaceCluster({ cluster: 'nope', ...active }, 'active'), false);
    for (const cluster of ['', 'a/b', '..', 'a b']) {
      await assertRejected(port.createCluster({ cluster, ...active }), 'invalid');
    }
  });

  it('removes a cluster and takes it up again once, with its external ids', async ({ port, another }) => {
    const first = { cluster: 'prod', ...active, externalIds: ['id-1'] };
    assert.equal(await port.createCluster(first), 'created');
    await port.setClusterStatus('prod', 'removed');
    const other = await another();
    assert.deepEqual(await other.getCluster('prod'), { ...first, status: 'removed' });
    assert.equal(await port.createCluster(first), 'exists');
    const again = { cluster: 'prod', displayName: 'Again', status: 'active', createdAt: 9 } as const;
    const ids = ['id-2', 'id-1'];
    const answers = await Promise.all(
      [port, other, port].map((side) => side.replaceCluster({ ...again, externalIds: ids }, 'removed')),
    );
    assert.deepEqual(answers.sort(), [false, false, true]);
    assert.deepEqual(await other.listClusters(), [{ ...again, externalIds: ids }]);
    assert.equal(await other.replaceCluster(again, 'active'), true);
    assert.deepEqual(await port.getCluster('prod'), again, 'what is absent in the new record is gone');
  });

  it('keeps credentials, and lists them without secrets', async ({ port }) => {
    await port.createCluster({ cluster: 'prod', ...active });
    const first = { accessKeyId: 'AK1', secret: 's3cret/+=', cluster: 'prod', createdAt: 1 };
    await port.addCredential(first);
    await port.addCredential({ ...first, accessKeyId: 'AK0', createdAt: 2 });
    assert.deepEqual(await port.findCredential('AK1'), first);
    assert.equal(await port.findCredential('ak1'), undefined);
    await assertRejected(port.addCredential({ ...first, secret: 'other' }), 'invalid');
    await assertRejected(port.addCredential({ ...first, accessKeyId: 'AK2', cluster: 'nope' }), 'not-found');
    await assertRejected(port.addCredential({ ...first, accessKeyId: '' }), 'invalid');
    await assertRejected(port.addCredential({ ...first, accessKeyId: 'AK3', secret: '' }), 'invalid');
    assert.equal(await port.revokeCredential('AK1', 50), true);
    assert.equal(await port.revokeCredential('AK1', 60), false);
    assert.equal(await port.revokeCredential('nope', 60), false);
    assert.deepEqual(await port.findCredential('AK1'), { ...first, revokedAt: 50 });
  });

  it('brings a revocation forward, and never puts it off', async ({ port }) => {
    await port.createCluster({ cluster: 'prod', ...active });
    const first = { accessKeyId: 'AK1', secret: 's', cluster: 'prod', createdAt: 1 };
    await port.addCredential(first);
    await port.addCredential({ ...first, accessKeyId: 'AK0', createdAt: 2 });
    assert.equal(await port.revokeCredential('AK1', 4e12), true);
    assert.equal(await port.revokeCredential('AK1', 5e12), false);
    assert.equal(await port.revokeCredential('AK1', 4e12), false);
    assert.equal(await port.revokeCredential('AK1', 50), true);
    assert.deepEqual(await port.findCredential('AK1'), { ...first, revokedAt: 50 });
    assert.deepEqual(await port.listCredentials('prod'), [
      { accessKeyId: 'AK1', cluster: 'prod', createdAt: 1, revokedAt: 50 },
      { accessKeyId: 'AK0', cluster: 'prod', createdAt: 2 },
    ]);
    assert.deepEqual(await port.listCredentials('nope'), []);
  });

  it('keeps API tokens by hash', async ({ port }) => {
    const token = { tokenHash: 'ab12', name: 'grafana', scopes: ['profiles.read'], createdAt: 1 };
    await port.addApiToken(token);
    await port.addApiToken({ tokenHash: 'aa', name: 'ci', scopes: [], createdAt: 2 });
    await assertRejected(port.addApiToken({ ...token, name: 'thief' }), 'invalid');
    await assertRejected(port.addApiToken({ ...token, tokenHash: '' }), 'invalid');
    assert.deepEqual(await port.findApiToken('ab12'), token);
    assert.equal(await port.findApiToken('ab13'), undefined);
    assert.equal(await port.revokeApiToken('ab12', 9), true);
    assert.equal(await port.revokeApiToken('ab12', 10), false);
    assert.equal(await port.revokeApiToken('aa', 90), true);
    assert.equal(await port.revokeApiToken('aa', 80), true);
    assert.deepEqual(
      (await port.listApiTokens()).map(({ name, revokedAt }) => [name, revokedAt]),
      [
        ['grafana', 9],
        ['ci', 80],
      ],
    );
  });

  it('keeps the newest heartbeat of each agent', async ({ port }) => {
    await port.recordHeartbeat(aHeartbeat({ at: 1000 }));
    await port.recordHeartbeat(aHeartbeat({ at: 3000, bootId: 'boot2', lastError: 'no perf' }));
    await port.recordHeartbeat(aHeartbeat({ at: 2000, bootId: 'late' }));
    await port.recordHeartbeat(aHeartbeat({ at: 500, node: 'n0' }));
    await port.recordHeartbeat(aHeartbeat({ at: 400, cluster: 'dev' }));
    const n1 = { ...aHeartbeat({ at: 3000, bootId: 'boot2', lastError: 'no perf' }), firstSeenAt: 1000 };
    const n0 = { ...aHeartbeat({ at: 500, node: 'n0' }), firstSeenAt: 500 };
    assert.deepEqual(await port.listAgents('prod'), [n0, n1]);
    assert.deepEqual(
      (await port.listAgents()).map((agent) => `${agent.cluster}/${agent.node}`),
      ['dev/n1', 'prod/n0', 'prod/n1'],
    );
    await port.recordHeartbeat(aHeartbeat({ at: 4000 }));
    assert.equal((await port.listAgents('prod'))[1].lastError, undefined, 'an error that passed is gone');
    assert.equal(await port.forgetAgents(500), 1);
    assert.equal((await port.listAgents()).length, 2);
    await assertRejected(port.recordHeartbeat(aHeartbeat({ node: '' })), 'invalid');
    await assertRejected(port.recordHeartbeat(aHeartbeat({ at: Number.NaN })), 'invalid');
    await assertRejected(port.recordHeartbeat(aHeartbeat({ counters: { x: Infinity } })), 'invalid');
  });

  it('keeps what the spool of an agent holds, and what one held that another took the place of', async ({
    port,
    another,
  }) => {
    const spools = async () => {
      const [agent] = await (await another()).listAgents('prod');
      return [agent.spool, agent.formerSpools];
    };
    const beat = (at: number, spool?: SpoolAccount) => port.recordHeartbeat(aHeartbeat({ at, spool }));
    const two: SpoolAccount = aSpool('s1', 2);
    const hours = [
      ...two.hours,
      { ...two.hours[0], bootId: 'boot0', hourMs: 9 * HOUR, first: 900, end: 950 },
    ];
    await beat(1000, { ...two, hours });
    assert.deepEqual(await spools(), [{ ...two, hours }, undefined]);
    await beat(2000, aSpool('s1', 1));
    assert.deepEqual(await spools(), [aSpool('s1', 1), undefined]);
    await beat(1500, aSpool('late', 9));
    assert.deepEqual(await spools(), [aSpool('s1', 1), undefined], 'what is older changes nothing');
    await beat(3000, aSpool('s2', 0));
    const s1 = { ...aSpool('s1', 1), at: 2000, bootId: 'boot1' };
    assert.deepEqual(await spools(), [aSpool('s2', 0), [s1]]);
    await beat(4000, aSpool('s3', 3));
    assert.deepEqual(await spools(), [aSpool('s3', 3), [s1]], 'an empty one is not missed');
    await beat(5000, aSpool('s1', 4));
    const s3 = { ...aSpool('s3', 3), at: 4000, bootId: 'boot1' };
    assert.deepEqual(await spools(), [aSpool('s1', 4), [s3]], 'what came back is no former one');
    await beat(6000, aSpool('s4', 1));
    assert.equal(await port.forgetAgents(5000), 0);
    const s1Again = { ...aSpool('s1', 4), at: 5000, bootId: 'boot1' };
    assert.deepEqual(await spools(), [aSpool('s4', 1), [s1Again]], 'former ones are forgotten by their age');
    await beat(7000);
    assert.deepEqual(await spools(), [undefined, [s1Again]], 'an agent that does not say');
    await beat(8000, aSpool('s5', 1));
    await beat(9000, aSpool('s1', 1));
    for (let i = 0; i < 10; i++) await beat(10_000 + i, aSpool(`t${i}`, 1));
    const former = (await spools())[1] as { spoolId: string }[];
    assert.deepEqual(
      former.map(({ spoolId }) => spoolId),
      ['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8'],
    );
    await port.forgetAgents(10_009);
    assert.deepEqual(await spools(), [aSpool('t9', 1), undefined]);
  });

  it('lists the batches of a boot and an hour one by one', async ({ port, another }) => {
    const quarter = HOUR / 4;
    const records = [5, 3, 40, 4].map((sequence, i) =>
      aRecord({ sequence, firstWindow: 10 * HOUR + i * quarter + 7, samplesKept: sequence }),
    );
    for (const record of records) await port.recordBatch(record);
    await port.recordBatch(aRecord({ sequence: 5, firstWindow: records[0].firstWindow, samplesKept: 5 }));
    await port.recordBatch(aRecord({ sequence: 2, firstWindow: 10 * HOUR - 1 }));
    await port.recordBatch(aRecord({ sequence: 41, firstWindow: 11 * HOUR }));
    for (const other of [{ bootId: 'boot10' }, { node: 'n10' }, { cluster: 'dev' }])
      await port.recordBatch(aRecord({ sequence: 6, ...other }));
    const boot = { cluster: 'prod', node: 'n1', bootId: 'boot1' };
    const listed = await (await another()).listBootBatches({ ...boot, hour: 10 * HOUR });
    assert.deepEqual(
      listed,
      records.toSorted((a, b) => a.sequence - b.sequence),
    );
    assert.deepEqual(await port.listBootBatches({ ...boot, hour: 12 * HOUR }), []);
  });

  it('records a batch once, and the first content stays', async ({ port, another }) => {
    const other = await another();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 ? port : other).recordBatch(aRecord({ receivedAt: 10 * HOUR + i })),
      ),
    );
    assert.deepEqual(answers.sort(), [...Array(7).fill('duplicate'), 'recorded']);
    for (const changed of [
      { samplesTaken: 1 },
      { samplesLost: 9 },
      { samplesKept: 1 },
      { lastWindow: 10 * HOUR },
    ]) {
      assert.equal(await port.recordBatch(aRecord(changed)), 'conflict');
    }
    const [boot] = await port.listBatchSequences({ from: 0, until: 1e12 });
    assert.deepEqual(boot.hours, [
      {
        ...{ hour: 10 * HOUR, batches: 1, duplicates: 7 },
        ...{ samplesTaken: 100, samplesLost: 1, samplesDropped: 2, samplesKept: 97 },
      },
    ]);
    for (const broken of [
      { node: '' },
      { sequence: -1 },
      { samplesKept: 0.5 },
      { firstWindow: Number.NaN },
    ]) {
      await assertRejected(port.recordBatch(aRecord(broken)), 'invalid');
    }
  });

  it('compresses sequences to ranges and sums by hour', async ({ port }) => {
    for (const sequence of [5, 0, 2, 1, 9, 8]) {
      const firstWindow = 10 * HOUR + sequence * (HOUR / 4);
      await port.recordBatch(
        aRecord({ sequence, firstWindow, lastWindow: firstWindow, receivedAt: 1e9 + sequence }),
      );
    }
    await port.recordBatch(aRecord({ bootId: 'boot0', sequence: 7 }));
    await port.recordBatch(aRecord({ cluster: 'dev', sequence: 3 }));
    const counts = (hour: number, batches: number) => ({
      hour: hour * HOUR,
      batches,
      duplicates: 0,
      samplesTaken: 100 * batches,
      samplesLost: batches,
      samplesDropped: 2 * batches,
      samplesKept: 97 * batches,
    });
    const boot1 = {
      cluster: 'prod',
      node: 'n1',
      bootId: 'boot1',
      sequences: [
        { first: 0, end: 3, since: 10 * HOUR },
        { first: 5, end: 6, since: 11.25 * HOUR },
        { first: 8, end: 10, since: 12 * HOUR },
      ],
      hours: [counts(10, 3), counts(11, 1), counts(12, 2)],
      lastReceivedAt: 1e9 + 9,
    };
    const found = await port.listBatchSequences({ cluster: 'prod', from: 0, until: 1e12 });
    assert.deepEqual(found[1], boot1);
    assert.deepEqual(
      found.map((boot) => boot.bootId),
      ['boot0', 'boot1'],
    );
    assert.deepEqual(
      (await port.listBatchSequences({ from: 0, until: 1e12 })).map((boot) => boot.cluster),
      ['dev', 'prod', 'prod'],
    );
    const [eleven] = await port.listBatchSequences({ cluster: 'prod', from: 11 * HOUR, until: 12 * HOUR });
    assert.deepEqual(eleven.sequences, [{ first: 5, end: 6, since: 11.25 * HOUR }]);
    assert.deepEqual(eleven.hours, [counts(11, 1)]);
    const steps = { cluster: 'prod', from: 10.5 * HOUR, until: 13 * HOUR, stepMs: HOUR / 2 };
    const [finer] = await port.listBatchSequences(steps);
    assert.deepEqual(finer.hours, [counts(10.5, 1), counts(11, 1), counts(12, 2)]);
    assert.deepEqual(await port.listBatchSequences({ cluster: 'nope', from: 0, until: 1e12 }), []);
  });

  it('forgets batches by arrival', async ({ port }) => {
    await port.recordBatch(aRecord({ sequence: 0, receivedAt: 100 }));
    await port.recordBatch(aRecord({ sequence: 1, receivedAt: 200 }));
    assert.equal(await port.forgetBatches(200), 1);
    const [boot] = await port.listBatchSequences({ from: 0, until: 1e12 });
    assert.deepEqual(boot.sequences, [{ first: 1, end: 2, since: 10 * HOUR }]);
  });

  it('keeps settings and counts', async ({ port, another }) => {
    const other = await another();
    assert.equal(await port.setting('hub'), undefined);
    await port.putSetting('hub', 'a');
    await port.putSetting('hub', '');
    assert.equal(await other.setting('hub'), '');
    const counts = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? port : other).nextCount('boot')),
    );
    assert.deepEqual(
      counts.sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    assert.equal(await port.setting('boot'), undefined);
  });
}

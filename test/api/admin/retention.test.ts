import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactBlocks } from '../../../pipeline/compact-blocks.ts';
import { quarantineGroup } from '../../../pipeline/compaction-quarantine.ts';
import { ingestBatch } from '../../../pipeline/ingest-batch.ts';
import type { RowSpec } from '../../core/block/fixtures.ts';
import { batchOf } from '../../pipeline/fixtures.ts';
import { type ApiUnderTest, CPU, type Json, NOW, openApi } from '../api-under-test.ts';

const DAY = 24 * 3_600_000;

async function admin(api: ApiUnderTest, method: string, request: object): Promise<Json> {
  const { status, body } = await api.call(`/cinderblock.v1.AdminService/${method}`, request);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

async function refused(api: ApiUnderTest, method: string, request: object): Promise<string> {
  const { status, body } = await api.call(`/cinderblock.v1.AdminService/${method}`, request);
  assert.equal(status, 400, JSON.stringify(body));
  return body.message;
}

let sequence = 0;

async function store(api: ApiUnderTest, rows: readonly RowSpec[]): Promise<void> {
  await ingestBatch(api.hub, { cluster: 'c', bytes: batchOf(++sequence, rows) });
  await api.process();
}

async function samplesOf(api: ApiUnderTest, service: string): Promise<number> {
  const { body } = await api.call('/cinderblock.v1.QueryService/SelectTimeline', {
    ...{ start: NOW - DAY, end: NOW + DAY, maxPoints: 10, profileType: CPU },
    selector: `{service_name="${service}"}`,
  });
  return body.points.reduce((sum: number, point: Json) => sum + Number(point.samples), 0);
}

test('policies are kept as they were set, and wrong ones are refused by name', async (t) => {
  const api = await openApi(t, { openAdmin: true });
  const before = await admin(api, 'GetRetention', {});
  assert.deepEqual(before.policies, []);
  assert.equal(before.fallback.rawMs, String(14 * DAY));
  assert.equal(before.rawKeepMinMs, String(84 * 3_600_000 + DAY));
  const keep = { rawMs: String(5 * DAY), fiveMinutesMs: String(6 * DAY), hourMs: String(7 * DAY) };
  const policies = [{ selector: '{cluster="dev"}', keep }];
  assert.deepEqual((await admin(api, 'SetRetention', { policies })).policies, policies);
  assert.deepEqual((await admin(api, 'GetRetention', {})).policies, policies);
  const short = { ...keep, rawMs: String(DAY) };
  assert.match(
    await refused(api, 'SetRetention', { policies: [{ selector: '{cluster="x"}', keep: short }] }),
    /policy \{cluster="x"\}.*at least 108 hours/,
  );
  assert.match(
    await refused(api, 'SetRetention', { policies: [{ selector: '{cluster="x"}' }] }),
    /does not say/,
  );
  assert.match(
    await refused(api, 'SetRetention', { policies: [{ selector: '{pod="x"}', keep }] }),
    /not pod/,
  );
  assert.deepEqual((await admin(api, 'GetRetention', {})).policies, policies, 'nothing changed');
});

test('retention says what it would drop, and drops it', async (t) => {
  const api = await openApi(t, { openAdmin: true });
  await store(api, [{ service: 'shop', stacks: { a: 3 }, samples: 3 }]);
  assert.equal((await admin(api, 'ApplyRetention', { dryRun: true })).expiredBlocks, '0');
  api.control.now += 15 * DAY;
  const planned = await admin(api, 'ApplyRetention', { dryRun: true });
  assert.equal(planned.expiredBlocks, '1');
  assert.ok(Number(planned.expiredBytes) > 0);
  assert.equal(await samplesOf(api, 'shop'), 3, 'a dry run drops nothing');
  assert.equal((await admin(api, 'ApplyRetention', {})).expiredBlocks, '1');
  assert.equal(await samplesOf(api, 'shop'), 0);
});

test('a deletion takes effect at once, and its listing says how far it is', async (t) => {
  const api = await openApi(t, { openAdmin: true });
  await store(api, [
    { service: 'shop', stacks: { a: 3 }, samples: 3 },
    { service: 'cart', stacks: { a: 4 }, samples: 4 },
  ]);
  const request = {
    selector: '{service_name="shop"}',
    start: NOW - DAY,
    end: NOW,
    reason: 'asked for by the owner',
  };
  const dry = await admin(api, 'DeleteProfiles', { ...request, dryRun: true });
  assert.deepEqual(dry, { id: '', samples: '3', blocks: '1', complete: true, outOfReachBlocks: '0' });
  assert.equal(await samplesOf(api, 'shop'), 3);
  const { id, samples } = await admin(api, 'DeleteProfiles', request);
  assert.equal(samples, '3');
  assert.equal(await samplesOf(api, 'shop'), 0);
  assert.equal(await samplesOf(api, 'cart'), 4);
  const [listed] = (await admin(api, 'ListDeletions', { verify: id })).deletions;
  assert.deepEqual(
    [listed.id, listed.reason, listed.pendingBlocks, listed.deletedRows, listed.check.rows],
    [id, request.reason, '1', '0', '1'],
  );
  assert.match(await refused(api, 'DeleteProfiles', { ...request, selector: '{}' }), /delete everything/);
  assert.match(await refused(api, 'DeleteProfiles', { ...request, reason: '' }), /reason/);
  assert.match(await refused(api, 'DeleteProfiles', { ...request, end: NOW + DAY }), /at the latest/);
  assert.match(await refused(api, 'DeleteProfiles', { ...request, start: '9223372036854775807' }), /range/);
  const { status } = await api.call('/cinderblock.v1.AdminService/ListDeletions', { verify: 'none' });
  assert.equal(status, 404);
});

test('compaction is planned, run and reported, and a group is let out of quarantine', async (t) => {
  const api = await openApi(t, { openAdmin: true });
  for (let i = 0; i < 3; i++) await store(api, [{ service: 'shop', stacks: { a: 3 }, samples: 3 }]);
  api.control.now += 3 * 3_600_000;
  const { jobs } = await admin(api, 'PlanCompaction', {});
  assert.deepEqual([jobs.length, jobs[0].step, jobs[0].blockIds.length], [1, 'close', 3]);
  await quarantineGroup(api.hub, { group: jobs[0].group, blockIds: [] }, 'it was damaged');
  const resting = await admin(api, 'GetCompactionStatus', {});
  assert.deepEqual([resting.plannedJobs, resting.quarantined[0].reason], ['0', 'it was damaged']);
  await admin(api, 'ReleaseCompactionGroup', { group: jobs[0].group });
  const { status } = await api.call('/cinderblock.v1.AdminService/ReleaseCompactionGroup', { group: 'x' });
  assert.equal(status, 404);
  const ran = await admin(api, 'RunCompaction', { group: jobs[0].group });
  assert.deepEqual([ran.jobs, ran.blocksIn, ran.blocksOut, ran.left], ['1', '3', '3', '0']);
  const { counts, markedBlocks } = await admin(api, 'GetCompactionStatus', {});
  assert.deepEqual(
    counts.map((one: Json) => [one.level, one.resolutionSeconds, one.blocks]),
    [
      [1, 0, '1'],
      [1, 300, '1'],
      [1, 3600, '1'],
    ],
  );
  assert.equal(markedBlocks, '3');
  assert.match(await refused(api, 'RunCompaction', { jobsMax: 1000 }), /from 1 to 100/);
});

test('orphans and damage are told', async (t) => {
  const api = await openApi(t, { openAdmin: true });
  await store(api, [{ service: 'shop', stacks: { a: 3 }, samples: 3 }]);
  await compactBlocks(api.hub);
  const swept = await admin(api, 'SweepOrphans', { dryRun: true });
  assert.deepEqual([swept.objects, swept.rows, swept.orphans, swept.missing], ['1', '1', [], []]);
  const [{ key }] = await api.hub.objects.list('', { limit: 1 });
  await api.hub.objects.delete(key);
  const { damaged, finished, blocks } = await admin(api, 'ScrubBlocks', {});
  assert.deepEqual([finished, blocks, damaged[0].kind], [true, '1', 'missing']);
  assert.equal((await admin(api, 'SweepOrphans', {})).missing[0], damaged[0].blockId);
  assert.match(await refused(api, 'ScrubBlocks', { bytesMax: '0' }), /from 1/);
});

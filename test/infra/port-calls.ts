// What each function asks of its ports, found out by running it: every route, and every way that a batch may go.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { adminRoutes } from '../../api/admin/admin-routes.ts';
import { healthRoutes } from '../../api/health-routes.ts';
import { queryRoutes } from '../../api/query/query-routes.ts';
import { adminHandler } from '../../functions/admin.ts';
import { authorizerHandler } from '../../functions/authorizer.ts';
import { plannerHandler } from '../../functions/compaction-planner.ts';
import { compactionHandler } from '../../functions/compaction-worker.ts';
import { HOUSEKEEPING, type HousekeepingTask } from '../../functions/environment.ts';
import { housekeeperHandler } from '../../functions/housekeeper.ts';
import { ingestHandler } from '../../functions/ingest.ts';
import { processorHandler } from '../../functions/processor.ts';
import { queryHandler } from '../../functions/query.ts';
import { copyJob, requestRewrite } from '../../pipeline/block-rewrites.ts';
import { compactBlocks, DELETION_GRACE_MS } from '../../pipeline/compact-blocks.ts';
import { quarantineGroup } from '../../pipeline/compaction-quarantine.ts';
import { deleteProfiles } from '../../pipeline/delete-profiles.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { toJobMessage } from '../../pipeline/job-message.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { quarantineBatch } from '../../pipeline/quarantine.ts';
import { setRetention } from '../../pipeline/retention-policies.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { MAX_INLINE_BYTES } from '../../storage/batch-queue.ts';
import { inboxKey } from '../../storage/names.ts';
import { pprofOf } from '../api/pprof-fixture.ts';
import { CPU } from '../core/block/fixtures.ts';
import {
  agentOf,
  callerWith,
  contextOf,
  httpEvent,
  jobsEvent,
  json,
  openFunctionHub,
  sqsEvent,
} from '../functions/function-events.ts';
import { invokedWorkers } from '../functions/invoked-workers.ts';
import { batchOf, NOW } from '../pipeline/fixtures.ts';

const PORTS = ['objects', 'catalog', 'queue', 'registry', 'leases'] as const;

/**
 * The same hub; each call of a port is noted as `registry.getCluster`, those that roles may make of some names alone with
 * what these begin with: `objects.put inbox`, `leases.acquire scrub`, `registry.setting tombstones`.
 */
function noting(hub: Hub, calls: Set<string>): Hub {
  return { ...hub, ...Object.fromEntries(PORTS.map((name) => [name, notingPort(name, hub[name], calls)])) };
}

function notingPort<Port extends object>(name: string, port: Port, calls: Set<string>): Port {
  return new Proxy(port, {
    get(target, property) {
      const member = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const isNamed = name === 'objects' || name === 'leases' || /^(putS|s)etting$/.test(String(property));
        const where = isNamed ? ` ${String(args[0]).split('/')[0]}` : '';
        calls.add(`${name}.${String(property)}${where}`);
        return member.apply(target, args);
      };
    },
  });
}

async function open(t: TestContext) {
  const under = await openFunctionHub(t);
  const calls = new Set<string>();
  const hub = noting(under.hub, calls);
  return { hub: under.hub, calls, openNoted: () => ({ ...under.open(), hub }) };
}

/** Three blocks, whose large queries are shared with a worker. */
async function openSharing(t: TestContext) {
  const { hub, calls, openNoted } = await open(t);
  for (const sequence of [1, 2, 3]) {
    await ingestBatch(hub, { cluster: 'c', bytes: smallBatch(sequence) });
    await processBatches(hub);
  }
  await spoolPartly(hub, 'c', NOW);
  const workerCalls = new Set<string>();
  const openWorker = () => ({ ...openNoted(), hub: noting(hub, workerCalls) });
  const queryWorkers = notingPort('workers', invokedWorkers(openWorker, 1), calls);
  const settings = { ...hub.settings, queryFanOutBytes: 1 };
  const openShared = () => ({ ...openNoted(), hub: { ...openNoted().hub, settings, queryWorkers } });
  return { hub, calls, openNoted: openShared, workerCalls };
}

const messageOf = (sequence: number, content: { payload: Uint8Array } | { objectKey: string }) => ({
  ...{ batchId: `c/n/b/${sequence}`, tenant: 'default', cluster: 'c', receivedAt: NOW },
  ...content,
});
const smallBatch = (sequence: number) => batchOf(sequence, [{ stacks: { 'main;work': 1 }, samples: 1 }]);
const POISON = smallBatch(9).slice(0, 40);

/** Names that no compression makes small. */
function longBatch(): Uint8Array {
  let seed = 1;
  const name = () =>
    Array.from({ length: 60 }, () => ((seed = (seed * 48271) % 2147483647) % 36).toString(36)).join('');
  const batch = batchOf(8, [{ stacks: Object.fromEntries(Array.from({ length: 9000 }, () => [name(), 1])) }]);
  assert.ok(batch.length > MAX_INLINE_BYTES, String(batch.length));
  return batch;
}

const DAY = 24 * 3_600_000;

/** Of a day that is sealed by now. */
const oldBatch = (sequence: number) =>
  batchOf(sequence, [{ start: NOW - 6 * DAY, stacks: { main: 1 }, samples: 1 }]);
const JSON_BODY = { 'content-type': 'application/json' };

export const PORT_CALLS: Record<string, (t: TestContext) => Promise<Set<string>>> = {
  async Ingest(t) {
    const { calls, openNoted } = await open(t);
    const handler = ingestHandler(openNoted);
    const send = async (
      path: string,
      body: Uint8Array | string,
      authorizer: ReturnType<typeof callerWith | typeof agentOf>,
    ) => {
      const result = await handler(httpEvent(path, { body, authorizer, headers: {} }), contextOf());
      assert.ok(result.statusCode < 300, `${path}: ${result.statusCode} ${result.body}`);
    };
    await send('/v1/clusters/c/batches', smallBatch(1), agentOf('c'));
    await send('/v1/clusters/c/batches', longBatch(), agentOf('c'));
    const heartbeat = JSON.stringify({ node: 'n', bootId: 'b', version: '1', engine: 'perf' });
    await send('/v1/clusters/c/heartbeat', heartbeat, agentOf('c'));
    const pprof = pprofOf({ stacks: { main: [1] }, timeMs: NOW - 1000, durationMs: 1000 });
    await send(
      `/ingest?name=shop&format=pprof&from=${NOW / 1000 - 10}&until=${NOW / 1000}`,
      pprof,
      callerWith('ingest'),
    );
    return calls;
  },

  async Processor(t) {
    const { hub, calls, openNoted } = await open(t);
    const objectKey = inboxKey('default', 'c', 'b2');
    await hub.objects.put(objectKey, smallBatch(2));
    await sealOldDay(hub);
    const messages = [
      messageOf(7, { payload: oldBatch(7) }),
      messageOf(1, { payload: smallBatch(1) }),
      messageOf(2, { objectKey }),
      messageOf(9, { payload: POISON }),
    ];
    const { batchItemFailures } = await processorHandler(openNoted)(sqsEvent(messages as never), contextOf());
    assert.deepEqual(batchItemFailures, []);
    return calls;
  },

  async Query(t) {
    const { calls, openNoted } = await openSharing(t);
    const handler = queryHandler(openNoted);
    const range = { start: NOW - 3_600_000, end: NOW, from: NOW - 3_600_000, until: NOW };
    const selection = {
      profileTypeID: CPU,
      profileType: CPU,
      labelSelector: '{}',
      selector: '{}',
      name: 'service_name',
    };
    const body = JSON.stringify({
      ...range,
      ...selection,
      step: 60,
      groupBy: ['service_name'],
      cluster: 'c',
    });
    const parameters = { profile_type: CPU, query: `${CPU}{}`, selector: '{}', label: 'service_name' };
    const search = new URLSearchParams({
      ...parameters,
      from: 'now-1h',
      start: String(range.start),
      end: String(NOW),
    });
    const authorizer = callerWith('query');
    let answered = 0;
    for (const { method, path } of [...healthRoutes('1'), ...queryRoutes()]) {
      const event = httpEvent(`${path}?${search}`, {
        method,
        authorizer,
        headers: JSON_BODY,
        ...(method === 'POST' ? { body } : {}),
      });
      const { statusCode } = await handler(event, contextOf());
      assert.notEqual(statusCode, 500, path);
      if (statusCode === 200) answered++;
    }
    assert.ok(answered >= 12, `${answered} routes answered`);
    return calls;
  },

  async QueryWorker(t) {
    const { hub, openNoted, workerCalls } = await openSharing(t);
    await selectTree({ ...openNoted().hub }, { profileType: CPU, selector: '{}', start: 0, end: NOW });
    assert.ok(workerCalls.size > 0, hub.tenant);
    return workerCalls;
  },

  async Admin(t) {
    const { hub, calls, openNoted } = await open(t);
    const handler = adminHandler(openNoted);
    const answers = new Map<string, { statusCode: number; body: string }>();
    const call = async (method: string, message: object) => {
      const options = {
        body: JSON.stringify(message),
        headers: JSON_BODY,
        authorizer: callerWith('query admin'),
      };
      const result = await handler(httpEvent(`/cinderblock.v1.AdminService/${method}`, options), contextOf());
      assert.equal(result.statusCode, 200, `${method}: ${result.body}`);
      answers.set(method, result);
      return json(result);
    };
    await call('AddCluster', { cluster: 'edge' });
    await call('ListClusters', {});
    await ingestBatch(hub, { cluster: 'c', bytes: smallBatch(3) });
    await spoolPartly(hub, 'c', NOW);
    await call('GetCluster', { cluster: 'c' });
    await call('RotateCluster', { cluster: 'edge' });
    await call('DisableCluster', { cluster: 'edge' });
    await call('EnableCluster', { cluster: 'edge' });
    await call('RemoveCluster', { cluster: 'edge' });
    await call('AddCluster', { cluster: 'edge' });
    const { info } = await call('IssueToken', { name: 'grafana', scopes: ['query'] });
    await call('ListTokens', {});
    await call('RevokeToken', { token: info.id });
    await call('GetQueue', {});
    await call('RedriveDeadLetters', { all: true });
    await call('RedriveDeadLetters', { ids: ['1'] });
    await call('DiscardDeadLetters', { all: true });
    await call('DiscardDeadLetters', { ids: ['1'] });
    for (const bytes of [POISON, longBatch()]) await quarantined(hub, bytes);
    const { batches } = await call('ListQuarantine', {});
    for (const { id } of batches) await call('RequeueQuarantined', { id });
    await quarantined(hub, POISON);
    const [again] = (await call('ListQuarantine', {})).batches;
    await call('DiscardQuarantined', { id: again.id });
    const keep = { rawMs: 14 * 86_400_000, fiveMinutesMs: 20 * 86_400_000, hourMs: 30 * 86_400_000 };
    await call('GetRetention', {});
    await call('SetRetention', { policies: [{ selector: '{cluster=~"dev.*"}', keep }] });
    await call('ApplyRetention', { dryRun: true });
    await fillOldHour(hub);
    const deletion = { selector: '{cluster="c"}', start: 0, end: NOW, reason: 'test' };
    const { id } = await call('DeleteProfiles', deletion);
    await call('ListDeletions', { verify: id });
    await call('ListBlocks', {});
    await call('SweepOrphans', { dryRun: true });
    await call('ScrubBlocks', {});
    await call('ListQuarantinedBlocks', {});
    for (const row of await hub.catalog.find({ tenant: hub.tenant, from: 0, until: NOW })) {
      const blockId = row.blockId;
      await call('QuarantineBlock', { blockId, reason: 'test' });
      await call('RestoreBlock', { blockId });
      await call('RewriteBlock', { blockId, dryRun: true });
      await call('RewriteBlock', { blockId });
      await call('ListBlockRewrites', {});
      await call('QuarantineBlock', { blockId, reason: 'test' });
      await call('DiscardBlock', { blockId });
      break;
    }
    await call('PlanCompaction', { all: true });
    await call('RunCompaction', { group: 'none' });
    await call('GetCompactionStatus', {});
    await quarantineGroup(hub, { group: 'hour-1', blockIds: ['a'] }, 'test');
    await call('ReleaseCompactionGroup', { group: 'hour-1' });
    const methods = adminRoutes().map(({ path }) => path.split('/').at(-1)!);
    assert.deepEqual([...answers.keys()].sort(), [...new Set(methods)].sort(), 'every method is called');
    return calls;
  },

  async CompactionPlanner(t) {
    const { hub, calls, openNoted } = await open(t);
    await fillOldHour(hub);
    // Too long for one message, so that its group is set aside.
    const rows = await hub.catalog.find({ tenant: 'default', from: 0, until: NOW });
    const many = Array.from({ length: 4000 }, (_, i) => ({
      ...rows[0]!,
      blockId: `${rows[0]!.blockId}${i}`,
    }));
    const isLong: Hub['catalog'] = {
      ...hub.catalog,
      find: async ({ from, until }) => many.filter(({ minTime }) => minTime >= from && minTime < until),
    };
    for (const catalog of [hub.catalog, isLong]) {
      const noted = openNoted();
      const jobs = notingPort('jobs', { send: async () => {}, waiting: async () => 0 }, calls);
      const handler = plannerHandler(() => ({ ...noted, hub: noting({ ...hub, catalog }, calls), jobs }));
      await handler({ scope: 'all' }, contextOf());
    }
    return calls;
  },

  async CompactionWorker(t) {
    const { hub, calls, openNoted } = await open(t);
    const handler = compactionHandler(openNoted);
    await fillOldHour(hub);
    await deleteSome(hub);
    const [row] = await hub.catalog.find({ tenant: hub.tenant, from: 0, until: NOW });
    await requestRewrite(hub, { blockId: row!.blockId, salvage: false });
    await handler(jobsEvent([toJobMessage(copyJob({ blockId: row!.blockId, salvage: false }))]), contextOf());
    const [job] = (await planJobs(hub, 'recent')).jobs;
    const event = jobsEvent([toJobMessage(job!)]);
    // Until it deletes what it stored because time is up; then until it is done.
    for (let allowed = 1; ; allowed++) {
      let asked = 0;
      const getRemainingTimeInMillis = () => (++asked > allowed ? 0 : 900_000);
      await handler(event, { ...contextOf(), getRemainingTimeInMillis });
      if (asked <= allowed) break;
    }
    // Seals what came after its day was sealed.
    await sealOldDay(hub);
    await storeOld(hub, 8);
    const { jobs } = await planJobs(hub, 'all');
    await handler(
      jobsEvent(jobs.filter(({ step }) => step === 'seal').map(toJobMessage)),
      contextOf(900_000),
    );
    return calls;
  },

  async CompactionHousekeeper(t) {
    const { hub, calls, openNoted } = await open(t);
    await fillOldHour(hub);
    await compactBlocks(hub);
    // Sealed blocks that lose what was deleted, and some of their series.
    const keepMs = { raw: 5 * DAY, fiveMinutes: 5 * DAY, hour: 5 * DAY };
    await setRetention(hub, [{ selector: '{cluster="other"}', keepMs }]);
    await deleteSome(hub);
    await ingestBatch(hub, { cluster: 'c', bytes: smallBatch(3) });
    await spoolPartly(hub, 'c', NOW - 8 * DAY);
    const later = () => ({
      ...openNoted(),
      hub: { ...openNoted().hub, clock: () => NOW + DELETION_GRACE_MS + 1 },
    });
    for (const task of Object.keys(HOUSEKEEPING) as HousekeepingTask[])
      assert.deepEqual(await housekeeperHandler(later)({ task }, contextOf(900_000)), { done: true });
    // Objects are dated by the disk.
    await sealOldDay(hub);
    const late = () => ({ ...openNoted(), hub: { ...openNoted().hub, clock: () => Date.now() + 30 * DAY } });
    await housekeeperHandler(late)({ task: 'sweep-orphans' }, contextOf(900_000));
    assert.ok(calls.has('objects.delete sealed'));
    return calls;
  },

  async Authorizer(t) {
    const { calls, openNoted } = await open(t);
    const { hub, telemetry } = openNoted();
    const gate = { registry: hub.registry, clock: hub.clock, telemetry, verifyPerson: async () => undefined };
    const handler = authorizerHandler(() => gate);
    await handler({ headers: { authorization: 'Bearer token' } }, contextOf());
    return calls;
  },
};

/** An agent says that it has two batches, of which the hub has one. */
async function spoolPartly(hub: Hub, cluster: string, at: number): Promise<void> {
  const hourMs = NOW - 3_600_000;
  const counts = { batches: 2, kept: 2, dropped: 0, lost: 0 };
  const spool = {
    ...{ spoolId: 's', batches: 2, samples: 2 },
    hours: [{ bootId: 'b', hourMs, first: 3, end: 5, ...counts }],
  };
  const agent = { cluster, node: 'n', bootId: 'b', version: '1', engine: 'perf', clockSkewMs: 0 };
  await hub.registry.recordHeartbeat({ ...agent, at, counters: {}, spool });
}

async function storeOld(hub: Hub, ...sequences: number[]): Promise<void> {
  for (const sequence of sequences)
    await hub.queue.send(messageOf(sequence, { payload: oldBatch(sequence) }));
  await processBatches(hub);
}

async function sealOldDay(hub: Hub): Promise<void> {
  await storeOld(hub, 7);
  await compactBlocks(hub, 'all');
  assert.equal((await hub.objects.list('sealed/', { limit: 2 })).length, 1);
}

/** Deletes a part of what fillOldHour stores. */
async function deleteSome(hub: Hub): Promise<void> {
  const start = NOW - 3 * 3_600_000;
  await deleteProfiles(hub, { selector: '{cluster="c"}', start, end: start + 90_000, reason: 'test' });
}

/** Blocks of an hour that is over. */
async function fillOldHour(hub: Hub): Promise<void> {
  for (let i = 1; i <= 4; i++) {
    const start = NOW - 3 * 3_600_000 + i * 60_000;
    await ingestBatch(hub, { cluster: 'c', bytes: batchOf(i, [{ stacks: { main: i }, start }]) });
    await processBatches(hub);
  }
}

async function quarantined(hub: Hub, payload: Uint8Array): Promise<void> {
  const objectKey = inboxKey('default', 'c', 'b9');
  const isLong = payload.length > MAX_INLINE_BYTES;
  if (isLong) await hub.objects.put(objectKey, payload);
  await hub.queue.send(messageOf(9, isLong ? { objectKey } : { payload }));
  const [received] = await hub.queue.receive({ max: 1, visibilityMs: 1000 });
  await quarantineBatch(hub, received!, new Error('test'));
}

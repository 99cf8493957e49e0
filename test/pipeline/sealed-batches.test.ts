// Batches that come after their day was sealed: from a queue that was stuck, or as dead letters that are put back.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SealedBatchesBuilder } from '../../core/batch/sealed-batches.ts';
import {
  compactBlocks,
  DELETION_GRACE_MS,
  deleteMarkedBlocks,
  runCompactionJob,
} from '../../pipeline/compact-blocks.ts';
import { deleteProfiles } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { listQuarantine, quarantineBatch, requeueQuarantined } from '../../pipeline/quarantine.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { keepSealedBatches } from '../../pipeline/sealed-batches.ts';
import { INBOX_AGE_MS, ORPHAN_AGE_MS, sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import { parseSealedKey, sealedKey, sealedPrefix } from '../../storage/names.ts';
import { batchOf, NOW, openHub, type TestHub } from './fixtures.ts';
import { ask, expected, publishRows, type WindowRow } from './fleet-history.ts';
import { type LateHub, lateHub } from './late-batches.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;
/** Of the tests' day, for windows that start in it. */
const SEALED_AT = START + DAY + 84 * HOUR;
const QUESTION = { start: START, end: START + 3 * DAY, service: 'shop', maxPoints: 240 };
const STEP = roundStep((QUESTION.end - QUESTION.start) / QUESTION.maxPoints);

function windows(sequence: number, start: number, services: readonly string[] = ['shop']): WindowRow[] {
  return services.map((service) => ({
    ...{ service, pod: 'p0', start, duration: 10_000, batch: `c/n/b/${sequence}`, samples: sequence },
    stacks: { 'main;a': sequence * 10_000_000 },
  }));
}

async function settle(hub: LateHub): Promise<void> {
  while (hub.waiting > 0) await processBatches(hub);
  for (let round = 0; round < 4; round++) await compactBlocks(hub, 'all');
}

async function assertHolds(hub: Hub, rows: readonly WindowRow[], when: string): Promise<void> {
  assert.deepEqual(await ask(hub, QUESTION), expected(rows, QUESTION, STEP), when);
}

/** A day with three batches, sealed. */
async function sealedHub(): Promise<{ hub: LateHub; rows: WindowRow[] }> {
  const hub = lateHub(START + HOUR);
  const batches = [1, 2, 3].map((sequence) =>
    windows(sequence, START + sequence * 600_000, ['shop', 'cart']),
  );
  for (const batch of batches) hub.send(batch);
  hub.now = START + 3 * HOUR;
  await settle(hub);
  hub.now = SEALED_AT;
  await settle(hub);
  assert.deepEqual(batchIdsIn(await rowsOf(hub)), []);
  return { hub, rows: batches.flat() };
}

const rowsOf = (hub: Hub) => hub.catalog.find({ tenant: 'default', from: 0, until: SEALED_AT });
const batchIdsIn = (rows: { batchIds: string[] }[]) =>
  rows.flatMap(({ batchIds }) => batchIds.filter((entry) => entry.split('/').length > 2));
const sealedIn = async (hub: Hub) =>
  (await hub.objects.list(sealedPrefix('default'), { limit: 1000 })).map(({ key }) => key);

/** The same hub, and the calls of its ports so far. */
function noting(hub: LateHub): { noted: Hub; calls: string[] } {
  const calls: string[] = [];
  const port = <Port extends object>(name: string, of: Port): Port =>
    new Proxy(of, {
      get(target, property) {
        const member = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          const where = name === 'objects' ? ` ${String(args[0]).split('/')[0]}` : '';
          calls.push(`${name}.${String(property)}${where}`);
          return member.apply(target, args);
        };
      },
    });
  const ports = { objects: port('objects', hub.objects), catalog: port('catalog', hub.catalog) };
  return { noted: { ...hub, clock: () => hub.now, ...ports }, calls };
}

test('accepted after 72 hours, stuck for five days while its day is sealed: what came before counts once, what is new counts', async (t) => {
  const hub = await openHub(t);
  const start = NOW - 60_000;
  const send = (sequence: number) =>
    ingestBatch(hub, {
      cluster: 'c',
      bytes: batchOf(sequence, [{ start, stacks: { main: 1 }, samples: 7 }]),
    });
  await send(1);
  await processBatches(hub);
  hub.now = start + 72 * HOUR;
  assert.deepEqual([(await send(1)).duplicate, (await send(2)).duplicate], [true, false]);
  hub.now += 5 * DAY;
  assert.equal((await compactBlocks(hub, 'all')).jobs, 1);
  assert.deepEqual(batchIdsIn(await rowsOf(hub)), []);
  const { batches, blocks, samples, duplicateSamples, quarantined } = await processBatches(hub);
  assert.deepEqual(
    { batches, blocks, samples, duplicateSamples, quarantined },
    {
      ...{ batches: 2, blocks: 1, samples: 7, duplicateSamples: 7, quarantined: 0 },
    },
  );
  assert.deepEqual(await hub.queue.depth(), { visible: 0, inFlight: 0, dead: 0, oldestMs: 0 });
  for (let round = 0; round < 3; round++) {
    assert.equal((await ask(hub, { ...QUESTION, start: NOW - HOUR, end: NOW })).samples, 14);
    await compactBlocks(hub, 'all');
  }
  // What was stored late can come again as well.
  await resend(hub, 2, start);
  assert.deepEqual(await processed(hub), { blocks: 0, samples: 0, duplicateSamples: 7 });
});

async function resend(hub: TestHub, sequence: number, start: number): Promise<void> {
  const payload = batchOf(sequence, [{ start, stacks: { main: 1 }, samples: 7 }]);
  const batchId = `c/n/b/${sequence}`;
  await hub.queue.send({ batchId, tenant: 'default', cluster: 'c', receivedAt: hub.now, payload });
}

async function processed(hub: Hub) {
  const { blocks, samples, duplicateSamples } = await processBatches(hub);
  return { blocks, samples, duplicateSamples };
}

/** One batch, sealed; and a copy of it that waits. */
async function hubWithCopy(t: TestContext): Promise<TestHub> {
  const hub = await openHub(t);
  await resend(hub, 1, NOW - 60_000);
  await processBatches(hub);
  await resend(hub, 1, NOW - 60_000);
  return hub;
}

test('a dead letter that is put back after ten days, and a batch from quarantine, count once', async (t) => {
  const hub = await hubWithCopy(t);
  while ((await hub.queue.depth()).dead === 0) {
    await hub.queue.receive({ max: 10, visibilityMs: 1000 });
    hub.now += 1001;
  }
  await resend(hub, 1, NOW - 60_000);
  const [received] = await hub.queue.receive({ max: 1, visibilityMs: 1000 });
  await quarantineBatch(hub, received!, new Error('test'));
  hub.now += 10 * DAY;
  await compactBlocks(hub, 'all');
  assert.equal(await hub.queue.redrive('all'), 1);
  const [aside] = await listQuarantine(hub, 10);
  await requeueQuarantined(hub, aside!.id);
  assert.deepEqual(await processed(hub), { blocks: 0, samples: 0, duplicateSamples: 14 });
  assert.equal((await ask(hub, { ...QUESTION, start: NOW - HOUR, end: NOW })).samples, 7);
});

test('a batch whose day cannot be sealed costs no call, a late one three, and a round asks once', async () => {
  const { hub, rows } = await sealedHub();
  const { noted, calls } = noting(hub);
  hub.send(windows(9, SEALED_AT - HOUR));
  // Sealed 84 hours after its end, and clocks differ.
  hub.send(windows(10, START + DAY + HOUR));
  await processBatches(noted);
  const stored = ['objects.put blocks', 'catalog.publish'];
  assert.deepEqual(calls.splice(0), [...stored, ...stored]);
  hub.send(rows.slice(0, 2));
  await processBatches(noted);
  const asked = ['objects.list sealed', 'catalog.find', 'objects.get sealed'];
  assert.deepEqual(calls.splice(0), asked);
  // Two hours of the day, two blocks.
  hub.send(windows(1, START + 600_000, ['shop', 'cart']));
  hub.send(windows(11, START + 5 * HOUR));
  hub.send(windows(12, START + 1_200_000));
  await processBatches(noted);
  assert.deepEqual(calls.splice(0), [...asked, ...stored, 'catalog.find', ...stored]);
  hub.send(windows(13, START - DAY));
  await processBatches(noted);
  assert.deepEqual(calls.splice(0), ['objects.list sealed', ...stored], 'a day of which nothing was sealed');
});

test('of a batch whose services were sealed apart, what is there is dropped and the rest is stored', async () => {
  const { hub, rows } = await sealedHub();
  const more = windows(1, START + 600_000, ['pay']);
  hub.send([...rows.slice(0, 2), ...more]);
  const report = await processed(hub);
  assert.deepEqual(report, { blocks: 1, samples: 1, duplicateSamples: 2 });
  const added = (await rowsOf(hub)).find(({ level }) => level === 0)!;
  assert.deepEqual(
    added.datasets.map(({ service }) => service),
    ['pay'],
  );
  await settle(hub);
  await assertHolds(hub, rows, 'sealed');
  assert.equal((await ask(hub, { ...QUESTION, service: 'pay' })).samples, 1);
  hub.send([...rows.slice(0, 2), ...more]);
  assert.deepEqual(await processed(hub), { blocks: 0, samples: 0, duplicateSamples: 3 });
});

test('of a batch that was split, one service may be sealed before the other', async () => {
  const hub = lateHub(START + HOUR);
  hub.settings = { ...hub.settings, compaction: { ...hub.settings.compaction, bytesMax: 1 } };
  const batches = [1, 2].map((sequence) => windows(sequence, START + 600_000, ['shop', 'cart']));
  for (const batch of batches) hub.send(batch);
  hub.now = START + 3 * HOUR;
  await settle(hub);
  hub.now = SEALED_AT;
  const { jobs } = await planJobs(hub, 'all');
  assert.deepEqual(
    jobs.map(({ step }) => step),
    ['seal', 'seal'],
  );
  await runCompactionJob(hub, jobs[0]!);
  for (const batch of batches) hub.send(batch);
  assert.deepEqual(await processed(hub), { blocks: 1, samples: 3, duplicateSamples: 3 });
  await assertHolds(hub, batches.flat(), 'what is not sealed is told apart by its batches');
  await runCompactionJob(hub, jobs[1]!);
  await settle(hub);
  await assertHolds(hub, batches.flat(), 'sealed');
  assert.equal((await ask(hub, { ...QUESTION, service: 'cart' })).samples, 3);
  for (const batch of batches) hub.send(batch);
  assert.deepEqual(await processed(hub), { blocks: 0, samples: 0, duplicateSamples: 6 });
});

test('what was stored while its day was being sealed is left out when it is sealed itself', async () => {
  const { hub, rows } = await sealedHub();
  const fresh = windows(20, START + 900_000);
  await publishRows(hub, [...rows.slice(0, 4), ...fresh]);
  const { samples } = await ask(hub, QUESTION);
  const wanted = expected([...rows, ...fresh], QUESTION, STEP);
  assert.equal(samples, wanted.samples + 3, 'until then it is counted');
  const counted: Record<string, number> = {};
  const telemetry = {
    ...hub.telemetry,
    count: (name: string, value: number) => void (counted[name] = (counted[name] ?? 0) + value),
  };
  const { jobs } = await compactBlocks({ ...hub, clock: () => hub.now, telemetry }, 'all');
  assert.equal(jobs, 1);
  assert.equal(counted.compaction_duplicate_samples_total, 6);
  await assertHolds(hub, [...rows, ...fresh], 'sealed');
  await publishRows(hub, rows.slice(0, 2));
  await compactBlocks(hub, 'all');
  await assertHolds(hub, [...rows, ...fresh], 'nothing was left to seal');
  assert.deepEqual(batchIdsIn(await rowsOf(hub)), []);
});

test('an object whose family is not there, or that is damaged, makes nobody drop anything', async () => {
  const hub = lateHub(SEALED_AT + DAY);
  const batch = windows(1, START + 600_000);
  const builder = new SealedBatchesBuilder();
  builder.add('shop', ['c/n/b/1'], Uint8Array.of(1));
  await publishRows(hub, windows(2, START + 600_000));
  await compactBlocks(hub, 'all');
  const [family] = await rowsOf(hub);
  const dead = { ...family!, blockId: 'never-swapped-in', resolutionSeconds: 0 };
  await keepSealedBatches(hub, [dead], [dead], builder.finish());
  hub.send(batch);
  assert.deepEqual(await processed(hub), { blocks: 1, samples: 1, duplicateSamples: 0 });
  await settle(hub);
  await assertHolds(hub, [...batch, ...windows(2, START + 600_000)], 'stored');
  for (const key of await sealedIn(hub)) {
    const bytes = hub.stored.get(key)!;
    hub.stored.set(key, bytes.slice(0, bytes.length - 1));
  }
  hub.send(batch);
  assert.deepEqual(await processed(hub), { blocks: 1, samples: 1, duplicateSamples: 0 });
  assert.match(hub.logs.join('\n'), /sealed\/default\/\d+\/[^ ]+ is damaged, repetitions .* checksum/);
});

test('what retention left of a family, and a joined block alone, still know its batches', async () => {
  const { hub, rows } = await sealedHub();
  const repeated = async () => {
    for (const batch of [rows.slice(0, 2), rows.slice(2, 4), rows.slice(4)]) hub.send(batch);
    const { blocks, samples } = await processed(hub);
    assert.deepEqual({ blocks, samples }, { blocks: 0, samples: 0 });
  };
  const keepMs = { raw: 5 * DAY, fiveMinutes: 6 * DAY, hour: 400 * DAY };
  hub.settings = { ...hub.settings, keepMs };
  hub.now = START + 7 * DAY;
  assert.equal((await enforceRetention(hub, { dryRun: false })).expired, 2);
  assert.deepEqual((await rowsOf(hub)).map((row) => row.resolutionSeconds).sort(), [3600, 86_400]);
  await repeated();
  // A day of the same month, so that there is something to join.
  const other = windows(30, START + DAY + HOUR);
  hub.send(other);
  await settle(hub);
  hub.now = START + 16 * DAY;
  await repeated();
  const wide = hub.settings.compaction.resolutions.map((rule) => ({
    ...rule,
    joinMs: rule.joinMs && 4 * DAY,
  }));
  hub.settings = { ...hub.settings, compaction: { ...hub.settings.compaction, resolutions: wide } };
  await compactBlocks(hub, 'all');
  const joined = (await rowsOf(hub)).find((row) => row.batchIds.filter((id) => !id.includes('/')).length > 1);
  assert.ok(joined);
  const finer = (await rowsOf(hub)).filter((row) => row !== joined).map(({ blockId }) => blockId);
  assert.equal(await hub.catalog.swap({ remove: finer, add: [], token: 't' }), 'done');
  await repeated();
});

test('deleted meanwhile, it does not come back', async () => {
  for (const whole of [true, false]) {
    const { hub, rows } = await sealedHub();
    const end = whole ? START + HOUR : START + 1_000_000;
    await deleteProfiles(hub, { selector: '{cluster="c"}', start: START, end, reason: 'test' });
    const left = rows.filter(({ start }) => start >= end);
    hub.now += SETTLE_MS + 1;
    assert.equal((await rewriteBlocks(hub)).rewritten, 1);
    await assertHolds(hub, left, 'rewritten');
    hub.now = START + 17 * DAY;
    for (const batch of [rows.slice(0, 2), rows.slice(2, 4), rows.slice(4)]) hub.send(batch);
    await processBatches(hub);
    await assertHolds(hub, left, 'delivered again');
    await settle(hub);
    await rewriteBlocks(hub);
    await assertHolds(hub, left, 'merged again');
    hub.now = START + DAY + 72 * HOUR + INBOX_AGE_MS;
    assert.equal((await rewriteBlocks(hub)).done, 1);
    hub.now += DAY;
    await assertHolds(hub, left, 'out of force');
  }
});

test('the sweep takes what no batch can come for any more, and what has no family', async () => {
  const { hub } = await sealedHub();
  const kept = await sealedIn(hub);
  assert.equal(kept.length, 1);
  const { day } = parseSealedKey(kept[0]!)!;
  assert.equal(day, START / DAY);
  const orphan = sealedKey({ tenant: 'default', day, family: 'crashed' });
  const foreign = 'sealed/default/notes';
  for (const key of [orphan, foreign]) await hub.objects.put(key, new Uint8Array(10));
  hub.now += ORPHAN_AGE_MS;
  assert.deepEqual((await sweepOrphans(hub, { dryRun: false })).orphans, []);
  hub.now += 1;
  const dry = await sweepOrphans(hub, { dryRun: true });
  assert.deepEqual([dry.orphans, dry.outdated], [[orphan, foreign].sort(), 0]);
  assert.equal((await sealedIn(hub)).length, 3, 'a dry run deletes nothing');
  await sweepOrphans(hub, { dryRun: false });
  assert.deepEqual(await sealedIn(hub), kept);
  hub.now = SEALED_AT + INBOX_AGE_MS;
  assert.equal((await sweepOrphans(hub, { dryRun: false })).outdated, 0);
  hub.now += 1;
  assert.equal((await sweepOrphans(hub, { dryRun: true })).outdated, 1);
  assert.deepEqual(await sealedIn(hub), kept);
  const { outdated, orphans } = await sweepOrphans(hub, { dryRun: false });
  assert.deepEqual([outdated, orphans, await sealedIn(hub)], [1, [], []]);
});

test('the sweep takes what belongs to a family that retention dropped', async () => {
  const { hub } = await sealedHub();
  hub.settings = { ...hub.settings, keepMs: { raw: 5 * DAY, fiveMinutes: 5 * DAY, hour: 5 * DAY } };
  hub.now = START + 7 * DAY;
  await enforceRetention(hub, { dryRun: false });
  hub.now += DELETION_GRACE_MS + 1;
  await deleteMarkedBlocks(hub);
  assert.equal((await sweepOrphans(hub, { dryRun: false })).orphans.length, 1);
  assert.deepEqual([...hub.stored.keys()], []);
});

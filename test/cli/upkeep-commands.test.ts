// Commands that look after what a hub stores: compaction, retention, scrub, sweep, and the audit of samples.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Terminal } from '../../cli/terminal.ts';
import type { BatchOrigin } from '../../core/batch/batch-origin.ts';
import type { SpoolAccount } from '../../core/batch/spool-account.ts';
import { withRollUp } from '../../core/compaction/compaction-rules.ts';
import { quarantineGroup } from '../../pipeline/compaction-quarantine.ts';
import { defaultHubSettings, type Hub, type HubSettings } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { NOW } from '../api/api-under-test.ts';
import type { RowSpec } from '../core/block/fixtures.ts';
import { batchOf } from '../pipeline/fixtures.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';
import { openHttpHub } from './http-hub.ts';
import { cinderblock } from './kept-terminal.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are compared field by field, which a type would only repeat.
type Json = any;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SHOP: RowSpec = { service: 'shop', stacks: { 'main;parse': 30 }, samples: 3 };
const CART: RowSpec = { service: 'cart', stacks: { main: 40 }, samples: 4 };

function beat(hub: Hub, changes: { node: string; spool?: SpoolAccount }): Promise<void> {
  const agent = { cluster: 'c', bootId: 'b', version: '1', engine: 'perf', clockSkewMs: 0, counters: {} };
  return hub.registry.recordHeartbeat({ ...agent, at: hub.clock(), ...changes });
}

async function hub(t: TestContext, settings?: Partial<HubSettings>) {
  const api = await openHttpHub(t, { openAdmin: true, settings });
  let sequence = 0;
  const store = async (rows: readonly RowSpec[], origin: Partial<BatchOrigin> = {}) => {
    await ingestBatch(api.hub, { cluster: 'c', bytes: batchOf(++sequence, rows, origin) });
    await api.process();
  };
  const run = (args: readonly string[], overrides: Partial<Terminal> = {}) =>
    cinderblock([...args, '--url', api.url], { now: () => api.control.now, ...overrides });
  const json = async (...args: string[]): Promise<Json> => {
    const { code, out, notes } = await run([...args, '--output', 'json']);
    assert.equal(code, 0, notes);
    return JSON.parse(out);
  };
  return { ...api, store, run, json };
}

test('compaction: what waits is shown, planned, run to the end, and shown as it became', async (t) => {
  const { store, run, json, control } = await hub(t);
  assert.match((await run(['compaction', 'status'])).out, /^no blocks\n\nnothing waits to be merged$/m);
  for (let i = 0; i < 3; i++) await store([SHOP]);
  control.now += 3 * HOUR;
  const waiting = await run(['compaction', 'status']);
  assert.match(waiting.out, /^ +0 +raw +3 +.* 2023-11-14T22:59:00Z /m);
  assert.match(waiting.out, /^1 job to run, the longest wait is [\d.]+ h$/m);
  const plan = await run(['compaction', 'plan']);
  assert.match(plan.out, /^\S+ +close +1 +3 +raw, 5 min, 1 h$/m);
  const shown: string[] = [];
  const ran = await run(['compaction', 'run'], { progress: (line) => void shown.push(line) });
  assert.equal(ran.code, 0, ran.notes);
  assert.match(ran.out, /^1 job: 3 blocks of .* became 3 of /);
  assert.ok(
    shown.some((line) => line.startsWith('merged 3 blocks')),
    shown.join('\n'),
  );
  assert.match((await run(['compaction', 'run'])).out, /^nothing was merged$/m);
  const { counts, markedBlocks } = await json('compaction', 'status');
  assert.deepEqual(
    counts.map((one: Json) => [one.level, one.resolutionSeconds, one.blocks]),
    [
      [1, 0, '1'],
      [1, 300, '1'],
      [1, 3600, '1'],
    ],
  );
  assert.equal(markedBlocks, '3');
});

test('compaction: a group in quarantine is named with its reason, and released', async (t) => {
  const { store, run, json, control, ...api } = await hub(t);
  for (let i = 0; i < 2; i++) await store([SHOP]);
  control.now += 3 * HOUR;
  const [{ group, blockIds }] = (await json('compaction', 'plan')).jobs;
  await quarantineGroup(api.hub, { group, blockIds }, 'its totals do not match');
  const { out } = await run(['compaction', 'status']);
  assert.match(
    out,
    new RegExp(`^in quarantine: ${group}, since .*, failed 1 time, .*\n {2}its totals do not match$`, 'm'),
  );
  assert.match((await run(['compaction', 'run'])).out, /^nothing was merged$/m);
  assert.equal((await run(['compaction', 'release', 'other'])).code, 3);
  assert.equal((await run(['compaction', 'release', group])).code, 0);
  assert.match((await run(['compaction', 'run', group, '--jobs', '1'])).out, /^1 job: /);
});

test('compaction: a job that fails is told, exit code 5', async (t) => {
  const { store, run, control, ...api } = await hub(t);
  for (let i = 0; i < 2; i++) await store([SHOP]);
  const [first] = await api.hub.objects.list('blocks/', { limit: 1 });
  await api.hub.objects.delete(first!.key);
  control.now += 3 * HOUR;
  const { code, notes } = await run(['compaction', 'run']);
  assert.equal(code, 5);
  assert.match(notes, /1 job failed; `compaction status` says why/);
});

test('retention: policies go out as they went in, and what they drop is planned and asked before', async (t) => {
  const { store, run, json, control } = await hub(t);
  await store([SHOP]);
  const file = join(temporaryFolder(t), 'policies.json');
  const policies = [{ selector: '{cluster="c"}', raw: '5d', '5m': '36h', '1h': '20d' }];
  const set = (content: object, ...more: string[]) => {
    writeFileSync(file, JSON.stringify(content));
    return run(['retention', 'set', file, ...more]);
  };
  assert.equal((await set({ policies })).code, 2, 'nobody is there to ask');
  const wrong = await set({ policies }, '--yes');
  assert.deepEqual([wrong.code, /coarser ones no shorter/.test(wrong.notes)], [2, true]);
  policies[0]!['5m'] = '132h';
  assert.equal((await set({ policies }, '--yes')).code, 0);
  const shown = await json('retention', 'show');
  assert.deepEqual(shown, {
    policies,
    fallback: { raw: '14d', '5m': '90d', '1h': '400d' },
    rawAtLeast: '108h',
  });
  assert.equal((await set(shown, '--yes')).code, 0, 'what show prints is a file for set');
  assert.match((await run(['retention', 'show'])).out, /^\{cluster="c"\} +5d +132h +20d$/m);
  assert.match((await run(['retention', 'plan'])).out, /^0 blocks of 0 B would be dropped$/m);
  control.now += 6 * 24 * HOUR;
  assert.match((await run(['retention', 'plan'])).out, /^1 block of .* would be dropped$/m);
  const questions: string[] = [];
  const confirm = async (question: string) => questions.push(question) > 1;
  assert.deepEqual((await run(['retention', 'apply'], { confirm })).code, 3);
  assert.match(questions[0]!, /^For good: 1 block of .* will be dropped, 0 rewritten\. Go on\?$/);
  const applied = await run(['retention', 'apply'], { confirm });
  assert.match(applied.out, /^1 block of .* dropped, 0 blocks rewritten$/m);
  assert.match((await run(['retention', 'apply'])).out, /^0 blocks of 0 B dropped/, 'nothing to ask for');
});

test('retention: a file of policies is refused by the place that is wrong', async (t) => {
  const { run } = await hub(t);
  const file = join(temporaryFolder(t), 'policies.json');
  const good = { selector: '{cluster="c"}', raw: '5d', '5m': '6d', '1h': '7d' };
  for (const [content, message] of [
    ['{', /JSON/],
    ['[]', /must be \{"policies"/],
    [JSON.stringify({ policies: [good, { ...good, raw: 5 }] }), /policy 2.*"raw" must be a text/],
    [JSON.stringify({ policies: [{ ...good, raws: '5d' }] }), /policy 1.*has "raws"/],
    [JSON.stringify({ policies: [{ ...good, '1h': 'long' }] }), /policy 1, "1h" is "long"/],
    [JSON.stringify({ policies: [null] }), /policy 1/],
  ] as const) {
    writeFileSync(file, content);
    const { code, notes } = await run(['retention', 'set', file, '--yes']);
    assert.equal(code, 2, notes);
    assert.match(notes, message);
  }
  assert.equal((await run(['retention', 'set', join(file, 'no')])).code, 2);
});

test('retention: a deletion by a label that is rolled up says how far it reaches', async (t) => {
  const compaction = withRollUp(defaultHubSettings.compaction, ['pod']);
  const { store, run, json, control } = await hub(t, { compaction });
  await store([{ ...SHOP, pod: 'a' }]);
  control.now += 6 * DAY;
  assert.equal((await run(['compaction', 'run', '--all'])).code, 0);
  control.now += 100 * DAY;
  assert.equal((await run(['retention', 'apply', '--yes'])).code, 0);
  const range = ['--from', String(NOW - HOUR), '--until', 'now'];
  const remove = ['retention', 'delete', '--selector', '{pod="a"}', ...range, '--reason', 'test'];
  const refused = await run([...remove, '--dry-run']);
  assert.equal(refused.code, 2, refused.notes);
  assert.match(refused.notes, /has pod rolled up, so that what \{pod="a"\} names cannot be told/);
  const start = control.now - HOUR;
  await store([{ ...CART, pod: 'a', start }], { firstWindow: start, lastWindow: start });
  const dry = await run([...remove, '--dry-run']);
  assert.match(dry.out, /^would delete at least 4 samples in 1 block of .*\n2 blocks have a label rolled up/);
  const { id, outOfReachBlocks } = await json(...remove, '--yes');
  assert.equal(outOfReachBlocks, 2);
  const listed = await run(['retention', 'deletions', '--verify', id]);
  assert.equal(listed.code, 5);
  assert.match(
    listed.out,
    /^ {2}2 blocks have a label rolled up that the selector asks for, and go on summing/m,
  );
  const query = await run(['query', 'top', '--selector', '{pod="a"}', '--from', String(NOW - HOUR)]);
  assert.match(
    query.out + query.notes,
    /pod is rolled up in windows of 1 h and more: what of the time from 20/,
  );
  const values = await run(['query', 'labels', 'pod', '--from', String(NOW - HOUR)]);
  assert.match(values.notes, /^note: pod is rolled up in windows of 1 h and more/m);
});

test('retention: a deletion says what it takes, asks, takes it, and proves it', async (t) => {
  const { store, run, json, control } = await hub(t);
  await store([SHOP, CART]);
  const what = ['--selector', '{service_name="shop"}', '--from', 'now-2h', '--until', 'now'];
  const remove = (...more: string[]) => run(['retention', 'delete', ...what, ...more]);
  assert.match((await remove()).notes, /say with --reason why/);
  const reason = ['--reason', 'a token in a label'];
  const dry = await remove(...reason, '--dry-run');
  assert.match(
    dry.out,
    /^would delete 3 samples in 1 block of \{service_name="shop"\} from 2023-11-14T21:00:00Z to /,
  );
  assert.equal((await remove(...reason)).code, 2, 'nobody is there to ask');
  const services = async () => {
    const range = ['--from', String(NOW - HOUR), '--until', String(NOW + HOUR)];
    const { out } = await run([
      'query',
      'series',
      '--group-by',
      'service_name',
      '--output',
      'json',
      ...range,
    ]);
    return JSON.parse(out).series.map(({ labels }: Json) => labels.service_name);
  };
  assert.deepEqual(await services(), ['cart', 'shop']);
  const { id, samples } = await json('retention', 'delete', ...what, ...reason, '--yes');
  assert.equal(samples, 3);
  assert.deepEqual(await services(), ['cart']);
  const listed = await run(['retention', 'deletions']);
  assert.match(
    listed.out,
    new RegExp(
      `^${id} {2}\\{service_name="shop"\\}, .*\n {2}.*: a token in a label\n {2}in force: .* 1 may still`,
    ),
  );
  const early = await run(['retention', 'deletions', '--verify', id]);
  assert.deepEqual([early.code, /still hold samples/.test(early.notes)], [4, true]);
  control.now += 3 * HOUR;
  await run(['compaction', 'run']);
  const proof = await run(['retention', 'deletions', '--verify', id]);
  assert.equal(proof.code, 0, proof.out + proof.notes);
  assert.match(proof.out, /verified: 3 blocks read, none holds any of it$/m);
  assert.equal((await run(['retention', 'deletions', '--verify', 'other'])).code, 3);
});

test('ls lists the blocks of a hub as those of a folder, damaged ones with what is wrong', async (t) => {
  const { store, run, json, ...api } = await hub(t);
  await store([SHOP]);
  await store([CART]);
  const { blocks } = await json('block', 'ls');
  assert.partialDeepStrictEqual(blocks[0], { level: 0, resolutionSeconds: 0, minTime: NOW - 60_000 });
  assert.deepEqual(blocks.map(({ services, samples }: Json) => [services, samples]).sort(), [
    [['cart'], 4],
    [['shop'], 3],
  ]);
  const filtered = await json('block', 'ls', '--service', 'cart', '--level', '0', '--resolution', 'raw');
  assert.deepEqual([filtered.matching, filtered.blocks[0].services], [1, ['cart']]);
  assert.deepEqual((await json('block', 'ls', '--until', String(NOW - 60_000))).blocks, []);
  const [first] = await api.hub.objects.list('blocks/', { limit: 1 });
  await api.hub.objects.delete(first!.key);
  assert.match(
    (await run(['block', 'ls'])).out,
    / damaged +its object is gone$[\s\S]*^2 blocks, .*, 1 damaged$/m,
  );
  assert.match((await run(['block', 'ls', '--limit', '1'])).notes, /1 more block; --limit shows more/);
});

test('scrub reads every block, and names those that are damaged or gone', async (t) => {
  const { store, run, ...api } = await hub(t);
  await store([SHOP]);
  await store([CART]);
  assert.match((await run(['block', 'scrub'])).out, /^sound: 2 blocks, /);
  const part = await run(['block', 'scrub', '--bytes', '1']);
  assert.match(part.out, /^sound: 1 block, .*; the next scrub goes on from here$/m);
  const objects = await api.hub.objects.list('blocks/', { limit: 2 });
  await api.hub.objects.delete(objects[1]!.key);
  await run(['block', 'scrub']);
  const { code, out } = await run(['block', 'scrub']);
  assert.equal(code, 5);
  assert.match(out, /^missing: \w+, 2023-11-14T22:59:00Z to .*\n1 damaged: 2 blocks, /m);
});

test('sweep deletes what nobody refers to, and says what is missing', async (t) => {
  const { store, run, control, ...api } = await hub(t);
  await store([SHOP]);
  await api.hub.objects.put('blocks/default/0/ORPHAN.block', new Uint8Array(100));
  control.now = Date.now() + 48 * HOUR;
  const dry = await run(['block', 'sweep', '--dry-run']);
  assert.equal(dry.code, 0, dry.notes);
  assert.match(dry.out, /^1 object without a block would be deleted, 100 B\n.*ORPHAN\.block$/m);
  assert.match((await run(['block', 'sweep'])).out, /^1 object without a block deleted, 100 B$/m);
  assert.match((await run(['block', 'sweep'])).out, /^0 objects without a block deleted, 0 B$/m);
  const [first] = await api.hub.objects.list('blocks/', { limit: 1 });
  await api.hub.objects.delete(first!.key);
  const { code, out } = await run(['block', 'sweep']);
  assert.deepEqual([code, /^missing: the object of block /m.test(out)], [5, true]);
});

/** An hour that its agent still has on disk: one batch, number 9 of its boot. */
const SPOOLED = {
  bootId: 'b',
  hourMs: NOW - HOUR,
  first: 9,
  end: 10,
  batches: 1,
  kept: 7,
  dropped: 2,
  lost: 1,
};

test('audit: every sample is accounted for, and what is stored is counted', async (t) => {
  const { store, run, json } = await hub(t);
  await store([SHOP], { lost: 2, taken: 5, dropped: 2 });
  await store([CART]);
  const { code, out } = await run(['audit', '--stored']);
  assert.equal(code, 0, out);
  const [titles, hour, total, verdict] = out.trim().split('\n');
  assert.match(
    titles!,
    /^hour +cluster +taken +lost by kernel +dropped by agent +spooled +acknowledged +stored +waiting +unaccounted +missing batches +duplicate batches$/,
  );
  assert.match(hour!, /^2023-11-14T22:00:00Z +c +9 +2 +2 +0 +7 +7 +0 +0 +0 +0$/);
  assert.match(total!, /^total +9 +2 +2 +0 +7 +7 +0 +0 +0 +0$/);
  assert.equal(verdict, 'accounted: every sample that was taken');
  assert.doesNotMatch((await run(['audit'])).out, /stored|waiting/);
  const { hours } = await json('audit', '--cluster', 'other');
  assert.deepEqual(hours, []);
});

test('audit: what was taken and is not in blocks yet is waiting, or on the disks of nodes', async (t) => {
  const { hub: store, run, json, control } = await hub(t);
  await ingestBatch(store, { cluster: 'c', bytes: batchOf(1, [SHOP]) });
  const spool = { spoolId: 's', batches: 1, samples: 7, hours: [SPOOLED] };
  await beat(store, { node: 'n1', spool });
  await beat(store, { node: 'old' });
  const { code, out } = await run(['audit', '--stored']);
  assert.equal(code, 0, out);
  const [, hour, , ...lines] = out.trim().split('\n');
  assert.match(hour!, /^2023-11-14T22:00:00Z +c +12 +1 +2 +7 +3 +0 +3 +0 +0 +0$/);
  assert.deepEqual(lines, [
    'accounted: every sample that was taken',
    'spools of c: 7 samples in 1 batch on 1 node, heard of at most 0 ns ago',
    'warning: c: what 1 agent of an older version spooled is not known',
  ]);
  assert.doesNotMatch(out, /long over/);
  control.now += HOUR;
  const late = await run(['audit']);
  assert.equal(late.code, 0);
  const still =
    /^warning: c: 7 samples of hours long over are still on nodes, the oldest of 2023-11-14T22:00:00Z$/m;
  assert.match(late.out, still);
  assert.match(late.out, /^warning: c: n1 was heard 1 h ago, with 7 samples on its disk$/m);
  const { spools } = await json('audit');
  assert.deepEqual(spools[0].silent, [{ node: 'n1', lastSeenMs: NOW, batches: 1, samples: 7 }]);
});

test('audit: exit code 5 for what was on a disk that is gone, and for numbers that do not add up', async (t) => {
  const { hub: store, run, control } = await hub(t);
  await beat(store, { node: 'n1', spool: { spoolId: 's', batches: 1, samples: 7, hours: [SPOOLED] } });
  control.now += 60_000;
  await beat(store, { node: 'n1', spool: { spoolId: 's2', batches: 0, samples: 0, hours: [] } });
  const gone = await run(['audit']);
  assert.equal(gone.code, 5);
  assert.match(gone.out, /^unaccounted: 7 samples$/m);
  assert.match(gone.out, /^warning: c: n1 lost its spool: 1 min ago it held 7 samples; /m);
  await ingestBatch(store, { cluster: 'c', bytes: batchOf(1, [SHOP], { taken: 8 }) });
  const { code, out } = await run(['audit', '--output', 'json']);
  assert.deepEqual([code, JSON.parse(out).total.unaccounted], [5, 12]);
  assert.equal((await run(['audit', '--from', 'now-90d'])).code, 2);
});

test('command lines that make no sense are refused before the hub is asked', async () => {
  for (const args of [
    ['compaction'],
    ['compaction', 'release'],
    ['compaction', 'status', 'g'],
    ['compaction', 'plan', '--jobs', '1'],
    ['retention', 'fly'],
    ['retention', 'set'],
    ['retention', 'show', 'x'],
    ['retention', 'apply', '--dry-run'],
    ['retention', 'delete', '--selector', '{a="b"}'],
    ['retention', 'delete', '--selector', '{a="b"}', '--from', 'now', '--until', 'now-1h', '--reason', 'x'],
    ['audit', 'x'],
    ['block', 'scrub', 'x'],
    ['block', 'scrub', '--bytes', 'many'],
  ]) {
    const { code, notes } = await cinderblock(args, { env: { CINDERBLOCK_URL: 'http://127.0.0.1:1' } });
    assert.equal(code, 2, `${args.join(' ')}: ${notes}`);
  }
});

test('Ctrl-C stops between two jobs', async (t) => {
  const { store, run, control } = await hub(t);
  for (let i = 0; i < 2; i++) await store([SHOP]);
  control.now += 3 * HOUR;
  const abort = new AbortController();
  const progress = () => abort.abort();
  const { code, notes } = await run(['compaction', 'run'], { signal: abort.signal, progress });
  assert.deepEqual([code, notes], [130, 'interrupted']);
  assert.match((await run(['compaction', 'run'])).out, /^1 job: /);
});

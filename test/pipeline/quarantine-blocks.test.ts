// What a block in quarantine does to answers, and what the rest of the hub does to it meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyJob, listRewrites, requestRewrite } from '../../pipeline/block-rewrites.ts';
import {
  compactBlocks,
  DELETION_GRACE_MS,
  deleteMarkedBlocks,
  runCompactionJob,
} from '../../pipeline/compact-blocks.ts';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import {
  discardBlock,
  listQuarantinedBlocks,
  quarantineBlock,
  REASON_LENGTH_MAX,
  restoreBlock,
} from '../../pipeline/quarantine-blocks.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { scrubBlocks } from '../../pipeline/scrub-blocks.ts';
import { INBOX_AGE_MS, sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU } from '../core/block/fixtures.ts';
import { publishRows, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The start of a day. */
const START = 1_700_006_400_000 - (1_700_006_400_000 % DAY);

const aRow = (fields: Partial<WindowRow> = {}): WindowRow => ({
  ...{ service: 'shop', pod: 'p0', start: START + 10 * MINUTE, duration: 10_000, batch: 'c/n/b/1' },
  ...{ stacks: { main: 10_000_000 }, samples: 1 },
  ...fields,
});

/** A batch of each of two services, in blocks of their own. */
async function twoBlocks(): Promise<{ hub: MemoryHub; shop: string; cart: string }> {
  const hub = memoryHub(START + HOUR);
  const shop = await publishRows(hub, [aRow()]);
  const cart = await publishRows(hub, [aRow({ service: 'cart', batch: 'c/n/b/2' })]);
  return { hub, shop, cart };
}

const aside = (hub: MemoryHub, blockId: string) =>
  quarantineBlock(hub, { blockId, reason: 'test', dryRun: false });

/** Without that of an audit which nobody runs here. */
const notesOf = ({ notes }: { notes: readonly string[] }) =>
  notes.filter((note) => !note.startsWith('what was lost'));

const ask = async (hub: MemoryHub, range: { start?: number; end?: number } = {}, selector = '{}') =>
  selectTree(hub, { start: START, end: START + DAY, ...range, profileType: CPU, selector });

const liveRows = (hub: MemoryHub): Promise<BlockRow[]> =>
  hub.catalog.find({ tenant: 'default', from: 0, until: Number.MAX_SAFE_INTEGER });

const rawOf = async (hub: MemoryHub) =>
  (await liveRows(hub)).find(({ resolutionSeconds }) => resolutionSeconds === 0)!;

function damage(hub: MemoryHub, { tenant, level, blockId }: BlockRow): void {
  hub.stored.get(blockKey(tenant, level, blockId))![20]! ^= 1;
}

test('a block goes with what is wrong with it, or with the reason that is given', async () => {
  const { hub, shop, cart } = await twoBlocks();
  const sound = quarantineBlock(hub, { blockId: shop, dryRun: false });
  await assert.rejects(sound, { reason: 'invalid', message: /is sound: say with a reason/ });
  damage(hub, (await hub.catalog.get(shop))!);
  const dry = await quarantineBlock(hub, { blockId: shop, dryRun: true });
  assert.match(dry.aside.reason, /checksum/);
  assert.deepEqual(await listQuarantinedBlocks(hub), []);
  const { aside: entry } = await quarantineBlock(hub, { blockId: shop, dryRun: false });
  assert.deepEqual(entry, dry.aside);
  hub.now += 1;
  const again = await quarantineBlock(hub, { blockId: shop, reason: 'other', dryRun: false });
  assert.deepEqual(again.aside, entry, 'one that lies aside stays as it is');
  await quarantineBlock(hub, { blockId: cart, reason: 'x'.repeat(1000), dryRun: false });
  const [, second] = await listQuarantinedBlocks(hub);
  assert.equal(second!.aside.reason.length, REASON_LENGTH_MAX);
  await assert.rejects(aside(hub, 'nothing'), { reason: 'not-found' });
  await assert.rejects(restoreBlock(hub, 'nothing'), { reason: 'not-found' });
});

test('an answer over its time says that it lacks it, and one that does not ask for it does not', async () => {
  const { hub, shop } = await twoBlocks();
  await aside(hub, shop);
  const { total, completeness } = await ask(hub);
  assert.deepEqual([total, completeness.complete, completeness.asideBlocks], [10_000_000n, false, 1]);
  assert.deepEqual(notesOf(completeness), [`block ${shop} was set aside: test`]);
  for (const [range, selector] of [
    [{}, '{service_name="cart"}'],
    [{}, '{cluster="other"}'],
    [{ start: START + HOUR }, '{}'],
  ] as const) {
    const { completeness } = await ask(hub, range, selector);
    assert.deepEqual([completeness.complete, notesOf(completeness)], [true, []], selector);
  }
  const timeline = await selectTimeline(hub, {
    ...{ start: START, end: START + DAY, profileType: CPU, selector: '{}', maxPoints: 10 },
  });
  assert.equal(timeline.completeness.asideBlocks, 1);
  await restoreBlock(hub, shop);
  const whole = await ask(hub);
  assert.deepEqual([whole.total, whole.completeness.complete], [20_000_000n, true]);
});

test('where its versions answer for it, nothing is lacking but what their steps cut', async () => {
  const { hub } = await twoBlocks();
  hub.now += DAY / 4;
  assert.equal((await compactBlocks(hub)).jobs, 1);
  const raw = await rawOf(hub);
  await aside(hub, raw.blockId);
  const whole = await ask(hub);
  assert.deepEqual([whole.total, whole.completeness.complete], [20_000_000n, true]);
  assert.match(whole.completeness.notes.join(), /was set aside: test; other versions of it answer/);
  const cut = await ask(hub, { start: START + 10 * MINUTE, end: START + 10 * MINUTE + 10_000 });
  assert.deepEqual([cut.total, cut.completeness.asideBlocks], [0n, 1]);
  for (const { blockId } of await liveRows(hub)) await aside(hub, blockId);
  assert.equal((await ask(hub)).completeness.asideBlocks, 3);
});

test('a merge that was planned before meets a conflict, and leaves nothing', async () => {
  const { hub, shop } = await twoBlocks();
  hub.now += DAY / 4;
  const { jobs } = await planJobs(hub, 'recent');
  await aside(hub, shop);
  const stored = [...hub.stored.keys()];
  assert.equal((await runCompactionJob(hub, jobs[0]!)).skipped, 1);
  assert.deepEqual([...hub.stored.keys()], stored);
  assert.equal((await compactBlocks(hub)).blocksIn, 1, 'others go on');
  await restoreBlock(hub, shop);
  assert.equal((await ask(hub)).total, 20_000_000n);
});

test('what holds the same batch waits with it, whatever comes late', async () => {
  const { hub, shop } = await twoBlocks();
  await aside(hub, shop);
  await publishRows(hub, [aRow()]);
  hub.now += 8 * DAY;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  assert.equal((await ask(hub)).total, 20_000_000n, 'the copy counts');
  assert.ok((await liveRows(hub)).some(({ batchIds }) => batchIds.includes('c/n/b/1')));
  await restoreBlock(hub, shop);
  assert.equal((await ask(hub)).total, 20_000_000n, 'and one of both');
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  assert.equal((await ask(hub)).total, 20_000_000n);
  assert.ok(!(await liveRows(hub)).some(({ batchIds }) => batchIds.includes('c/n/b/1')), 'all is sealed');
});

test('retention drops it when its time is over, and its object with it', async () => {
  const { hub, shop, cart } = await twoBlocks();
  await aside(hub, shop);
  hub.now += 400 * DAY;
  const { expired } = await enforceRetention(hub, { dryRun: false });
  assert.equal(expired, 2);
  for (const id of [shop, cart]) assert.equal(await hub.catalog.get(id, { withAside: true }), undefined);
  hub.now += DELETION_GRACE_MS + 1;
  assert.equal(await deleteMarkedBlocks(hub), 2);
  assert.equal(hub.stored.size, 0);
});

test('a deletion that concerns it stays in force, and it brings nothing back', async () => {
  const { hub, shop, cart } = await twoBlocks();
  await aside(hub, shop);
  const deletion = { selector: '{pod="p0"}', start: START, end: START + HOUR, reason: 'test' };
  const { complete } = await deleteProfiles(hub, { ...deletion, dryRun: true });
  assert.equal(complete, false, 'there may be more than was counted');
  const { tombstone } = await deleteProfiles(hub, deletion);
  const upkeep = async () => {
    hub.now += SETTLE_MS;
    while ((await compactBlocks(hub, 'all')).jobs > 0);
    await rewriteBlocks(hub);
    return (await listDeletions(hub, { verify: tombstone.id }))[0]!;
  };
  hub.now += 5 * DAY + INBOX_AGE_MS;
  const pending = await upkeep();
  assert.equal(await hub.catalog.get(cart), undefined, 'what is live was rewritten');
  assert.deepEqual([pending.pendingBlocks, pending.check!.rows, pending.doneAt], [1, 1, undefined]);
  await restoreBlock(hub, shop);
  assert.equal((await ask(hub)).total, 0n);
  const done = await upkeep();
  assert.deepEqual([done.pendingBlocks, done.check!.rows], [0, 0]);
  await rewriteBlocks(hub);
  assert.notEqual((await listDeletions(hub))[0]!.doneAt, undefined);
  assert.equal((await ask(hub)).total, 0n);
});

test('neither scrub nor sweep touches or tells of it', async () => {
  const { hub, shop, cart } = await twoBlocks();
  damage(hub, (await hub.catalog.get(shop))!);
  const row = (await hub.catalog.get(cart))!;
  hub.stored.delete(blockKey(row.tenant, row.level, cart));
  assert.equal((await scrubBlocks(hub)).damaged.length, 2);
  for (const id of [shop, cart]) await quarantineBlock(hub, { blockId: id, dryRun: false });
  hub.now += 30 * DAY;
  const { blocks, damaged } = await scrubBlocks(hub);
  assert.deepEqual([blocks, damaged], [0, []]);
  const { orphans, missing, rows } = await sweepOrphans(hub, { dryRun: false });
  assert.deepEqual([orphans, missing, rows], [[], [], 2]);
  await assert.rejects(restoreBlock(hub, cart), { reason: 'not-found', message: /object .* is gone/ });
  assert.match((await restoreBlock(hub, shop)).problem!, /checksum/);
});

test('what is given up is gone, and what waited with it goes on', async () => {
  const { hub, shop } = await twoBlocks();
  await aside(hub, shop);
  await publishRows(hub, [aRow()]);
  assert.equal((await discardBlock(hub, { blockId: shop, dryRun: true })).blockId, shop);
  assert.equal((await listQuarantinedBlocks(hub)).length, 1);
  await discardBlock(hub, { blockId: shop, dryRun: false });
  await assert.rejects(restoreBlock(hub, shop), { reason: 'not-found' });
  hub.now += DAY / 4;
  assert.equal((await compactBlocks(hub)).blocksIn, 2);
  const { total, completeness } = await ask(hub);
  assert.deepEqual([total, completeness.complete, notesOf(completeness)], [20_000_000n, true, []]);
  hub.now += DELETION_GRACE_MS + 1;
  await deleteMarkedBlocks(hub);
  assert.ok(!hub.stored.has(blockKey('default', 0, shop)));
});

test('a family whose raw block lies aside is not rewritten from a coarser one', async () => {
  const { hub } = await twoBlocks();
  hub.now += 6 * DAY;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  const raw = await rawOf(hub);
  await aside(hub, raw.blockId);
  const cut = { start: START, end: START + 10 * MINUTE + 5000 };
  await deleteProfiles(hub, { selector: '{service_name="cart"}', ...cut, reason: 'test' });
  await publishRows(hub, [aRow({ start: START + 10 * MINUTE + 10_000, batch: 'c/n/b/9' })]);
  hub.now += SETTLE_MS;
  assert.equal((await rewriteBlocks(hub)).rewritten, 0);
  assert.equal((await ask(hub)).completeness.asideBlocks, 1, 'the rest of the step is lacking');
  await restoreBlock(hub, raw.blockId);
  const before = await ask(hub);
  assert.deepEqual([before.total, before.completeness.complete], [20_000_000n, true]);
  assert.equal((await rewriteBlocks(hub)).rewritten, 1);
  assert.equal((await ask(hub)).total, 20_000_000n);
});

test('of blocks that stand for the same, one at most lies aside', async () => {
  const { hub, shop } = await twoBlocks();
  await publishRows(hub, [aRow({ service: 'pay', batch: 'c/n/b/3' }), aRow({ batch: 'c/n/b/3' })]);
  const row = (await liveRows(hub)).find(({ datasets }) => datasets.length === 2)!;
  const { directory } = await openBlockOf(hub, row);
  hub.stored.get(blockKey(row.tenant, row.level, row.blockId))![
    directory.datasets[0]!.seriesSection.offset
  ]! ^= 1;
  const request = { blockId: row.blockId, salvage: true };
  await requestRewrite(hub, request);
  await runCompactionJob(hub, copyJob(request));
  const { newBlockId } = (await listRewrites(hub))[0]!.report!;
  await assert.rejects(aside(hub, newBlockId!), {
    reason: 'invalid',
    message: new RegExp(`is what could be saved of block ${row.blockId}, which is in quarantine`),
  });
  await aside(hub, shop);
  await discardBlock(hub, { blockId: row.blockId, dryRun: false });
  await aside(hub, newBlockId!);
});

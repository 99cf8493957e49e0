// A block is written anew, whole or as far as it can be read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import type { Codec } from '../../core/block/codec.ts';
import {
  copyJob,
  listRewrites,
  requestRewrite,
  WAITING_REWRITES_MAX,
} from '../../pipeline/block-rewrites.ts';
import { compactBlocks, runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { fromJobMessage, toJobMessage } from '../../pipeline/job-message.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { discardBlock, listQuarantinedBlocks, restoreBlock } from '../../pipeline/quarantine-blocks.ts';
import { planRewrite } from '../../pipeline/rewrite-block.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { sendJobs } from '../../pipeline/send-jobs.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU, codec } from '../core/block/fixtures.ts';
import { publishRows, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000 - (1_700_006_400_000 % DAY);

const foreignCodec: Codec = {
  ...codec,
  compress: (raw) => zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }),
};

const SERVICES = ['cart', 'pay', 'shop'];

const rowsOf = (batch: string): WindowRow[] =>
  SERVICES.map((service, i) => ({
    ...{ service, pod: 'p0', start: START + 10 * MINUTE, duration: 10_000, batch },
    ...{ stacks: { [`main;${service}`]: (i + 1) * 10_000_000 }, samples: i + 1 },
  }));

async function openHub(): Promise<{ hub: MemoryHub; blockId: string }> {
  const hub = memoryHub(START + HOUR);
  return { hub, blockId: await publishRows(hub, rowsOf('c/n/b/1'), foreignCodec) };
}

async function rewrite(hub: MemoryHub, blockId: string, salvage = false) {
  await requestRewrite(hub, { blockId, salvage });
  await runCompactionJob(hub, copyJob({ blockId, salvage }));
  return (await listRewrites(hub)).find((one) => one.blockId === blockId)!;
}

const liveRows = (hub: MemoryHub): Promise<BlockRow[]> =>
  hub.catalog.find({ tenant: 'default', from: 0, until: Number.MAX_SAFE_INTEGER });

const totalOf = async (hub: MemoryHub, service: string, step = DAY) => {
  const range = {
    start: START,
    end: START + step,
    profileType: CPU,
    selector: `{service_name="${service}"}`,
  };
  const { total, completeness } = await selectTree(hub, range);
  return [Number(total) / 10_000_000, completeness.complete];
};

type Section = 'seriesSection' | 'samples' | 'batches';

async function damage(hub: MemoryHub, row: BlockRow, service: string, section: Section): Promise<() => void> {
  const { directory } = await openBlockOf(hub, row);
  const dataset = directory.datasets.find((one) => one.service === service)!;
  const at = {
    seriesSection: dataset.seriesSection,
    samples: dataset.types[0]!.samplesSection,
    batches: directory.batchesSection,
  }[section].offset;
  const bytes = hub.stored.get(blockKey(row.tenant, row.level, row.blockId))!;
  bytes[at]! ^= 1;
  return () => void (bytes[at]! ^= 1);
}

test('a sound block is what today’s writer makes of it, says the same, and is then left alone', async () => {
  const { hub, blockId } = await openHub();
  const plan = await planRewrite(hub, { blockId, salvage: false });
  assert.deepEqual([plan.isCurrent, plan.lost, plan.newBlockId], [false, [], undefined]);
  assert.equal((await liveRows(hub))[0]!.blockId, blockId, 'a dry run changes nothing');
  const before = (await hub.catalog.get(blockId))!;
  const { report } = await rewrite(hub, blockId);
  const [copy] = await liveRows(hub);
  assert.equal(copy!.blockId, report!.newBlockId);
  assert.deepEqual(
    [copy!.createdAt, copy!.level, copy!.datasets],
    [before.createdAt, before.level, before.datasets],
  );
  assert.deepEqual(
    copy!.batchIds.toSorted(),
    [...before.batchIds, blockId].sort(),
    'it stands for the block',
  );
  for (const [i, service] of SERVICES.entries()) assert.deepEqual(await totalOf(hub, service), [i + 1, true]);
  const again = await rewrite(hub, copy!.blockId);
  assert.deepEqual([again.report!.isCurrent, again.report!.newBlockId], [true, undefined]);
  await assert.rejects(planRewrite(hub, { blockId, salvage: false }), { reason: 'not-found' });
});

test('a copy belongs to the hour of its block, whatever its rows say', async () => {
  const { hub, blockId } = await openHub();
  const { minTime, ...row } = (await hub.catalog.get(blockId))!;
  await hub.catalog.swap({ remove: [blockId], add: [], token: 'out' });
  await hub.catalog.forget(blockId);
  await hub.catalog.publish({ ...row, minTime: minTime - 5 * MINUTE });
  await rewrite(hub, blockId);
  assert.equal((await liveRows(hub))[0]!.minTime, minTime - 5 * MINUTE);
});

test('a damaged block stays unless it is to be saved; what is lost is said to the sample, and can come back', async () => {
  const { hub, blockId } = await openHub();
  const row = (await hub.catalog.get(blockId))!;
  const mend = await damage(hub, row, 'pay', 'samples');
  const failed = await rewrite(hub, blockId);
  assert.deepEqual([failed.isDamaged, /checksum/.test(failed.problem!)], [true, true]);
  assert.deepEqual(await liveRows(hub), [row]);
  const lost = [
    {
      ...{ service: 'pay', profileType: CPU, rows: 1, samples: 2, total: '20000000' },
      ...{ minTime: START + 10 * MINUTE, maxTime: START + 10 * MINUTE + 10_000 },
    },
  ];
  const dry = await planRewrite(hub, { blockId, salvage: true });
  assert.deepEqual(
    dry.lost.map(({ problem: _, total, ...rest }) => ({ ...rest, total: String(total) })),
    lost,
  );
  const { report } = await rewrite(hub, blockId, true);
  assert.deepEqual(
    report!.lost.map(({ problem: _, ...rest }) => rest),
    lost,
  );
  const [kept] = await listQuarantinedBlocks(hub);
  assert.match(
    kept!.aside.reason,
    new RegExp(`checksum.*what can be read of it is block ${report!.newBlockId}`),
  );
  assert.deepEqual(await totalOf(hub, 'cart'), [1, true], 'what was saved is whole');
  assert.deepEqual(await totalOf(hub, 'pay'), [0, false]);
  mend();
  hub.now += DAY / 4;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  const { replaced, problem } = await restoreBlock(hub, blockId);
  assert.deepEqual([replaced, problem], [[report!.newBlockId], undefined]);
  assert.deepEqual(await liveRows(hub), [row], 'exactly as it was');
  for (const [i, service] of SERVICES.entries()) assert.deepEqual(await totalOf(hub, service), [i + 1, true]);
});

test('what was saved is merged on once the rest is given up', async () => {
  const { hub, blockId } = await openHub();
  await damage(hub, (await hub.catalog.get(blockId))!, 'pay', 'seriesSection');
  await rewrite(hub, blockId, true);
  hub.now += DAY / 4;
  assert.equal((await compactBlocks(hub)).jobs, 0);
  await discardBlock(hub, { blockId, dryRun: false });
  assert.equal((await compactBlocks(hub)).jobs, 1);
  assert.deepEqual(await totalOf(hub, 'shop'), [3, true]);
  assert.deepEqual(await totalOf(hub, 'pay'), [0, true]);
});

test('a sealed block that lost a service leaves it to its coarser versions', async () => {
  const { hub } = await openHub();
  hub.now += 6 * DAY;
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  const raw = (await liveRows(hub)).find(({ resolutionSeconds }) => resolutionSeconds === 0)!;
  await damage(hub, raw, 'pay', 'seriesSection');
  const { report, problem } = await rewrite(hub, raw.blockId, true);
  assert.equal(problem, undefined);
  assert.equal(report!.lost.length, 1);
  for (const [i, service] of SERVICES.entries()) assert.deepEqual(await totalOf(hub, service), [i + 1, true]);
  // Within a step of 5 minutes only raw windows answer.
  assert.deepEqual(await totalOf(hub, 'cart', 11 * MINUTE), [1, true]);
  assert.deepEqual(await totalOf(hub, 'pay', 11 * MINUTE), [0, false]);
});

test('before it is sealed, its coarser versions hold what it lost: it is set aside instead', async () => {
  const { hub } = await openHub();
  hub.now += DAY / 4;
  await compactBlocks(hub);
  const raw = (await liveRows(hub)).find(({ resolutionSeconds }) => resolutionSeconds === 0)!;
  await damage(hub, raw, 'pay', 'seriesSection');
  const { problem, isDamaged } = await rewrite(hub, raw.blockId, true);
  assert.match(problem!, /set it aside, and they answer for it/);
  assert.equal(isDamaged, false);
});

test('a block of which nothing can be told apart, or nothing is left, stays', async () => {
  for (const sections of [['batches'], ['seriesSection']] as const) {
    const { hub, blockId } = await openHub();
    const row = (await hub.catalog.get(blockId))!;
    const services = sections[0] === 'batches' ? ['pay'] : SERVICES;
    for (const service of services) await damage(hub, row, service, sections[0]);
    const failed = await rewrite(hub, blockId, true);
    assert.deepEqual([failed.isDamaged, /batches|none can be read/.test(failed.problem!)], [true, true]);
    assert.deepEqual(await liveRows(hub), [row]);
  }
});

test('a wish is planned once, sent like any job, and kept with what came of it', async () => {
  const { hub, blockId } = await openHub();
  const wish = { blockId, salvage: false };
  const first = await requestRewrite(hub, wish);
  hub.now += 1000;
  assert.deepEqual(await requestRewrite(hub, wish), first, 'the same wish');
  const sent: string[] = [];
  const queue = { send: async (jobs: readonly string[]) => void sent.push(...jobs), waiting: async () => 0 };
  assert.equal(await sendJobs(hub, queue, 'recent'), 1);
  const job = fromJobMessage(sent[0]!)!;
  assert.deepEqual(job, copyJob(wish));
  assert.equal(toJobMessage(job), sent[0]);
  assert.equal(fromJobMessage(sent[0]!.replace(',"salvage":false', '')), undefined);
  assert.deepEqual(
    [(await runCompactionJob(hub, job)).jobs, (await runCompactionJob(hub, job)).skipped],
    [1, 1],
  );
  assert.deepEqual((await planJobs(hub, 'recent')).jobs, []);
  const [record] = await listRewrites(hub);
  assert.deepEqual([record!.blockId, record!.doneAt], [blockId, hub.now]);
  await assert.rejects(requestRewrite(hub, { blockId: 'nothing', salvage: false }), { reason: 'not-found' });
});

test('only so many wait, and only the last ones that are done are kept', async () => {
  const { hub } = await openHub();
  const ids: string[] = [];
  for (let i = 0; i <= WAITING_REWRITES_MAX; i++) ids.push(await publishRows(hub, rowsOf(`c/n/b/${10 + i}`)));
  for (const blockId of ids.slice(1)) await requestRewrite(hub, { blockId, salvage: false });
  await assert.rejects(requestRewrite(hub, { blockId: ids[0]!, salvage: false }), { reason: 'too-large' });
  for (const { blockId } of await listRewrites(hub))
    await runCompactionJob(hub, copyJob({ blockId, salvage: false }));
  assert.equal((await listRewrites(hub)).length, 20);
});

test('what was saved of a day is not joined while the day may come back', async () => {
  const { hub } = await openHub();
  const nextDay = rowsOf('c/n/b/2').map((row) => ({ ...row, start: row.start + DAY }));
  await publishRows(hub, nextDay);
  const compactAll = async () => {
    while ((await compactBlocks(hub, 'all')).jobs > 0);
  };
  hub.now += 6 * DAY;
  await compactAll();
  const day = (await liveRows(hub)).find(({ resolutionSeconds }) => resolutionSeconds === 86_400)!;
  const mend = await damage(hub, day, 'pay', 'seriesSection');
  await rewrite(hub, day.blockId, true);
  hub.now += 40 * DAY;
  await compactAll();
  mend();
  await restoreBlock(hub, day.blockId);
  for (const [i, service] of SERVICES.entries()) assert.deepEqual(await totalOf(hub, service), [i + 1, true]);
  await compactAll();
  const joined = (await liveRows(hub)).filter(({ resolutionSeconds }) => resolutionSeconds === 86_400);
  assert.equal(joined.length, 1);
  for (const [i, service] of SERVICES.entries()) assert.deepEqual(await totalOf(hub, service), [i + 1, true]);
});

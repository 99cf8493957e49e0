import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import type { Codec } from '../../core/block/codec.ts';
import { copyJob, listRewrites, requestRewrite } from '../../pipeline/block-rewrites.ts';
import { runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import {
  discardBlock,
  listQuarantinedBlocks,
  quarantineBlock,
  restoreBlock,
} from '../../pipeline/quarantine-blocks.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { codec } from '../core/block/fixtures.ts';
import { publishRows } from './fleet-history.ts';
import { answers, DAY, expectedOf, type Filled, filledHub, killAtEveryStep } from './kill-at-every-step.ts';
import type { MemoryHub } from './memory-hub.ts';

// Whoever sets blocks aside, puts them back, gives them up or writes them anew may be killed at every call of storage: a
// block is live or aside, never both or neither, and its object is there for as long as its row is.

/** A hub, and its one block of level 0 or its sealed raw block. */
async function withBlock(isFresh: boolean): Promise<Filled & { row: BlockRow }> {
  const filled = await filledHub();
  const rows = await filled.hub.catalog.find({ tenant: 'default', from: 0, until: filled.hub.now });
  const row = rows.find(
    ({ level, resolutionSeconds }) => (level === 0) === isFresh && resolutionSeconds === 0,
  );
  return { ...filled, row: row! };
}

async function assertKept({ hub }: Filled, row: BlockRow, when: string): Promise<void> {
  assert.ok(hub.stored.has(blockKey(row.tenant, row.level, row.blockId)), `${when}: its object is there`);
  const { aside: _, ...known } = (await hub.catalog.get(row.blockId, { withAside: true }))!;
  assert.deepEqual(known, row, `${when}: its row is as it was`);
}

test('killed at every step of quarantine, a block is live or aside', async () => {
  for (const isFresh of [true, false]) {
    let row: BlockRow;
    await killAtEveryStep(
      async () => {
        const filled = await withBlock(isFresh);
        row = filled.row;
        return filled;
      },
      (hub) => quarantineBlock(hub, { blockId: row.blockId, reason: 'test', dryRun: false }),
      async (filled, when, isDone) => {
        const { length } = await listQuarantinedBlocks(filled.hub);
        if (isDone) assert.equal(length, 1, when);
        await assertKept(filled, row, when);
        if (length === 0) assert.deepEqual(await answers(filled.hub), expectedOf(filled.rows), when);
      },
    );
  }
});

/** A repeat of what was done finds nothing to do. */
async function unlessDone(work: Promise<unknown>): Promise<void> {
  await work.catch((error) => {
    if (!/is not in quarantine/.test(error.message)) throw error;
  });
}

test('killed at every step of its return, it counts once as soon as it is back', async () => {
  for (const isFresh of [true, false]) {
    let row: BlockRow;
    await killAtEveryStep(
      async () => {
        const filled = await withBlock(isFresh);
        row = filled.row;
        await quarantineBlock(filled.hub, { blockId: row.blockId, reason: 'test', dryRun: false });
        filled.hub.now += DAY;
        await sweepOrphans(filled.hub, { dryRun: false });
        return filled;
      },
      (hub) => unlessDone(restoreBlock(hub, row.blockId)),
      async (filled, when, isDone) => {
        const { length } = await listQuarantinedBlocks(filled.hub);
        if (isDone) assert.equal(length, 0, when);
        await assertKept(filled, row, when);
        if (length === 0) assert.deepEqual(await answers(filled.hub), expectedOf(filled.rows), when);
      },
    );
  }
});

test('killed at every step of giving it up, it is aside or gone', async () => {
  let row: BlockRow;
  await killAtEveryStep(
    async () => {
      const filled = await withBlock(true);
      row = filled.row;
      await quarantineBlock(filled.hub, { blockId: row.blockId, reason: 'test', dryRun: false });
      return filled;
    },
    (hub) => unlessDone(discardBlock(hub, { blockId: row.blockId, dryRun: false })),
    async (filled, when, isDone) => {
      const { length } = await listQuarantinedBlocks(filled.hub);
      if (length === 1) await assertKept(filled, row, when);
      if (!isDone) return;
      assert.equal(await filled.hub.catalog.get(row.blockId, { withAside: true }), undefined, when);
      await sweepOrphans(filled.hub, { dryRun: false });
    },
  );
});

/** A hub with one more block, of two services, as another writer writes it. */
async function withForeignBlock(): Promise<Filled & { row: BlockRow }> {
  const { hub, rows } = await filledHub();
  const batch = ['cart', 'shop'].map((service) => ({
    ...rows[0]!,
    service,
    batch: 'c/n/b/x',
    start: hub.now - DAY,
  }));
  const blockId = await publishRows(hub, batch, foreignCodec);
  return { hub, rows: [...rows, ...batch], row: (await hub.catalog.get(blockId))! };
}

const foreignCodec: Codec = {
  ...codec,
  compress: (raw) => zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }),
};

async function damageFirstService(hub: MemoryHub, row: BlockRow): Promise<void> {
  const { directory } = await openBlockOf(hub, row);
  hub.stored.get(blockKey(row.tenant, row.level, row.blockId))![
    directory.datasets[0]!.seriesSection.offset
  ]! ^= 1;
}

for (const isDamaged of [false, true]) {
  test(`killed at every step of writing a ${isDamaged ? 'damaged' : 'sound'} block anew, answers stay`, async () => {
    let row: BlockRow;
    let before: unknown;
    await killAtEveryStep(
      async () => {
        const filled = await withForeignBlock();
        row = filled.row;
        if (isDamaged) await damageFirstService(filled.hub, row);
        before = isDamaged ? await answers(filled.hub) : expectedOf(filled.rows);
        await requestRewrite(filled.hub, { blockId: row.blockId, salvage: isDamaged });
        return filled;
      },
      (hub) => runCompactionJob(hub, copyJob({ blockId: row.blockId, salvage: isDamaged })),
      async (filled, when, isDone) => {
        assert.deepEqual(await answers(filled.hub), before, when);
        if (!isDone) return;
        const [record] = await listRewrites(filled.hub);
        assert.ok(record!.doneAt !== undefined, when);
        assert.equal(await filled.hub.catalog.get(row.blockId), undefined, when);
        const aside = await listQuarantinedBlocks(filled.hub);
        assert.equal(aside.length, isDamaged ? 1 : 0, when);
        if (isDamaged) await assertKept(filled, row, when);
      },
    );
  });
}

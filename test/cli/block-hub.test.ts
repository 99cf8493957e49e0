// Verbs of `block` that change single blocks of a hub, by its URL: the same words as on a data folder.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { compactBlocks } from '../../pipeline/compact-blocks.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { NOW } from '../api/api-under-test.ts';
import { batchOf } from '../pipeline/fixtures.ts';
import { openHttpHub } from './http-hub.ts';
import { cinderblock } from './kept-terminal.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are compared field by field, which a type would only repeat.
type Json = any;

async function hubWithBlock(t: TestContext) {
  const { url, hub, process } = await openHttpHub(t);
  const rows = ['cart', 'shop'].map((service) => ({ service, stacks: { main: 5 }, samples: 5 }));
  await ingestBatch(hub, { cluster: 'c', bytes: batchOf(1, rows) });
  await process();
  const [{ blockId }] = (await hub.catalog.find({ tenant: hub.tenant, from: 0, until: NOW + 1 })) as [
    BlockRow,
  ];
  const run = (args: readonly string[], overrides = {}) =>
    cinderblock(['block', ...args, '--url', url], { now: () => NOW, ...overrides });
  const json = async (...args: string[]): Promise<Json> => {
    const { code, out, notes } = await run([...args, '--output', 'json']);
    assert.equal(code, 0, notes);
    return JSON.parse(out);
  };
  const damage = async () => {
    const row = (await hub.catalog.get(blockId))!;
    const key = blockKey(row.tenant, row.level, blockId);
    const bytes = (await hub.objects.get(key))!;
    bytes[(await openBlockOf(hub, row)).directory.datasets[0]!.seriesSection.offset]! ^= 1;
    await hub.objects.delete(key);
    await hub.objects.put(key, bytes);
  };
  /** What the hub's scheduler does while the command waits. */
  const compacting = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const ended = work.finally(() => (isDone = true));
    while (!isDone) {
      await compactBlocks(hub);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return ended;
  };
  return { hub, blockId, run, json, damage, compacting };
}

test('a block of a running hub goes to quarantine and comes back', async (t) => {
  const { blockId, run, json, damage } = await hubWithBlock(t);
  const sound = await run(['quarantine', blockId, '--yes']);
  assert.deepEqual([sound.code, /is sound: say with a reason/.test(sound.notes)], [2, true]);
  const dry = await run(['quarantine', blockId, '--reason', 'test', '--dry-run']);
  assert.equal(dry.out, `${blockId} would go to quarantine: test\n`);
  assert.match((await run(['quarantined'])).notes, /no block is in quarantine/);
  assert.equal((await run(['quarantine', blockId, '--reason', 'test'])).code, 2, 'nobody is there to ask');
  assert.equal((await run(['quarantine', blockId, '--reason', 'test', '--yes'])).code, 0);
  assert.partialDeepStrictEqual((await json('quarantined')).blocks, [
    {
      blockId,
      level: 0,
      resolutionSeconds: 0,
      services: ['cart', 'shop'],
      reason: 'test',
      quarantinedAt: NOW,
    },
  ]);
  assert.match((await run(['quarantined'])).out, new RegExp(`^${blockId}\n  level 0, raw, .*\n  test\n$`));
  assert.equal((await run(['restore', blockId])).out, `${blockId} is back\n`);
  assert.equal((await run(['restore', blockId])).code, 3);
  await damage();
  assert.match((await run(['quarantine', blockId, '--yes'])).out, /is in quarantine: .*checksum/);
  const refused = await run(['discard', blockId], { confirm: async () => false });
  assert.deepEqual([refused.code, refused.notes], [3, 'nothing was changed']);
  assert.deepEqual((await json('discard', blockId, '--dry-run')).dryRun, true);
  assert.equal((await run(['discard', blockId, '--yes'])).out, '1 discarded\n');
  assert.deepEqual((await json('quarantined')).blocks, []);
  assert.equal((await run(['discard', blockId, '--yes'])).code, 3);
});

test('a rewrite waits until the hub has done it, or does not', async (t) => {
  const { hub, blockId, run, json, damage, compacting } = await hubWithBlock(t);
  assert.match((await run(['rewrite', blockId, '--dry-run'])).out, /in the current format already/);
  await damage();
  const stays = await compacting(run(['rewrite', blockId]));
  assert.deepEqual([stays.code, /stays as it is: .*checksum/.test(stays.out)], [5, true]);
  const dry = await run(['rewrite', blockId, '--salvage', '--dry-run']);
  assert.match(
    dry.out,
    /would be rewritten: .*\n {2}lost: cart .*, 1 row, \d+ samples?, total \d+, .*checksum/,
  );
  const shown: string[] = [];
  const saved = await compacting(
    run(['rewrite', blockId, '--salvage'], { progress: (line: string) => void shown.push(line) }),
  );
  assert.equal(saved.code, 0, saved.notes);
  assert.match(saved.out, /lost: cart .*\n.* is in quarantine: `block restore` puts it back instead/);
  assert.ok(shown.some((line) => line.startsWith(`the hub rewrites ${blockId}`)));
  const [{ blockId: copy }] = (await json('ls')).blocks;
  assert.ok(saved.out.startsWith(`${blockId} is ${copy} now: `));
  assert.match(
    (await run(['restore', blockId])).out,
    new RegExp(`is back instead of ${copy}, and damaged: `),
  );
  const left = await json('rewrite', blockId, '--salvage', '--no-wait');
  assert.deepEqual([left.rewrites[0].isWaiting, left.rewrites[0].lost], [true, []]);
  assert.ok((await hub.catalog.get(blockId)) !== undefined);
  assert.equal((await run(['rewrite', 'nothing'])).code, 3);
  assert.equal((await run(['rewrite', blockId, '--data', 'x'])).code, 2, 'two places to ask');
});

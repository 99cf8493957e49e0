// Verbs of `block` that work on a data folder of their own: what they print, and that what they change is right.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BlockReader, bytesSource } from '../../core/block/block-reader.ts';
import { BlockWriter } from '../../core/block/block-writer.ts';
import { copyBlock } from '../../core/block/copy-block.ts';
import { compactBlocks, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { blockRowOf } from '../../pipeline/process-batches.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { blockKey } from '../../storage/names.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { openServer } from '../server/server-under-test.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';
import { type BlockContent, inFolder, NOW, otherCodec, publish, START } from './block-folder.ts';
import { cinderblock } from './kept-terminal.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are compared field by field, which a type would only repeat.
type Json = any;

const FIRST: BlockContent = { services: ['cart', 'shop'], windows: [0, 1], batch: 'lab/n/b/1' };
const SECOND: BlockContent = { services: ['shop'], windows: [2], batch: 'lab/n/b/2' };

async function dataFolder(t: TestContext, written = otherCodec) {
  const data = temporaryFolder(t);
  const ids = await inFolder(data, async (hub) => [
    await publish(hub, FIRST, written),
    await publish(hub, SECOND, written),
  ]);
  const now = () => NOW;
  const run = (args: readonly string[], overrides = {}) =>
    cinderblock(['block', ...args, '--data', data], { now, ...overrides });
  const json = async (...args: string[]): Promise<Json> => {
    const { code, out, notes } = await run([...args, '--output', 'json']);
    assert.equal(code, 0, notes);
    return JSON.parse(out);
  };
  const folded = async () => {
    const range = ['--from', String(START), '--until', String(START + 3_600_000)];
    return (await cinderblock(['query', 'flamegraph', '--output', 'folded', ...range, '--data', data])).out;
  };
  const fileOf = (id: string) => join(data, 'objects', 'blocks', 'local', '0', `${id}.block`);
  return { data, first: ids[0]!, second: ids[1]!, run, json, folded, fileOf };
}

test('ls lists blocks with samples and services, and filters', async (t) => {
  const { first, second, run, json } = await dataFolder(t);
  const { code, out } = await run(['ls']);
  assert.equal(code, 0);
  assert.match(out, new RegExp(`^${first} +0 +raw +2026-11-01T10:00:00Z +20 s +.* +48 +cart shop$`, 'm'));
  assert.match(out, new RegExp(`^${second} +.* +10 s +.* +12 +shop$`, 'm'));
  assert.match(out, /^2 blocks, /m);
  const idsOf = async (...args: string[]) =>
    (await json('ls', ...args)).blocks.map(({ blockId }: Json) => blockId);
  assert.deepEqual(await idsOf('--service', 'cart'), [first]);
  assert.deepEqual(await idsOf('--from', '2026-11-01T10:00:20Z'), [second]);
  assert.deepEqual(await idsOf('--until', '2026-11-01T10:00:20Z'), [first]);
  assert.deepEqual(await idsOf('--level', '1'), []);
  assert.deepEqual(await idsOf('--resolution', 'raw'), [first, second]);
  assert.deepEqual(await idsOf('--resolution', '5m'), []);
  const cut = await run(['ls', '--limit', '1']);
  assert.match(cut.notes, /1 more block; --limit shows more/);
});

test('what changes or lists a folder waits until no server holds it', async (t) => {
  const folder = temporaryFolder(t);
  const server = await openServer(t, { dataFolder: folder });
  for (const args of [
    ['ls'],
    ['rewrite', 'X'],
    ['quarantine', 'X'],
    ['quarantined'],
    ['restore', 'X'],
    ['discard', 'X'],
  ]) {
    const { code, notes } = await cinderblock(['block', ...args, '--data', folder]);
    assert.equal(code, 4, args[0]);
    assert.match(notes, /is in use by process/);
  }
  await server.close();
  assert.equal((await cinderblock(['block', 'ls', '--data', folder])).code, 0);
});

test('a block of another writer is rewritten, answers stay, and the second time there is nothing to do', async (t) => {
  const { first, second, run, json, folded, fileOf, data } = await dataFolder(t);
  const before = await folded();
  const { rewrites } = await json('rewrite', first, second);
  const ids = rewrites.map(({ newBlockId }: Json) => newBlockId);
  assert.ok(ids.every((id: string) => id !== undefined && existsSync(fileOf(id))));
  assert.equal(await folded(), before);
  assert.equal((await run(['diff', fileOf(first), fileOf(ids[0])])).code, 0);
  await inFolder(data, deleteMarkedBlocks, () => NOW + 3_600_000);
  assert.ok(!existsSync(fileOf(first)), 'the old one is deleted as merged ones are');
  const again = await run(['rewrite', ...ids]);
  assert.match(again.out, new RegExp(`^${ids[0]} is in the current format already$`, 'm'));
  assert.equal(again.out.match(/already/g)!.length, 2);
  const gone = await run(['rewrite', first]);
  assert.deepEqual([gone.code, /there is no live block/.test(gone.notes)], [3, true]);
});

test('a raw block that coarser versions sum is rewritten, and goes on to count once', async (t) => {
  const { data, json, folded, run } = await dataFolder(t);
  await inFolder(data, (hub) => compactBlocks(hub, 'all'));
  const { blocks } = await json('ls');
  assert.deepEqual(
    blocks.map(({ resolutionSeconds }: Json) => resolutionSeconds).sort((a: number, b: number) => a - b),
    [0, 300, 3600],
  );
  const raw = blocks.find(({ resolutionSeconds }: Json) => resolutionSeconds === 0).blockId;
  const stored = join(data, 'objects', 'blocks', 'local', '1', `${raw}.block`);
  const reader = await BlockReader.open(bytesSource(readFileSync(stored)), zstdCodec);
  const { block } = await copyBlock(reader, zstdCodec, { salvage: false });
  assert.deepEqual(
    Buffer.from(block.bytes),
    readFileSync(stored),
    'a merged block comes out byte for byte, too',
  );
  const before = await folded();
  const whole = await timeline(data);
  await inFolder(data, async (hub) => {
    const row = (await hub.catalog.get(raw))!;
    await hub.objects.delete(blockKey(row.tenant, row.level, raw));
    const other = new BlockWriter(otherCodec);
    for (const entry of reader.directory.datasets) other.addDataset(await reader.dataset(entry));
    const { blockId, tenant, level, resolutionSeconds } = reader.directory;
    const batchIds = await reader.batchIds();
    const written = other.finish({ blockId, tenant, level, resolutionSeconds }, batchIds);
    await hub.objects.put(blockKey(tenant, level, raw), written.bytes);
    await hub.catalog.swap({ remove: [raw], add: [], token: 'out' });
    await hub.catalog.forget(raw);
    await hub.catalog.publish(blockRowOf({ ...written, batchIds }, row.createdAt));
  });
  assert.equal((await json('rewrite', raw)).rewrites[0].newBlockId.length, 26);
  assert.equal((await run(['rewrite', raw])).code, 3, 'it is gone');
  assert.equal(await folded(), before);
  assert.equal(await timeline(data), whole);
});

/** One point for the whole day: of the coarsest version. */
async function timeline(data: string): Promise<string> {
  const day = ['--from', '2026-11-01', '--until', '2026-11-02', '--points', '1', '--output', 'json'];
  const { out } = await cinderblock(['query', 'series', ...day, '--data', data], { now: () => NOW });
  const { completeness, series } = JSON.parse(out);
  assert.equal(completeness.resolutionSeconds, 3600);
  return JSON.stringify(series);
}

test('a rewritten file is byte for byte what the writer makes of it, and never takes the place of another', async (t) => {
  const { first, second, run, fileOf, data } = await dataFolder(t);
  const out = join(data, 'copy.block');
  const { code, notes } = await run(['rewrite', first, '--file', out]);
  assert.equal(code, 0, notes);
  const twice = join(data, 'twice.block');
  assert.match((await run(['rewrite', out, '--file', twice])).out, /byte for byte the same/);
  assert.deepEqual(readFileSync(twice), readFileSync(out));
  assert.notDeepEqual(readFileSync(out), readFileSync(fileOf(first)));
  assert.equal((await run(['rewrite', second, '--file', out])).code, 2, 'the file exists');
});

test('a damaged block is not rewritten', async (t) => {
  const { first, run, fileOf } = await dataFolder(t);
  damage(fileOf(first));
  const { code, notes } = await run(['rewrite', first]);
  assert.equal(code, 5, notes);
});

test('a damaged block is set aside with its reason, kept, and put back', async (t) => {
  const { data, first, second, run, json, folded, fileOf } = await dataFolder(t);
  const whole = await folded();
  const sound = await run(['quarantine', first, '--yes']);
  assert.deepEqual([sound.code, /is sound: say with a reason/.test(sound.notes)], [2, true]);
  const bytes = damage(fileOf(first));
  assert.equal((await run(['quarantine', first])).code, 2, 'nobody is there to ask');
  const refused = await run(['quarantine', first], { confirm: async () => false });
  assert.deepEqual([refused.code, refused.notes], [3, 'nothing was changed']);
  assert.equal((await run(['quarantine', first, '--yes'])).code, 0);
  assert.deepEqual(
    (await json('ls')).blocks.map(({ blockId }: Json) => blockId),
    [second],
  );
  const [entry] = (await json('quarantined')).blocks;
  assert.partialDeepStrictEqual(entry, { blockId: first, level: 0, services: ['cart', 'shop'] });
  assert.match(entry.reason, /checksum/);
  const aDayLater = () => NOW + 30 * 3_600_000;
  await inFolder(
    data,
    async (hub) => {
      await deleteMarkedBlocks(hub);
      assert.deepEqual((await sweepOrphans(hub, { dryRun: false })).missing, []);
    },
    aDayLater,
  );
  assert.deepEqual(readFileSync(fileOf(first)), bytes, 'it stays where it is');
  const restored = await run(['restore', first]);
  assert.equal(restored.code, 0, restored.notes);
  assert.match(restored.out, /is back, and damaged: /);
  assert.deepEqual(readFileSync(fileOf(first)), bytes);
  bytes[100]! ^= 0x10;
  writeFileSync(fileOf(first), bytes);
  assert.equal(await folded(), whole, 'once mended, answers are as they were');
  assert.deepEqual((await json('quarantined')).blocks, []);
  assert.equal((await run(['restore', first])).code, 3);
});

test('a block whose object is gone leaves the catalog too, and says so when it is wanted back', async (t) => {
  const { first, run, fileOf } = await dataFolder(t);
  rmSync(fileOf(first));
  assert.match((await run(['ls'])).out, /damaged +its object is gone/);
  assert.match((await run(['quarantine', first, '--yes'])).out, /its object is gone/);
  assert.match((await run(['quarantined'])).out, /its object is gone/);
  const { code, notes } = await run(['restore', first]);
  assert.deepEqual([code, /the object of block .* is gone/.test(notes)], [3, true]);
});

/** Flips a bit of a section; answers the bytes. */
function damage(path: string): Buffer {
  const bytes = readFileSync(path);
  bytes[100]! ^= 0x10;
  writeFileSync(path, bytes);
  return bytes;
}

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BlockBuilder } from '../../core/block/block-builder.ts';
import type { WrittenBlock } from '../../core/block/block-writer.ts';
import { CPU_PROFILE_TYPE } from '../../core/labels/profile-type.ts';
import { addFolded } from '../../core/profile/folded-profile.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { cinderblock } from './kept-terminal.ts';

const START = 1_763_717_400_000;
const home = mkdtempSync(join(tmpdir(), 'cinderblock-cli-block-'));
const data = join(home, 'data');
const file = join(home, 'sound.block');
let written: WrittenBlock;

before(() => {
  written = aBlock();
  writeFileSync(file, written.bytes);
  mkdirSync(join(data, 'objects', 'blocks', 'local', '0'), { recursive: true });
  writeFileSync(join(data, 'objects', 'blocks', 'local', '0', 'THEBLOCK.block'), written.bytes);
});

after(() => rmSync(home, { recursive: true }));

/** Two services, two windows each; the total of shop passes 2^53. */
function aBlock(): WrittenBlock {
  const builder = new BlockBuilder();
  const batch = builder.batch('c/n/b/1');
  for (const service of ['cart', 'shop']) {
    for (const startMs of [START, START + 15_000]) {
      addFolded(builder.dataset(service), {
        text: Array.from({ length: 40 }, (_, i) => `main;handle_${i};parse ${i + 1}`).join('\n'),
        labels: [['service_name', service]],
        batch,
        profileType: CPU_PROFILE_TYPE,
        valueScale: service === 'shop' ? 10_000_000_000_000 : 1,
        startMs,
        durationMs: 15_000,
      });
    }
  }
  return builder.write({ blockId: 'THEBLOCK', tenant: 'local', level: 0, resolutionSeconds: 0 }, zstdCodec);
}

test('inspect prints datasets, exact totals, windows, section sizes and batches', async () => {
  const { code, out } = await cinderblock(['block', 'inspect', file]);
  assert.equal(code, 0);
  assert.match(out, /^block THEBLOCK$/m);
  assert.match(
    out,
    /^shop +process_cpu:cpu:nanoseconds:cpu:nanoseconds +1 +2 +15 s +2 +1,640 +16400000000000000$/m,
  );
  assert.match(out, /^symbols of cart +\d+ +\d+ +[\d,]+ +\d+\.\d%$/m);
  assert.match(out, /^1 batch\n {2}c\/n\/b\/1$/m);
});

test('section sizes of inspect add up to the file', async () => {
  const { out } = await cinderblock(['block', 'inspect', file, '--output', 'json']);
  const [block] = JSON.parse(out).blocks;
  let bytes = 8 + 32 + block.directoryBytes + block.batches.stored;
  for (const { series, symbols, types } of block.datasets) {
    bytes += series.stored + symbols.stored;
    for (const { totals, samplesSection } of types) bytes += totals.stored + samplesSection.stored;
  }
  assert.equal(bytes, block.bytes);
  assert.equal(block.datasets[1].types[0].total, '16400000000000000');
});

test('a block is found by its id in a data folder, whoever holds that', async () => {
  const { code, out } = await cinderblock(['block', 'verify', 'THEBLOCK', '--data', data]);
  assert.equal(code, 0);
  assert.match(out, /^sound: .*THEBLOCK\.block, 9 sections/);
  const missing = await cinderblock(['block', 'verify', 'OTHER', '--data', data]);
  assert.equal(missing.code, 2);
  assert.match(missing.notes, /there is no block OTHER in /);
});

test('verify names each damaged section with its bytes, and goes on', async () => {
  const bytes = Buffer.from(readFileSync(file));
  const [cart, shop] = written.directory.datasets;
  const damaged = [cart!.symbolsSection, shop!.types[0]!.samplesSection];
  for (const { offset } of damaged) bytes[offset + 3]! ^= 0x10;
  const broken = join(home, 'broken.block');
  writeFileSync(broken, bytes);
  const { code, out } = await cinderblock(['block', 'verify', file, broken]);
  assert.equal(code, 5);
  const [first, ...rest] = out.trim().split('\n');
  assert.match(first!, /^sound: /);
  assert.equal(rest.length, 2);
  const place = ({ offset, storedLength }: { offset: number; storedLength: number }) =>
    `at bytes ${offset} to ${offset + storedLength}: its checksum does not match`;
  assert.ok(rest[0]!.includes(`symbols of cart ${place(damaged[0]!)}`), rest[0]);
  assert.ok(rest[1]!.includes(`samples of shop ${CPU_PROFILE_TYPE} ${place(damaged[1]!)}`), rest[1]);
});

test('no flipped byte anywhere is called sound', async () => {
  const original = readFileSync(file);
  const broken = join(home, 'flipped.block');
  for (let at = 0; at < original.length; at += at < 8 ? 1 : 7) {
    const bytes = Buffer.from(original);
    bytes[at]! ^= 0xff;
    writeFileSync(broken, bytes);
    const { code } = await cinderblock(['block', 'verify', broken]);
    assert.equal(code, 5, `byte ${at}`);
  }
});

test('what is no block at all is damage of its end, for inspect too', async () => {
  const text = join(home, 'notes.txt');
  writeFileSync(text, 'no block, but long enough to hold the header and the trailer of one');
  const verified = await cinderblock(['block', 'verify', text]);
  assert.equal(verified.code, 5);
  assert.match(verified.out, /header at bytes 0 to 8: does not begin as a block does/);
  assert.match(verified.out, /trailer at bytes \d+ to \d+: /);
  const inspected = await cinderblock(['block', 'inspect', text]);
  assert.equal(inspected.code, 5);
  assert.match(inspected.notes, /notes\.txt, trailer/);
});

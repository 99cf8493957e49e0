import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { readSpool } from '../../../agent/spool/read-spool.ts';
import { Spool } from '../../../agent/spool/spool.ts';
import { nodeFs, type SpoolFs } from '../../../agent/spool/spool-fs.ts';
import { firstState, newestSlot, StateFile } from '../../../agent/spool/spool-state.ts';
import { SPOOLED_HOURS_MAX } from '../../../core/batch/spool-account.ts';
import { seededRandom } from '../seeded-random.ts';
import { SimulatedFs } from '../simulated-fs.ts';

const WRITER = join(import.meta.dirname, 'spool-writer.ts');

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-spool-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(
  fs: SpoolFs,
  folder: string,
  more: { bytesMax?: number; segmentBytes?: number; bootId?: string } = {},
): Spool {
  const { bytesMax = 1e9, segmentBytes, bootId = 'boot' } = more;
  return new Spool({ fs, folder, bootId, bytesMax, ageMaxMs: 1e9, segmentBytes, log: () => {} });
}

/** Announces and spools a batch of `samples` samples whose payload has `bytes` bytes. */
function add(spool: Spool, samples: number, bytes = 100): boolean {
  spool.gather({ taken: samples, lost: 1 });
  const { taken, lost } = spool.unreported;
  const encode = ({ sequence }: { sequence: number }) => new Uint8Array(bytes).fill(sequence);
  return spool.append({ kept: samples, taken, lost, firstWindow: 0, lastWindow: 10, createdMs: 5, encode });
}

function drain(spool: Spool): { taken: number; droppedSamples: number; batches: number } {
  const sum = { taken: 0, droppedSamples: 0, batches: 0 };
  for (let batch = spool.peek(); batch !== undefined; batch = spool.peek()) {
    sum.taken += batch.header.says.taken;
    sum.droppedSamples += batch.header.says.droppedSamples;
    sum.batches++;
    spool.acknowledge(batch.header.ordinal);
  }
  return sum;
}

test('batches come back in order after a restart, under their own boot and number', () => {
  const fs = new SimulatedFs(seededRandom(1));
  const first = open(fs, '/s', { bootId: 'one' });
  add(first, 3);
  add(first, 4);
  const second = open(fs, '/s', { bootId: 'two' });
  add(second, 5);
  assert.equal(second.batches, 3);
  const seen: string[] = [];
  for (let batch = second.peek(); batch !== undefined; batch = second.peek()) {
    seen.push(`${batch.header.bootId}/${batch.header.sequence}`);
    second.acknowledge(batch.header.ordinal);
  }
  assert.deepEqual(seen, ['one/1', 'one/2', 'two/1']);
});

test('samples that were announced and never spooled are said by the next batch', () => {
  const fs = new SimulatedFs(seededRandom(1));
  open(fs, '/s').gather({ taken: 70, lost: 7 });
  const spool = open(fs, '/s', { bootId: 'next' });
  assert.equal(spool.recovered.samples, 70);
  add(spool, 5);
  const { header } = spool.peek()!;
  assert.deepEqual(
    { kept: header.kept, ...header.says },
    { kept: 5, taken: 75, lost: 8, droppedBatches: 0, droppedSamples: 0 },
  );
});

test('no room: the oldest are given up but for the one that may be on its way, and the next batch says how much', () => {
  const spool = open(new SimulatedFs(seededRandom(1)), '/s', { bytesMax: 4_000, segmentBytes: 1_000 });
  for (let i = 1; i <= 20; i++) assert.ok(add(spool, i, 300));
  assert.ok(spool.bytes <= 4_000);
  assert.equal(spool.peek()!.header.sequence, 1);
  const said = drain(spool);
  assert.equal(spool.dropped.space.batches + said.batches, 20);
  assert.equal(said.taken + said.droppedSamples + spool.unreported.droppedSamples, 210);
});

for (const [what, at] of [
  ['the magic number', 0],
  ['the length of the header', 4],
  ['the length of the payload', 8],
  ['the header', 30],
  ['the payload', 120],
] as const) {
  test(`a flipped bit in ${what} costs one batch, which is counted`, () => {
    const fs = new SimulatedFs(seededRandom(1));
    const before = open(fs, '/s');
    add(before, 10, 500);
    add(before, 20, 500);
    add(before, 30, 500);
    const { offset } = readSpool('/s', fs).entries[1]!;
    fs.flip(readSpool('/s', fs).entries[1]!.segment, offset + at, 3);
    const spool = open(fs, '/s', { bootId: 'next' });
    const said = drain(spool);
    assert.deepEqual(said, { taken: 40, droppedSamples: 0, batches: 2 });
    assert.deepEqual(spool.dropped.damaged, { batches: 1, samples: 20 });
    assert.equal(spool.unreported.droppedSamples, 20);
  });
}

test('any flipped bits of segments cost batches and are counted, never more and never less', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    const fs = new SimulatedFs(random);
    const before = open(fs, '/s', { segmentBytes: 1_500 });
    for (let i = 1; i <= 10; i++) add(before, i, 300);
    const paths = [...new Set(readSpool('/s', fs).entries.map(({ segment }) => segment))];
    for (let flips = 0; flips < 3; flips++) {
      const path = paths[Math.floor(random() * paths.length)]!;
      fs.flip(path, Math.floor(random() * fs.sizeOf(path)), Math.floor(random() * 8));
    }
    const spool = open(fs, '/s', { bootId: 'next' });
    const { taken, batches } = drain(spool);
    assert.equal(taken + spool.unreported.droppedSamples, 55, `seed ${seed}`);
    assert.equal(batches + spool.dropped.damaged.batches, 10, `seed ${seed}`);
  }
});

test('a lost state sends everything again rather than nothing', () => {
  const fs = new SimulatedFs(seededRandom(1));
  const before = open(fs, '/s');
  add(before, 10);
  add(before, 20);
  before.acknowledge(before.peek()!.header.ordinal);
  for (const slot of [0, 4096]) fs.flip('/s/state', slot + 20, 1);
  const spool = open(fs, '/s', { bootId: 'next' });
  assert.deepEqual(drain(spool), { taken: 30, droppedSamples: 0, batches: 2 });
});

test('one damaged slot of the state changes nothing', () => {
  for (const slot of [0, 4096]) {
    const fs = new SimulatedFs(seededRandom(1));
    const before = open(fs, '/s');
    add(before, 10);
    add(before, 20);
    fs.flip('/s/state', slot + 20, 1);
    const spool = open(fs, '/s', { bootId: 'next' });
    assert.deepEqual(drain(spool), { taken: 30, droppedSamples: 0, batches: 2 });
    assert.equal(spool.unreported.taken, 0);
  }
});

test('a first state torn at any byte is no state, never an error', () => {
  const fs = new SimulatedFs(seededRandom(1));
  const { file } = StateFile.open(fs, '/s');
  file.write(firstState);
  const slots = fs.open('/s/state');
  // The first write goes to the second slot.
  const whole = slots.read(4096, 4096).slice();
  const written = whole.findLastIndex((byte) => byte !== 0) + 1;
  for (let torn = 0; torn <= written; torn++) {
    slots.write(
      4096,
      whole.map((byte, i) => (i < torn ? byte : 0)),
    );
    assert.equal(newestSlot(slots) !== undefined, torn === written, `torn after ${torn} bytes`);
  }
});

test('a refused batch is set aside with its reason', (t) => {
  const folder = temporaryFolder(t);
  const spool = open(nodeFs, folder);
  add(spool, 10);
  spool.reject(spool.peek()!.header.ordinal, 'HTTP 400: it is broken');
  const report = readSpool(folder);
  assert.deepEqual(report.rejected, ['000000000001.reason.txt', '000000000001.rejected']);
  assert.match(readFileSync(join(folder, 'rejected', '000000000001.reason.txt'), 'utf8'), /it is broken/);
  assert.equal(report.waiting, 0);
  assert.equal(report.unreported!.droppedSamples, 10);
});

test('a file system that writes nothing at all costs samples, counted, and no crash', () => {
  const fs = new SimulatedFs(seededRandom(1));
  const spool = open(fs, '/s');
  fs.capacity = fs.used;
  for (let i = 0; i < 5; i++) assert.equal(add(spool, 10), false);
  fs.capacity = Number.POSITIVE_INFINITY;
  assert.ok(add(spool, 10));
  const { header } = spool.peek()!;
  assert.deepEqual([header.says.taken, header.kept], [60, 10]);
});

test('on a full disk the newest batches are kept and the rest is counted', (t) => {
  const folder = temporaryFolder(t);
  const mounted = join(folder, 'small');
  try {
    execFileSync('mkdir', [mounted]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', mounted], { stdio: 'ignore' });
  } catch {
    t.diagnostic('mounting needs root; the same is held over a simulated disk in spool.fuzz.ts');
    return;
  }
  try {
    const spool = open(nodeFs, `${mounted}/spool`, { segmentBytes: 64 * 1024 });
    for (let i = 1; i <= 100; i++) assert.ok(add(spool, i, 20_000), `batch ${i} finds room`);
    assert.ok(spool.bytes <= 512 * 1024);
    assert.ok(spool.dropped.space.batches > 50);
    let newest = 0;
    let said = spool.unreported.droppedSamples;
    for (let batch = spool.peek(); batch !== undefined; batch = spool.peek()) {
      said += batch.header.says.taken + batch.header.says.droppedSamples;
      newest = batch.header.sequence;
      spool.acknowledge(batch.header.ordinal);
    }
    assert.equal(newest, 100);
    assert.equal(said, 5050);
    spool.close();
  } finally {
    execFileSync('umount', [mounted]);
  }
});

test('kill -9 of a writer at any moment loses nothing that it was told is on disk', async (t) => {
  const folder = temporaryFolder(t);
  const random = seededRandom(Number(process.env.CINDERBLOCK_SEED ?? 1));
  let announced = 0;
  let pending = 0;
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      WRITER,
      folder,
      `boot-${round}`,
    ]);
    const lines = createInterface({ input: child.stdout });
    const lineLimit = 5 + Math.floor(random() * 60);
    let lineCount = 0;
    lines.on('line', (line) => {
      const [what, samples] = line.split(' ');
      // "will" comes before the call and "did" after it: what was under way when it died may or may not have happened.
      if (what === 'will') pending = Number(samples);
      else {
        announced += Number(samples);
        pending = 0;
      }
      if (++lineCount === lineLimit) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const spool = open(nodeFs, folder, { bootId: `check-${round}` });
    if (spool.gathered !== announced) {
      assert.equal(spool.gathered, announced + pending, 'the announcement under way is there whole');
      announced += pending;
    }
    pending = 0;
    spool.close();
  }
  const spool = open(nodeFs, folder, { bootId: 'last' });
  const { taken } = drain(spool);
  assert.equal(taken + spool.unreported.taken, announced);
  assert.deepEqual(spool.dropped.damaged, { batches: 0, samples: 0 });
  spool.close();
});

test('a folder keeps its id for as long as it lives, and one that lost it gets another', () => {
  const fs = new SimulatedFs(seededRandom(1));
  const idOf = (folder: string, bootId: string) => open(fs, folder, { bootId }).account.spoolId;
  assert.equal(idOf('/s', 'one'), 'one');
  assert.equal(idOf('/s', 'two'), 'one');
  assert.equal(idOf('/t', 'three'), 'three');
  for (const torn of ['', 'on', 'one', '../../x\n']) {
    const file = fs.open('/s/id');
    file.truncate(0);
    file.write(0, new TextEncoder().encode(torn));
    assert.equal(idOf('/s', 'four'), 'four', JSON.stringify(torn));
    assert.equal(idOf('/s', 'five'), 'four');
  }
  fs.remove('/s/id');
  fs.capacity = fs.used;
  assert.equal(idOf('/s', 'six'), 'six');
  assert.equal(idOf('/s', 'seven'), 'seven', 'on a full disk it is not kept');
});

test('a spool of more hours than a heartbeat carries tells the newest, and how much there is in all', () => {
  const spool = open(new SimulatedFs(seededRandom(1)), '/s');
  const hours = SPOOLED_HOURS_MAX + 4;
  for (let hour = 0; hour < hours; hour++) {
    const window = { firstWindow: hour * 3_600_000, lastWindow: hour * 3_600_000 + 10, createdMs: 5 };
    spool.gather({ taken: 10, lost: 0 });
    spool.append({ kept: 7, taken: 10, lost: 0, ...window, encode: () => new Uint8Array(10) });
  }
  const { account } = spool;
  assert.deepEqual([account.batches, account.samples], [hours, 7 * hours]);
  assert.deepEqual(
    account.hours.map(({ hourMs, first, kept, dropped }) => [hourMs / 3_600_000, first, kept, dropped]),
    Array.from({ length: SPOOLED_HOURS_MAX }, (_, i) => [hours - 1 - i, hours - i, 7, 3]),
  );
});

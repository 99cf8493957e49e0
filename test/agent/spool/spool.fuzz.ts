// Laws of the spool, held over random runs with a crash at any write, loss of power, a full disk and small limits:
//   every gathered sample is said exactly once: in a batch that the hub has, in what a batch reports, or in what is
//   still unreported; batches arrive in order and unchanged; numbers of a boot have no gaps; what the spool says that it
//   holds, hour by hour, is what is on the disk.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Spool, type SpooledBatch } from '../../../agent/spool/spool.ts';
import type { SpoolAccount, SpooledHour } from '../../../core/batch/spool-account.ts';
import { fuzzRuns, seededRandom, wholeBetween } from '../seeded-random.ts';
import { Crash, SimulatedFs } from '../simulated-fs.ts';

const HOUR_MS = 3_600_000;

interface Run {
  readonly random: () => number;
  readonly fs: SimulatedFs;
  spool: Spool;
  boots: number;
  now: number;
  gathered: number;
  lost: number;
  /** Taken in a call that crashed: they may or may not have been noted. */
  uncertain: number;
  uncertainLost: number;
  readonly written: Map<string, Uint8Array>;
  readonly hub: Map<string, SpooledBatch['header']>;
  lastOrdinal: number;
  readonly bytesMax: number;
  spoolId?: string;
}

function open(run: Pick<Run, 'fs' | 'boots' | 'bytesMax'>): Spool {
  return new Spool({
    fs: run.fs,
    folder: '/spool',
    bootId: `boot-${run.boots}`,
    bytesMax: run.bytesMax,
    ageMaxMs: 5_000,
    segmentBytes: 3_000,
    log: () => {},
  });
}

function gatherAndAppend(run: Run): void {
  const { random, spool } = run;
  const taken = wholeBetween(random, 1, 1000);
  const lost = random() < 0.3 ? wholeBetween(random, 1, 50) : 0;
  run.uncertain = taken;
  run.uncertainLost = lost;
  spool.gather({ taken, lost });
  run.uncertain = run.uncertainLost = 0;
  run.gathered += taken;
  run.lost += lost;
  if (random() < 0.3) return;
  const owed = spool.unreported;
  const kept = wholeBetween(random, 0, owed.taken + 1);
  const bootId = `boot-${run.boots}`;
  spool.append({
    kept,
    taken: owed.taken,
    lost: owed.lost,
    // A thousand times as fast: a run is some hours long.
    firstWindow: run.now * 1000,
    lastWindow: run.now * 1000 + 10,
    createdMs: run.now,
    encode: (claim) => {
      assert.equal(claim.taken, owed.taken);
      const payload = new Uint8Array(wholeBetween(seededRandom(claim.sequence), 0, 900)).fill(claim.sequence);
      run.written.set(`${bootId}/${claim.sequence}`, payload);
      return payload;
    },
  });
}

function upload(run: Run): void {
  const batch = run.spool.peek();
  if (batch === undefined) return;
  const { header, payload } = batch;
  const id = `${header.bootId}/${header.sequence}`;
  assert.deepEqual(payload, run.written.get(id), `batch ${id} is not what was written`);
  assert.ok(header.ordinal >= run.lastOrdinal, 'batches come in order');
  run.lastOrdinal = header.ordinal;
  const known = run.hub.get(id);
  if (known) assert.deepEqual(known, header, 'a batch that is sent again says the same');
  const choice = run.random();
  if (choice < 0.1) return;
  if (choice < 0.2 && known === undefined) {
    run.spool.reject(header.ordinal, 'HTTP 400: no');
    return;
  }
  run.hub.set(id, header);
  if (choice < 0.3) return;
  run.spool.acknowledge(header.ordinal);
}

function reopen(run: Run, isPowerLost: boolean): void {
  if (isPowerLost) run.fs.losePower();
  else run.fs.restartProcess();
  run.boots++;
  const before = run.gathered;
  run.spool = open(run);
  // What was noted by the call that crashed shows now, all or nothing.
  const said = total(run);
  if (run.uncertain > 0 && said.taken === before + run.uncertain) {
    run.gathered += run.uncertain;
    run.lost += run.uncertainLost;
  }
  run.uncertain = run.uncertainLost = 0;
}

/** Everything that is said anywhere: by the hub's batches, by batches that wait, or not yet. */
function total(run: Run): { taken: number; lost: number } {
  const { unreported } = run.spool;
  const said = new Map(run.hub);
  for (const header of waiting(run)) said.set(`${header.bootId}/${header.sequence}`, header);
  let taken = unreported.taken + unreported.droppedSamples;
  let { lost } = unreported;
  for (const { says } of said.values()) {
    taken += says.taken + says.droppedSamples;
    lost += says.lost;
  }
  return { taken, lost };
}

/** Headers of what waits, read from a second look at the same files. */
function waiting(run: Run): SpooledBatch['header'][] {
  const copy = run.fs.copy();
  const spool = open({ ...run, fs: copy });
  const headers: SpooledBatch['header'][] = [];
  for (let batch = spool.peek(); batch !== undefined; batch = spool.peek()) {
    headers.push(batch.header);
    spool.acknowledge(batch.header.ordinal);
  }
  return headers;
}

/** What a heartbeat has to say of the batches on the disk. */
function accountOf(headers: readonly SpooledBatch['header'][]): Omit<SpoolAccount, 'spoolId'> {
  const groups = Map.groupBy(headers, (header) => `${header.bootId} ${hourOf(header)}`);
  const sum = (of: readonly SpooledBatch['header'][], field: (header: SpooledBatch['header']) => number) =>
    of.reduce((total, header) => total + field(header), 0);
  const hours = [...groups.values()].map((of) => ({
    bootId: of[0]!.bootId,
    hourMs: hourOf(of[0]!),
    first: Math.min(...of.map(({ sequence }) => sequence)),
    end: Math.max(...of.map(({ sequence }) => sequence)) + 1,
    batches: of.length,
    kept: sum(of, ({ kept }) => kept),
    dropped: sum(of, ({ kept, says }) => says.taken - kept + says.droppedSamples),
    lost: sum(of, ({ says }) => says.lost),
  }));
  const newest = (a: SpooledHour, b: SpooledHour) => b.hourMs - a.hourMs || bootOf(b) - bootOf(a);
  return { batches: headers.length, samples: sum(headers, ({ kept }) => kept), hours: hours.sort(newest) };
}

function hourOf({ firstWindow }: { firstWindow: number }): number {
  return Math.floor(firstWindow / HOUR_MS) * HOUR_MS;
}

function bootOf({ bootId }: { bootId: string }): number {
  return Number(bootId.replace('boot-', ''));
}

function step(run: Run): void {
  const choice = run.random();
  run.now += wholeBetween(run.random, 0, 400);
  if (choice < 0.45) gatherAndAppend(run);
  else if (choice < 0.85) upload(run);
  else if (choice < 0.9) run.spool.expire(run.now);
  else if (choice < 0.95) run.fs.capacity = run.random() < 0.5 ? run.fs.used + 700 : Number.POSITIVE_INFINITY;
  else run.fs.crashAfter = wholeBetween(run.random, 1, 12);
}

function simulate(seed: number): void {
  const random = seededRandom(seed);
  const fs = new SimulatedFs(random);
  const bytesMax = random() < 0.5 ? 1e9 : wholeBetween(random, 4_000, 20_000);
  const base = { random, fs, boots: 1, now: 1_000_000, bytesMax };
  const run: Run = {
    ...base,
    spool: open(base),
    gathered: 0,
    lost: 0,
    uncertain: 0,
    uncertainLost: 0,
    written: new Map(),
    hub: new Map(),
    lastOrdinal: 0,
  };
  for (let i = 0; i < 80; i++) {
    try {
      step(run);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      reopen(run, random() < 0.5);
    }
    assert.deepEqual(total(run), { taken: run.gathered, lost: run.lost }, `after step ${i}`);
    const onDisk = waiting(run);
    assert.equal(run.spool.batches, onDisk.length, `batches that wait after step ${i}`);
    const { spoolId, ...account } = run.spool.account;
    assert.deepEqual(account, accountOf(onDisk), `what the spool says that it holds after step ${i}`);
    assert.equal(spoolId, (run.spoolId ??= spoolId), 'the folder keeps its id');
    assert.ok(run.spool.bytes <= Math.max(bytesMax, 0), `${run.spool.bytes} bytes are within ${bytesMax}`);
  }
  checkSequences(run);
}

/** All batches that were ever spooled have the numbers 1, 2, 3 … of their boot. */
function checkSequences(run: Run): void {
  const byBoot = Map.groupBy(run.hub.values(), ({ bootId }) => bootId);
  for (const [bootId, headers] of byBoot) {
    const last = Math.max(...headers.map(({ sequence }) => sequence));
    for (let sequence = 1; sequence <= last; sequence++) assert.ok(run.written.has(`${bootId}/${sequence}`));
  }
}

test('every sample is said exactly once, whatever happens', () => {
  const { seed, runs } = fuzzRuns(400);
  for (let i = 0; i < runs; i++) {
    try {
      simulate(seed + i);
    } catch (error) {
      throw new Error(`CINDERBLOCK_SEED=${seed + i}: ${(error as Error).message}`, { cause: error });
    }
  }
});

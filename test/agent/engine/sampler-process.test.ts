import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { WindowStatus } from '../../../agent/batch-builder.ts';
import { systemClock } from '../../../agent/clock.ts';
import { SamplerProcess } from '../../../agent/engine/sampler-process.ts';

const FAKE = join(import.meta.dirname, 'fake-sampler.ts');

interface Watched {
  readonly sampler: SamplerProcess;
  readonly statuses: (WindowStatus | undefined)[];
  readonly profiles: Uint8Array[];
  readonly said: string[];
  readonly pids: number[];
  readonly starts: () => string[];
}

/** Supervises a fake sampler that behaves as it is told, start by start. Waits between starts are cut to nothing. */
function supervise(t: TestContext, behaviour: string, offsetMs = () => 0): Watched {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-sampler-'));
  const binary = join(folder, 'sampler');
  const startsFile = join(folder, 'starts');
  const environment = `FAKE_SAMPLER=${behaviour} FAKE_SAMPLER_STARTS=${startsFile}`;
  writeFileSync(binary, `#!/bin/sh\n${environment} exec ${process.execPath} ${FAKE} "$@"\n`);
  chmodSync(binary, 0o755);
  const watched = { statuses: [], profiles: [], said: [], pids: [] } as Pick<
    Watched,
    'statuses' | 'profiles' | 'said' | 'pids'
  >;
  const clock = { ...systemClock, sleep: (_: number, signal?: AbortSignal) => systemClock.sleep(5, signal) };
  const log = (_: string, message: string) => void watched.said.push(message);
  const options = {
    binary,
    frequency: 19,
    windowSeconds: 10,
    symbolCpuPercent: 10,
    stackBytes: 16384,
    hasKernel: true,
  };
  const sampler = new SamplerProcess(
    { ...options, clockOffsetMs: offsetMs, clock, random: () => 0.5, log },
    {
      profiles: (bytes) => watched.profiles.push(bytes),
      windowClosed: (status) => watched.statuses.push(status),
      started: (pid) => watched.pids.push(pid),
    },
  );
  t.after(async () => {
    await sampler.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const starts = () => readFileSync(startsFile, 'utf8').trim().split('\n');
  return { ...watched, sampler, starts };
}

async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !isDone(); i++) await systemClock.sleep(10);
  assert.ok(isDone());
}

test('windows come through, and stopping brings the last one', async (t) => {
  const { sampler, statuses, profiles, pids, starts } = supervise(t, 'good');
  sampler.start();
  await until(() => statuses.length === 1);
  await sampler.stop();
  assert.equal(statuses.length, 2);
  assert.equal(profiles.length, 4);
  assert.equal(pids.length, 1);
  assert.match(
    starts()[0]!,
    /--frequency 19 --window 10 --clock-offset-ms 0 --stack-bytes 16384 --symbol-cpu 10$/,
  );
  assert.equal(sampler.condition.rssBytes, 7_000_000);
  assert.equal(sampler.condition.cpuPercent, 0.2);
  assert.equal(sampler.crashes, 0);
});

test('a sampler that crashes is started again, and its last words are said', async (t) => {
  const { sampler, statuses, said } = supervise(t, 'crash,crash,good');
  sampler.start();
  await until(() => statuses.length === 3);
  assert.equal(sampler.crashes, 2);
  assert.match(
    said[0]!,
    /the sampler ended with exit code 3: something broke; starting it again in \d+\.\d s/,
  );
});

test('profiles of a window whose end never comes still count', async (t) => {
  const { sampler, statuses, profiles } = supervise(t, 'die-in-window,good');
  sampler.start();
  await until(() => statuses.length === 2);
  assert.equal(statuses[0], undefined);
  assert.equal(profiles.length, 3);
});

for (const [behaviour, words] of [
  ['garbage', /sent something else than frames: engine frame: announces 4294967295 bytes/],
  ['bad-status', /sent something else than frames: engine status: windowStartMs is not a count/],
] as const) {
  test(`a sampler that sends ${behaviour} is ended and started again`, async (t) => {
    const { sampler, statuses, said } = supervise(t, `${behaviour},good`);
    sampler.start();
    await until(() => statuses.length === 1);
    assert.match(said[0]!, words);
  });
}

test('a program that is not there is said and tried again', async () => {
  const said: string[] = [];
  const events = { profiles: () => {}, windowClosed: () => {}, started: () => {} };
  const clock = { ...systemClock, sleep: (_: number, signal?: AbortSignal) => systemClock.sleep(5, signal) };
  const options = {
    binary: '/nowhere/sampler',
    frequency: 19,
    windowSeconds: 10,
    symbolCpuPercent: 10,
    stackBytes: 16384,
    hasKernel: true,
  };
  const log = (_: string, message: string) => void said.push(message);
  const sampler = new SamplerProcess(
    { ...options, clockOffsetMs: () => 0, clock, random: () => 0.5, log },
    events,
  );
  sampler.start();
  await until(() => said.length >= 2);
  await sampler.stop();
  assert.match(said[0]!, /cannot be started: spawn \/nowhere\/sampler ENOENT/);
});

test('a new clock offset reaches the sampler by a restart that is no crash', async (t) => {
  let offset = 0;
  const { sampler, statuses, starts } = supervise(t, 'good', () => offset);
  sampler.start();
  await until(() => statuses.length === 1);
  offset = -90_000;
  sampler.restart();
  await until(() => statuses.length === 3);
  assert.match(starts()[1]!, /--clock-offset-ms -90000/);
  assert.equal(sampler.crashes, 0);
});

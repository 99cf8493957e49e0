// A sampler for tests of its supervision. What it does is the name of a behaviour in FAKE_SAMPLER; several, separated by
// commas, are for one start after the other, counted in the file FAKE_SAMPLER_STARTS.
import { appendFileSync, readFileSync, writeSync } from 'node:fs';
import { makeWindow } from '../windows.ts';

const startsFile = process.env.FAKE_SAMPLER_STARTS!;
appendFileSync(startsFile, `${process.pid} ${process.argv.slice(2).join(' ')}\n`);
const starts = readFileSync(startsFile, 'utf8').trim().split('\n').length;
const behaviours = process.env.FAKE_SAMPLER!.split(',');
const behaviour = behaviours[Math.min(starts, behaviours.length) - 1]!;
const { profiles, status } = makeWindow(Math.random, {
  startMs: 1_700_000_000_000 + starts * 10_000,
  windowMs: 10_000,
  processes: 2,
  stacks: 2,
  depth: 3,
});

function send(kind: number, payload: Uint8Array | object): void {
  const bytes = payload instanceof Uint8Array ? payload : new TextEncoder().encode(JSON.stringify(payload));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32LE(bytes.length, 0);
  prefix[4] = kind;
  writeSync(1, prefix);
  writeSync(1, bytes);
}

function sendWindow(): void {
  for (const bytes of profiles) send(1, bytes);
  send(2, { ...status, cpuNs: 20_000_000, rssBytes: 7_000_000, rooted: 5 });
}

function endWith(act: () => void): void {
  const end = () => {
    act();
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.stdin.resume().on('end', end);
}

if (behaviour !== 'silent')
  send(4, { version: '1', frequency: 19, windowMs: 10_000, pid: process.pid, engine: 'perf' });
switch (behaviour) {
  case 'good':
    sendWindow();
    endWith(sendWindow);
    break;
  case 'crash':
    sendWindow();
    process.stderr.write('something broke\n');
    process.exit(3);
    break;
  case 'die-in-window':
    send(1, profiles[0]!);
    process.exit(4);
    break;
  case 'garbage':
    writeSync(1, Buffer.alloc(64, 0xff));
    endWith(() => {});
    break;
  case 'bad-status':
    send(2, { windowStartMs: -1 });
    endWith(() => {});
    break;
  case 'silent':
    endWith(() => {});
    break;
}

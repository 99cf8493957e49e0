import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Spool } from '../../agent/spool/spool.ts';
import { nodeFs } from '../../agent/spool/spool-fs.ts';
import { cinderblock } from './kept-terminal.ts';

const NOW = 1_763_717_400_000;
const home = mkdtempSync(join(tmpdir(), 'cinderblock-cli-spool-'));
const folder = join(home, 'spool');

before(() => {
  const spool = new Spool({ fs: nodeFs, folder, bootId: 'boot', bytesMax: 1e7, ageMaxMs: 1e9, log() {} });
  for (let i = 0; i < 3; i++) {
    spool.gather({ taken: 100 + i, lost: 0 });
    const window = { firstWindow: NOW + i * 10_000, lastWindow: NOW + (i + 1) * 10_000, createdMs: NOW };
    const batch = {
      kept: 100 + i,
      taken: 100 + i,
      lost: 0,
      ...window,
      encode: () => new Uint8Array(500).fill(i),
    };
    assert.equal(spool.append(batch), true);
  }
  spool.close();
});

after(() => rmSync(home, { recursive: true }));

test('ls lists what waits, verify finds it sound, and neither changes a byte', async () => {
  const before = snapshot();
  const listed = await cinderblock(['spool', 'ls', folder]);
  assert.equal(listed.code, 0);
  assert.match(listed.out, /^ +1 {2}waiting +\d+ +100 {2}2025-11-21T09:30:00Z +10 s /m);
  assert.match(listed.out, /^3 batches in 1 segment, .*; 3 waiting to be uploaded with 303 samples$/m);
  const verified = await cinderblock(['spool', 'verify', folder]);
  assert.equal(verified.code, 0);
  assert.match(verified.out, /^sound: /);
  assert.deepEqual(snapshot(), before);
});

test('verify names a damaged record with its segment and offset, exit code 5', async () => {
  const { out } = await cinderblock(['spool', 'ls', folder, '--output', 'json']);
  const [, second] = JSON.parse(out).entries;
  const bytes = readFileSync(second.segment);
  bytes[second.offset + second.bytes - 1]! ^= 1;
  writeFileSync(second.segment, bytes);
  const { code, out: found } = await cinderblock(['spool', 'verify', folder]);
  assert.equal(code, 5);
  assert.ok(found.includes(`${second.segment} at byte ${second.offset}: batch 2 (101 samples)`), found);
});

test('a folder that is not there is a mistake of the command line', async () => {
  assert.equal((await cinderblock(['spool', 'ls', join(home, 'nowhere')])).code, 2);
  assert.equal((await cinderblock(['spool', 'ls'])).code, 2);
});

function snapshot(): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.name} ${readFileSync(join(entry.parentPath, entry.name)).toString('base64')}`);
}

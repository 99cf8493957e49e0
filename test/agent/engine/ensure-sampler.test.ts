import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ensureSampler } from '../../../agent/engine/ensure-sampler.ts';

function program(t: TestContext, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-ensure-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const binary = join(folder, 'sampler');
  writeFileSync(binary, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return binary;
}

const progress = () => {};

test('a sampler that may sample is used', async (t) => {
  const binary = program(t, `[ "$1" = --check ] && echo '{"ok": true}'`);
  assert.deepEqual(await ensureSampler({ binary, progress }), { binary });
});

test('one that may not says why, and what to do', async (t) => {
  const binary = program(
    t,
    `echo '{"ok": false, "reason": "perf is not permitted", "remedy": "run as root"}'; exit 1`,
  );
  assert.deepEqual(await ensureSampler({ binary, progress }), {
    remedy: 'perf is not permitted; run as root',
  });
});

test('one that cannot run says its last words', async (t) => {
  const binary = program(t, 'echo "wrong processor" >&2; exit 1');
  assert.deepEqual(await ensureSampler({ binary, progress }), { remedy: 'wrong processor' });
});

test('one that says nothing at all leads to the usual remedy', async (t) => {
  const found = await ensureSampler({ binary: program(t, 'exit 7'), progress });
  assert.match(
    JSON.stringify(found),
    /cannot run here \(7\); run as root or with CAP_PERFMON, or set kernel.perf_event_paranoid/,
  );
});

test('one that is not there is named', async () => {
  const found = await ensureSampler({ binary: '/nowhere/sampler', progress });
  assert.deepEqual(found, { remedy: 'there is no sampler at /nowhere/sampler (CINDERBLOCK_SAMPLER)' });
});

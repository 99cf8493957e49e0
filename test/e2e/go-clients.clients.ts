import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openServer } from '../server/server-under-test.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';

// Clients that nobody here wrote: the Go SDK pushes, `go tool pprof` reads what the export gives. They need Go, which
// a stranger may not have; this lane runs where it is (npm run test:clients).

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('programs/go-sdk/', import.meta.url));

before(() => {
  if (spawnSync('go', ['version']).status !== 0)
    throw new Error('no Go: install Go 1.24 or newer to run this lane');
});

test('the stock Go SDK shows up with the profile types that Pyroscope gives it, and go tool pprof reads the export', async (t) => {
  const { url, process: store } = await openServer(t);
  const folder = temporaryFolder(t);
  const program = join(folder, 'go-sdk');
  await run('go', ['build', '-o', program, '.'], { cwd: SOURCE, timeout: 300_000 });
  await run(program, [url], { timeout: 60_000 });
  await store();
  const body = { start: Date.now() - 600_000, end: Date.now() + 60_000 };
  const response = await fetch(`${url}/querier.v1.QuerierService/ProfileTypes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const { profileTypes } = (await response.json()) as { profileTypes: { ID: string }[] };
  assert.deepEqual(profileTypes.map((type) => type.ID).sort(), [
    'memory:alloc_objects:count:space:bytes',
    'memory:alloc_space:bytes:space:bytes',
    'memory:inuse_objects:count:space:bytes',
    'memory:inuse_space:bytes:space:bytes',
    'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    'process_cpu:samples:count:cpu:nanoseconds',
  ]);
  const query = new URLSearchParams({
    profile_type: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    selector: '{service_name="billing",region="eu"}',
    start: String(body.start),
    end: String(body.end),
    format: 'pprof',
  });
  const exported = await fetch(`${url}/v1/export?${query}`);
  assert.equal(exported.status, 200);
  const file = join(folder, 'billing.pb.gz');
  writeFileSync(file, new Uint8Array(await exported.arrayBuffer()));
  const { stdout } = await run('go', ['tool', 'pprof', '-top', '-unit=ms', file]);
  const line = stdout.split('\n').find((text) => text.includes('main.computeTheInvoice'));
  assert.ok(line, stdout);
  const percent = Number(/(\d+(\.\d+)?)%/.exec(line)?.[1]);
  assert.ok(percent > 80, stdout);
});

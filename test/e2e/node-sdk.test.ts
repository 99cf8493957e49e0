import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openServer } from '../server/server-under-test.ts';

const PROGRAM = fileURLToPath(new URL('programs/node-sdk-program.mjs', import.meta.url));

async function call(url: string, method: string, body: object): Promise<Record<string, never>> {
  const response = await fetch(`${url}/querier.v1.QuerierService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ start: Date.now() - 600_000, end: Date.now() + 60_000, ...body }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

test('a program with the stock Node.js SDK shows up, with its functions and its labels', async (t) => {
  const { url, process: store } = await openServer(t);
  const program = spawn(process.execPath, [PROGRAM, url, '4'], {
    stdio: 'inherit',
    env: { PATH: process.env.PATH ?? '', DEBUG: 'pyroscope' },
  });
  const [code] = await once(program, 'exit');
  assert.equal(code, 0);
  await store();
  const { labelsSet } = await call(url, 'Series', {
    matchers: ['{service_name="checkout"}'],
    labelNames: ['service_name', 'region', '__profile_type__', 'pyroscope_spy'],
  });
  const series = (labelsSet as { labels: { name: string; value: string }[] }[]).map(({ labels }) =>
    Object.fromEntries(labels.map(({ name, value }) => [name, value])),
  );
  const wall = 'wall:wall:nanoseconds:wall:nanoseconds';
  const found = series.find((labels) => labels.__profile_type__ === wall);
  assert.partialDeepStrictEqual(found, { service_name: 'checkout', region: 'eu', pyroscope_spy: 'nodespy' });
  const { flamegraph } = await call(url, 'SelectMergeStacktraces', {
    profileTypeID: wall,
    labelSelector: '{service_name="checkout"}',
  });
  const { names, total } = flamegraph as { names: string[]; total: string };
  assert.ok(
    names.some((name) => name.includes('computeTheInvoice')),
    names.join('\n'),
  );
  // Four busy seconds, of which the SDK loses some while it uploads.
  assert.ok(Number(total) > 1e9 && Number(total) < 20e9, total);
});

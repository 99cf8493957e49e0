import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Hub } from '../../pipeline/hub.ts';
import { warmUp } from '../../server/warm-up.ts';
import { openServer } from './server-under-test.ts';

/** The hub, counting the sections of blocks that it checks. */
function counting(hub: Hub): { hub: Hub; sections: () => number } {
  let sections = 0;
  const crc32: Hub['codec']['crc32'] = (bytes) => {
    sections++;
    return hub.codec.crc32(bytes);
  };
  return { hub: { ...hub, codec: { ...hub.codec, crc32 } }, sections: () => sections };
}

test('a warm-up reads blocks and leaves nothing behind', async (t) => {
  const { hub, telemetry } = await openServer(t);
  const before = telemetry.metricsText();
  const { hub: counted, sections } = counting(hub);
  await warmUp(counted, { rounds: 2, pauseMs: 0 });
  // Six blocks: of each the flame graph takes four sections, the timeline two, and both its directory.
  assert.ok(sections() >= 2 * 6 * 8, `${sections()} sections`);
  assert.deepEqual(await hub.catalog.find({ tenant: hub.tenant, from: 0, until: 1e12 }), []);
  assert.equal(hub.answers?.bytes, 0);
  assert.equal(telemetry.sum('api_requests_total'), 0);
  assert.equal(telemetry.metricsText().includes('warm'), before.includes('warm'));
});

test('a server that stops does not wait for the warm-up', async (t) => {
  const { hub } = await openServer(t);
  const { hub: counted, sections } = counting(hub);
  const stopping = new AbortController();
  stopping.abort();
  await warmUp(counted, { signal: stopping.signal });
  assert.equal(sections(), 0);
  const started = new AbortController();
  const running = warmUp(counted, { signal: started.signal, pauseMs: 60_000 });
  while (sections() === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  started.abort();
  await running;
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heartbeat } from '../../agent/heartbeat.ts';
import { HubClock } from '../../agent/hub-clock.ts';
import { VirtualClock } from './virtual-clock.ts';

const MINUTE = 60_000;

/** Beats under a hub that answers `answer`, for so long; says when each came, in seconds. */
async function beatsUnder(answer: () => { status: number; body: string }, ms: number): Promise<number[]> {
  const clock = new VirtualClock(1_760_000_000_000);
  const times: number[] = [];
  const client = {
    post: async () => {
      times.push(Math.round(clock.monotonic() / 1000));
      return { ...answer(), date: undefined, retryAfter: undefined };
    },
  };
  const body = () => ({
    node: 'n',
    bootId: 'b',
    version: '1',
    engine: 'perf',
    clockSkewMs: 0,
    counters: {},
  });
  const options = { client, clock, hubClock: new HubClock(clock), random: () => 0.5, body };
  const stop = new AbortController();
  const done = new Heartbeat(options as never).run(stop.signal);
  await clock.advance(ms);
  stop.abort();
  await done;
  return times;
}

const answered = (settings: unknown) => () => ({
  status: 200,
  body: JSON.stringify({ nowMs: 1_760_000_000_000, settings }),
});

test('an agent beats as often as the hub asks, from the first answer on', async () => {
  assert.deepEqual(await beatsUnder(answered({ heartbeatMs: 300_000 }), 11 * MINUTE), [0, 300, 600]);
});

test('a hub that asks for nothing, or for nonsense, hears every 15 s', async () => {
  const expected = [0, 15, 30, 45, 60];
  for (const settings of [
    {},
    undefined,
    { heartbeatMs: 0 },
    { heartbeatMs: -5 },
    { heartbeatMs: '300000' },
  ]) {
    assert.deepEqual(await beatsUnder(answered(settings), MINUTE), expected, JSON.stringify(settings));
  }
  assert.deepEqual(await beatsUnder(answered({ heartbeatMs: 1e12 }), MINUTE), expected);
  assert.deepEqual(await beatsUnder(() => ({ status: 200, body: 'not JSON' }), MINUTE), expected);
});

test('until a hub answered, an agent tries every 15 s', async () => {
  let tries = 0;
  const answer = () => (++tries < 3 ? { status: 503, body: '' } : answered({ heartbeatMs: 5 * MINUTE })());
  assert.deepEqual(await beatsUnder(answer, 6 * MINUTE), [0, 15, 30, 330]);
});

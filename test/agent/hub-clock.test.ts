import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HubClock, skewInWords } from '../../agent/hub-clock.ts';
import { VirtualClock } from './virtual-clock.ts';

const NOW = 1_700_000_000_000;

test('starts as the wall clock and follows the monotonic one', () => {
  const clock = new VirtualClock(NOW);
  const hubClock = new HubClock(clock);
  clock.skip(5_000);
  assert.equal(hubClock.now(), NOW + 5_000);
  clock.wallOffset += 3_600_000;
  assert.equal(hubClock.now(), NOW + 5_000, 'a jump of the node’s clock moves nothing');
  assert.equal(hubClock.offsetMs, -3_600_000);
});

test('takes the hub’s time from the middle of the exchange', () => {
  const clock = new VirtualClock(NOW);
  const hubClock = new HubClock(clock);
  const sentAt = clock.monotonic();
  clock.skip(4_000);
  hubClock.observe(NOW - 60_000, sentAt);
  assert.equal(hubClock.now(), NOW - 60_000 + 2_000);
  assert.equal(hubClock.skewMs, 62_000);
  assert.ok(hubClock.isConfirmed);
});

test('does not follow rounding and travel time', () => {
  const clock = new VirtualClock(NOW);
  const hubClock = new HubClock(clock);
  for (const noise of [900, -900, 1_400, -1_400]) {
    hubClock.observe(clock.wall() + noise, clock.monotonic());
    assert.equal(hubClock.offsetMs, 0);
  }
  hubClock.observe(clock.wall() + 30_000, clock.monotonic());
  hubClock.observe(clock.wall() + 30_700, clock.monotonic());
  assert.equal(hubClock.offsetMs, 30_000);
});

test('comes back to the wall clock when that was set right', () => {
  const clock = new VirtualClock(NOW);
  const hubClock = new HubClock(clock);
  hubClock.observe(NOW + 7_200_000, clock.monotonic());
  clock.wallOffset += 7_200_300;
  hubClock.observe(clock.wall() - 300, clock.monotonic());
  assert.equal(Math.abs(hubClock.offsetMs) <= 300, true);
});

test('says a difference in words', () => {
  assert.equal(skewInWords(0), 'in step with the hub');
  assert.equal(skewInWords(499), 'in step with the hub');
  assert.equal(skewInWords(1_000), '1 second ahead of the hub');
  assert.equal(skewInWords(-90_000), '90 seconds behind the hub');
  assert.equal(skewInWords(3 * 3_600_000), '3 hours ahead of the hub');
  assert.equal(skewInWords(-10 * 86_400_000), '10 days behind the hub');
});

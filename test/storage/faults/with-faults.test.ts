import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import { type Fault, seededFaults } from '../../../storage/faults/fault-plan.ts';
import { withFaults } from '../../../storage/faults/with-faults.ts';

/** A port that logs what reached it. */
function aPort() {
  const log: string[] = [];
  return {
    log,
    async add(item: string): Promise<number> {
      log.push(item);
      return log.length;
    },
    async fail(): Promise<void> {
      throw new Error('its own');
    },
  };
}

const always = (fault: Fault) => () => fault;

test('before: no effect, and RetryableError', async () => {
  const port = aPort();
  await assert.rejects(withFaults(port, always('fail-before')).add('a'), RetryableError);
  assert.deepEqual(port.log, []);
});

test('after: the effect, and RetryableError', async () => {
  const port = aPort();
  await assert.rejects(withFaults(port, always('fail-after')).add('a'), RetryableError);
  assert.deepEqual(port.log, ['a']);
});

test('duplicate: twice, and the second answer', async () => {
  const port = aPort();
  assert.equal(await withFaults(port, always('duplicate')).add('a'), 2);
  assert.deepEqual(port.log, ['a', 'a']);
});

test('delay: another call overtakes it', async () => {
  const port = aPort();
  const faulty = withFaults(port, ({ ordinal }) => (ordinal === 0 ? 'delay' : 'none'));
  await Promise.all([faulty.add('slow'), faulty.add('fast')]);
  assert.deepEqual(port.log, ['fast', 'slow']);
});

test('none: the port itself, with its own errors and members', async () => {
  const port = aPort();
  const calls: string[] = [];
  const faulty = withFaults(port, ({ method, ordinal }) => {
    calls.push(`${ordinal} ${method}`);
    return 'none';
  });
  assert.equal(await faulty.add('a'), 1);
  await assert.rejects(faulty.fail(), /its own/);
  assert.equal(faulty.log, port.log);
  assert.deepEqual(calls, ['0 add', '1 fail']);
});

test('a seeded plan repeats itself, and keeps to its rates', () => {
  const rates = { 'fail-before': 0.1, 'fail-after': 0.2, duplicate: 0.3 } as const;
  const draw = (seed: number) => {
    const plan = seededFaults(seed, rates);
    return Array.from({ length: 10_000 }, (_, ordinal) => plan({ method: 'put', ordinal }));
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  const share = (fault: Fault) => draw(7).filter((drawn) => drawn === fault).length / 10_000;
  for (const [fault, rate] of [...Object.entries(rates), ['none', 0.4], ['delay', 0]] as [Fault, number][]) {
    assert.ok(Math.abs(share(fault) - rate) < 0.02, `${fault}: ${share(fault)}`);
  }
});

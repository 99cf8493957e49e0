import assert from 'node:assert/strict';
import {
  type BatchMessage,
  type BatchQueue,
  MAX_INLINE_BYTES,
  MAX_RECEIVE,
} from '../../storage/batch-queue.ts';
import { assertRejected, type MakeAdapter, scenario, type TestClock } from './adapter.ts';

export interface QueueOptions {
  maxReceives: number;
}

/** What a queue knows of its messages. */
export interface QueueTraits {
  /** Receipts of deliveries that are over are told from good ones when they are acknowledged. */
  knowsStale: boolean;
  /** When a message was sent and set aside, to the millisecond. */
  knowsAges: boolean;
}

/** Visibility that does not run out within a test, and one that a test waits for, with a margin for slow servers. */
const LONG = 60_000;
const SHORT = 3_000;

/** A valid message with an inline payload. */
export function aMessage(batchId: string, payload: Uint8Array = Uint8Array.of(1, 2, 3)): BatchMessage {
  return { batchId, tenant: 'acme', cluster: 'prod', receivedAt: 1000, payload };
}

const batchIds = (received: { message: BatchMessage }[]) =>
  received.map(({ message }) => message.batchId).sort();

/** What every BatchQueue does, opened with 3 deliveries per message. */
export function batchQueueContract(
  name: string,
  make: MakeAdapter<BatchQueue, QueueOptions>,
  { knowsStale, knowsAges }: QueueTraits = { knowsStale: true, knowsAges: true },
): void {
  const it = (what: string, play: Parameters<typeof scenario<BatchQueue, QueueOptions>>[3]) =>
    scenario(`${name}: ${what}`, make, { maxReceives: 3 }, play);

  it('delivers what was sent, inline or by key', async ({ port, another }) => {
    const largest = new Uint8Array(MAX_INLINE_BYTES).map((_, i) => i);
    await port.send(aMessage('small'));
    await port.send(aMessage('empty', new Uint8Array()));
    await port.send(aMessage('largest', largest));
    await port.send({
      batchId: 'far',
      tenant: 'acme',
      cluster: 'prod',
      receivedAt: 5,
      objectKey: 'inbox/acme/prod/far.batch',
    });
    const received = await (await another()).receive({ max: 10, visibilityMs: LONG });
    const messages = received.map(({ message }) => message).sort((a, b) => (a.batchId < b.batchId ? -1 : 1));
    assert.deepEqual(messages, [
      aMessage('empty', new Uint8Array()),
      {
        batchId: 'far',
        tenant: 'acme',
        cluster: 'prod',
        receivedAt: 5,
        objectKey: 'inbox/acme/prod/far.batch',
      },
      aMessage('largest', largest),
      aMessage('small'),
    ]);
    assert.deepEqual(
      received.map(({ receiveCount }) => receiveCount),
      [1, 1, 1, 1],
    );
  });

  it('takes the bytes when send is called, not when it resolves', async ({ port }) => {
    const buffer = Uint8Array.of(1, 2, 3, 4);
    const sending = port.send(aMessage('a', buffer.subarray(1, 3)));
    buffer.fill(9);
    await sending;
    const [{ message }] = await port.receive({ max: 1, visibilityMs: 1000 });
    assert.deepEqual(message.payload, Uint8Array.of(2, 3));
  });

  it('refuses broken messages', async ({ port }) => {
    await assertRejected(port.send(aMessage('a', new Uint8Array(MAX_INLINE_BYTES + 1))), 'too-large');
    const broken = [
      { batchId: '' },
      { tenant: '../x' },
      { cluster: 'a/b' },
      { receivedAt: Number.NaN },
      { payload: undefined },
      { objectKey: 'a' },
      { payload: undefined, objectKey: '../a' },
    ];
    for (const fields of broken) {
      await assertRejected(port.send({ ...aMessage('a'), ...fields } as BatchMessage), 'invalid');
    }
    await assertRejected(port.receive({ max: 0, visibilityMs: 1 }), 'invalid');
    await assertRejected(port.receive({ max: MAX_RECEIVE + 1, visibilityMs: 1 }), 'invalid');
    await assertRejected(port.receive({ max: 1, visibilityMs: 0 }), 'invalid');
    assert.deepEqual(await port.depth(), { visible: 0, inFlight: 0, dead: 0, oldestMs: 0 });
  });

  it('hides what is delivered until its visibility runs out', async ({ port, clock }) => {
    await port.send(aMessage('a'));
    const [first] = await port.receive({ max: 10, visibilityMs: SHORT });
    await clock.almost(SHORT);
    assert.deepEqual(await port.receive({ max: 10, visibilityMs: SHORT }), []);
    await clock.rest(SHORT);
    const [second] = await port.receive({ max: 10, visibilityMs: SHORT });
    assert.equal(second.receiveCount, 2);
    assert.notEqual(second.receipt, first.receipt);
    if (knowsStale) assert.deepEqual(await port.acknowledge([first.receipt]), ['stale']);
    assert.deepEqual(await port.acknowledge([second.receipt]), ['done']);
    await clock.advance(SHORT);
    assert.deepEqual(await port.receive({ max: 10, visibilityMs: 1000 }), []);
  });

  it('delivers a message to one of several receivers', async ({ port, another }) => {
    const other = await another();
    const sent = Array.from({ length: 60 }, (_, i) => `b${i}`);
    await Promise.all(sent.map((batchId) => port.send(aMessage(batchId))));
    const got = await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 ? port : other).receive({ max: 7, visibilityMs: LONG })),
    );
    assert.ok(got.every((batch) => batch.length <= 7));
    assert.deepEqual(batchIds(got.flat()), [...sent].sort());
  });

  it('acknowledges once, in the order of the receipts', async ({ port }) => {
    await port.send(aMessage('a'));
    await port.send(aMessage('b'));
    const [a, b] = await port.receive({ max: 2, visibilityMs: LONG });
    assert.deepEqual(await port.acknowledge([]), []);
    assert.deepEqual(await port.acknowledge([a.receipt, 'nonsense', a.receipt, b.receipt, '']), [
      'done',
      'stale',
      'stale',
      'done',
      'stale',
    ]);
    assert.deepEqual(await port.depth(), { visible: 0, inFlight: 0, dead: 0, oldestMs: 0 });
  });

  it('acknowledges late work as long as nobody received it since', async ({ port, clock }) => {
    await port.send(aMessage('a'));
    const [a] = await port.receive({ max: 1, visibilityMs: 1000 });
    await clock.advance(2000);
    assert.deepEqual(await port.acknowledge([a.receipt]), ['done']);
    assert.deepEqual(await port.receive({ max: 1, visibilityMs: 1000 }), []);
  });

  it('extends only while hidden', async ({ port, clock }) => {
    await port.send(aMessage('a'));
    const [a] = await port.receive({ max: 1, visibilityMs: SHORT });
    await clock.almost(SHORT);
    assert.deepEqual(await port.extend([a.receipt, 'nonsense'], SHORT), ['done', 'stale']);
    await clock.almost(SHORT);
    assert.deepEqual(await port.receive({ max: 1, visibilityMs: SHORT }), []);
    await clock.rest(SHORT);
    const [again] = await port.receive({ max: 1, visibilityMs: LONG });
    assert.equal(again.receiveCount, 2);
    if (knowsStale) assert.deepEqual(await port.extend([a.receipt], SHORT), ['stale']);
  });

  it('neither extends nor releases what is not hidden any more', async ({ port, clock }) => {
    await port.send(aMessage('a'));
    const [a] = await port.receive({ max: 1, visibilityMs: 1000 });
    await clock.advance(1000);
    assert.deepEqual(await port.extend([a.receipt], LONG), ['stale']);
    assert.equal(await port.release(a.receipt, LONG), 'stale');
    const [again] = await port.receive({ max: 1, visibilityMs: LONG });
    assert.equal(again.receiveCount, 2);
    assert.equal(await port.release(again.receipt, 0), 'done');
    assert.equal(await port.release(again.receipt, 0), 'stale');
  });

  it('releases at once or after a delay', async ({ port, clock }) => {
    await port.send(aMessage('a'));
    const [first] = await port.receive({ max: 1, visibilityMs: 60_000 });
    assert.equal(await port.release(first.receipt, 0), 'done');
    const [second] = await port.receive({ max: 1, visibilityMs: 60_000 });
    assert.equal(second.receiveCount, 2);
    assert.equal(await port.release(second.receipt, 500), 'done');
    assert.deepEqual(await port.receive({ max: 1, visibilityMs: 60_000 }), []);
    await clock.advance(500);
    assert.equal((await port.receive({ max: 1, visibilityMs: 60_000 })).length, 1);
    await assertRejected(port.release(second.receipt, -1), 'invalid');
  });

  it('sets a message aside after its last delivery, and not before that runs out', async ({
    port,
    clock,
  }) => {
    await port.send(aMessage('poison'));
    for (let delivery = 1; delivery <= 3; delivery++) {
      const [got] = await port.receive({ max: 1, visibilityMs: 1000 });
      assert.equal(got.receiveCount, delivery);
      assert.deepEqual(await port.deadLetters(10), []);
      await clock.advance(1000);
    }
    assert.deepEqual(await port.receive({ max: 1, visibilityMs: 1000 }), []);
    const [letter] = await port.deadLetters(10);
    assert.deepEqual(letter, {
      id: letter.id,
      message: aMessage('poison'),
      receiveCount: 3,
      deadAt: knowsAges ? clock.now : letter.deadAt,
    });
    assert.deepEqual(await port.depth(), { visible: 0, inFlight: 0, dead: 1, oldestMs: 0 });
  });

  it('lets the last delivery be acknowledged', async ({ port, clock }) => {
    await port.send(aMessage('slow'));
    await port.receive({ max: 1, visibilityMs: 1 });
    await clock.advance(1);
    await port.receive({ max: 1, visibilityMs: 1 });
    await clock.advance(1);
    const [last] = await port.receive({ max: 1, visibilityMs: 1000 });
    assert.deepEqual(await port.acknowledge([last.receipt]), ['done']);
    await clock.advance(1000);
    assert.deepEqual(await port.receive({ max: 1, visibilityMs: 1 }), []);
    assert.deepEqual(await port.deadLetters(1), []);
  });

  it('redrives dead letters as if new, and their old receipts stay stale', async ({ port, clock }) => {
    const receipts = await bury(port, clock, ['a', 'b', 'c']);
    const letters = await port.deadLetters(10);
    assert.deepEqual(batchIds(letters), ['a', 'b', 'c']);
    assert.equal((await port.deadLetters(2)).length, 2);
    assert.equal(await port.redrive([letters[0].id, 'nonsense', letters[0].id]), 1);
    const [again] = await port.receive({ max: 10, visibilityMs: LONG });
    assert.deepEqual(again.message, letters[0].message);
    assert.equal(again.receiveCount, 1);
    if (knowsStale) {
      for (const receipt of receipts) assert.deepEqual(await port.acknowledge([receipt]), ['stale']);
    }
    assert.equal(await port.redrive('all'), 2);
    assert.equal(await port.redrive('all'), 0);
    assert.equal((await port.receive({ max: 10, visibilityMs: 1000 })).length, 2);
    assert.equal((await port.depth()).dead, 0);
  });

  it('discards dead letters, and nothing else', async ({ port, clock }) => {
    await bury(port, clock, ['a', 'b']);
    const letters = await port.deadLetters(10);
    await port.redrive([letters[1].id]);
    assert.equal(await port.discard(letters.map((letter) => letter.id)), 1);
    assert.deepEqual(await port.deadLetters(10), []);
    assert.deepEqual(batchIds(await port.receive({ max: 10, visibilityMs: 1 })), [
      letters[1].message.batchId,
    ]);
  });

  it('counts its depth and the age of the oldest', async ({ port, clock }) => {
    await port.send(aMessage('a'));
    await clock.advance(100);
    await port.send(aMessage('b'));
    await clock.advance(100);
    const oldestMs = knowsAges ? 200 : 0;
    assert.deepEqual(await port.depth(), { visible: 2, inFlight: 0, dead: 0, oldestMs });
    const [got] = await port.receive({ max: 1, visibilityMs: LONG });
    assert.deepEqual(await port.depth(), { visible: 1, inFlight: 1, dead: 0, oldestMs });
    await port.acknowledge([got.receipt]);
    const { visible, inFlight } = await port.depth();
    assert.deepEqual([visible, inFlight], [1, 0]);
    await clock.advance(-5000);
    assert.equal((await port.depth()).oldestMs, 0, 'a clock set back makes no negative age');
  });

  it('keeps messages sent twice apart', async ({ port }) => {
    await port.send(aMessage('a'));
    await port.send(aMessage('a'));
    assert.deepEqual(batchIds(await port.receive({ max: 10, visibilityMs: LONG })), ['a', 'a']);
  });
}

/** Sends and delivers until all are dead; answers all receipts that were given. */
async function bury(port: BatchQueue, clock: TestClock, ids: string[]): Promise<string[]> {
  for (const batchId of ids) await port.send(aMessage(batchId));
  const receipts: string[] = [];
  for (let delivery = 0; delivery < 4; delivery++) {
    receipts.push(...(await port.receive({ max: 10, visibilityMs: 2000 })).map(({ receipt }) => receipt));
    await clock.advance(2000);
  }
  assert.equal(receipts.length, 3 * ids.length);
  return receipts;
}

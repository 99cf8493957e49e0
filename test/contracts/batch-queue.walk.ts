import assert from 'node:assert/strict';
import type { BatchQueue, ReceiptOutcome } from '../../storage/batch-queue.ts';
import type { TestClock } from './adapter.ts';
import { aMessage } from './batch-queue.contract.ts';
import type { Chance, Step } from './fuzz-walk.ts';

interface ModelMessage {
  batchId: string;
  sentAt: number;
  visibleAt: number;
  receiveCount: number;
  /** The receipt of its newest delivery, none before the first. */
  receipt: string | undefined;
  deadAt: number | undefined;
}

/** The naive queue: a list, searched from end to end. */
class ModelQueue {
  messages: ModelMessage[] = [];
  readonly maxReceives: number;
  readonly clock: TestClock;
  constructor(maxReceives: number, clock: TestClock) {
    this.maxReceives = maxReceives;
    this.clock = clock;
  }
  bury(): void {
    for (const message of this.alive()) {
      const worn = message.visibleAt <= this.clock.now && message.receiveCount >= this.maxReceives;
      if (worn) message.deadAt = this.clock.now;
    }
  }
  alive = () => this.messages.filter((message) => message.deadAt === undefined);
  dead = () => this.messages.filter((message) => message.deadAt !== undefined);
  visible = () => this.alive().filter((message) => message.visibleAt <= this.clock.now);
  current = (receipt: string) => this.alive().find((message) => message.receipt === receipt);
  hide(receipt: string, ms: number): ReceiptOutcome {
    const message = this.current(receipt);
    if (!message || message.visibleAt <= this.clock.now) return 'stale';
    message.visibleAt = this.clock.now + ms;
    return 'done';
  }
  acknowledge(receipt: string): ReceiptOutcome {
    const message = this.current(receipt);
    this.messages = this.messages.filter((other) => other !== message);
    return message ? 'done' : 'stale';
  }
  redrive(message: ModelMessage): void {
    Object.assign(message, {
      deadAt: undefined,
      receiveCount: 0,
      receipt: undefined,
      visibleAt: this.clock.now,
    });
  }
}

/** Steps that do the same to the queue, through either of two clients, and to the naive one, and compare all answers. */
export function batchQueueSteps(
  clients: BatchQueue[],
  clock: TestClock,
  maxReceives: number,
  chance: Chance,
): Step[] {
  const model = new ModelQueue(maxReceives, clock);
  const receipts: string[] = ['nonsense', ''];
  let sent = 0;
  const client = () => chance.pick(clients);
  const someReceipts = () => chance.some(receipts.slice(-12), 0.3);

  async function deadIds(): Promise<Map<string, ModelMessage>> {
    model.bury();
    const letters = await client().deadLetters(1000);
    const byBatch = new Map(model.dead().map((message) => [message.batchId, message]));
    assert.deepEqual(
      letters.map(({ message, receiveCount, deadAt }) => [message, receiveCount, deadAt]),
      model.dead().map(({ batchId, receiveCount, deadAt }) => [aMessage(batchId), receiveCount, deadAt]),
    );
    return new Map(letters.map(({ id, message }) => [id, byBatch.get(message.batchId) as ModelMessage]));
  }

  const send: Step = async () => {
    const batchIds = Array.from({ length: 1 + chance.below(4) }, () => `b${sent++}`);
    // One after the other into one shared commit, so the order of the list is that of the queue.
    const sender = client();
    await Promise.all(batchIds.map((batchId) => sender.send(aMessage(batchId))));
    for (const batchId of batchIds) {
      const fresh = {
        sentAt: clock.now,
        visibleAt: clock.now,
        receiveCount: 0,
        receipt: undefined,
        deadAt: undefined,
      };
      model.messages.push({ batchId, ...fresh });
    }
    return `send ${batchIds}`;
  };
  const receive: Step = async () => {
    const max = 1 + chance.below(5);
    const visibilityMs = 1 + chance.below(50);
    model.bury();
    const visible = model.visible();
    const received = await client().receive({ max, visibilityMs });
    assert.equal(received.length, Math.min(max, visible.length));
    for (const { message, receipt, receiveCount } of received) {
      const expected = visible.find(({ batchId }) => batchId === message.batchId);
      assert.ok(expected, `${message.batchId} was delivered though it is not visible`);
      assert.deepEqual(message, aMessage(expected.batchId));
      assert.equal(receiveCount, ++expected.receiveCount);
      assert.ok(!receipts.includes(receipt), 'a receipt is given once');
      Object.assign(expected, { receipt, visibleAt: clock.now + visibilityMs });
      receipts.push(receipt);
    }
    return `receive ${received.map(({ message, receipt }) => `${message.batchId}=${receipt}`)} for ${visibilityMs} ms`;
  };
  const acknowledge: Step = async () => {
    const chosen = someReceipts();
    const expected = chosen.map((receipt) => model.acknowledge(receipt));
    assert.deepEqual(await client().acknowledge(chosen), expected);
    return `acknowledge ${chosen}: ${expected}`;
  };
  const extend: Step = async () => {
    const chosen = someReceipts();
    const ms = chance.below(60);
    model.bury();
    const expected = chosen.map((receipt) => model.hide(receipt, ms));
    assert.deepEqual(await client().extend(chosen, ms), expected);
    return `extend ${chosen} by ${ms}: ${expected}`;
  };
  const release: Step = async () => {
    const receipt = chance.pick(receipts.slice(-12));
    const delay = chance.below(3) * 10;
    model.bury();
    const expected = model.hide(receipt, delay);
    assert.equal(await client().release(receipt, delay), expected);
    return `release ${receipt} after ${delay}: ${expected}`;
  };
  const redrive: Step = async () => {
    const dead = await deadIds();
    const ids = chance.some([...dead.keys()], 0.5);
    for (const id of ids) model.redrive(dead.get(id) as ModelMessage);
    assert.equal(await client().redrive([...ids, 'nonsense']), ids.length);
    return `redrive ${ids}`;
  };
  const redriveAll: Step = async () => {
    const dead = await deadIds();
    for (const message of dead.values()) model.redrive(message);
    assert.equal(await client().redrive('all'), dead.size);
    return `redrive all ${dead.size}`;
  };
  const discard: Step = async () => {
    const dead = await deadIds();
    const ids = chance.some([...dead.keys()], 0.3);
    model.messages = model.messages.filter((message) => !ids.some((id) => dead.get(id) === message));
    assert.equal(await client().discard(ids), ids.length);
    return `discard ${ids}`;
  };
  const depth: Step = async () => {
    model.bury();
    const alive = model.alive();
    const visible = model.visible().length;
    const oldest = Math.min(...alive.map(({ sentAt }) => sentAt));
    const oldestMs = alive.length ? clock.now - oldest : 0;
    const expected = { visible, inFlight: alive.length - visible, dead: model.dead().length, oldestMs };
    assert.deepEqual(await client().depth(), expected);
    return `depth ${JSON.stringify(expected)}`;
  };
  const wait: Step = async () => {
    const ms = 1 + chance.below(40);
    clock.advance(ms);
    return `wait ${ms}`;
  };
  // Frequent steps stand more than once.
  return [
    send,
    send,
    receive,
    receive,
    receive,
    acknowledge,
    extend,
    release,
    wait,
    wait,
    depth,
    redrive,
    redriveAll,
    discard,
  ];
}

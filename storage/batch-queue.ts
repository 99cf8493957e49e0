import { limitExceeded, RejectedError } from '../core/errors.ts';
import { checkObjectKey, isKeySegment } from './object-store.ts';

/** Longest payload that travels inside a message; a longer one is put in the object store and sent by key. */
export const MAX_INLINE_BYTES = 300 * 1024;

/** Most messages that one call of `receive` answers. */
export const MAX_RECEIVE = 1000;

/** How often a message is delivered before it becomes a dead letter, unless the queue is opened with another number. */
export const DEFAULT_MAX_RECEIVES = 5;

/** One batch on its way to the processor: with its bytes inside, or the key of the object that holds them. */
export type BatchMessage = {
  batchId: string;
  tenant: string;
  /** From the verified identity of the sender, never from the payload. */
  cluster: string;
  /** When the hub accepted it, in ms since epoch. */
  receivedAt: number;
} & ({ payload: Uint8Array; objectKey?: undefined } | { objectKey: string; payload?: undefined });

export interface ReceivedBatch {
  message: BatchMessage;
  /** Names this delivery. It is current until the message is delivered again, dead or acknowledged; then it is stale. */
  receipt: string;
  /** How often the message was delivered, this time included. */
  receiveCount: number;
}

/** A message that was delivered `receiveCount` times and never acknowledged. */
export interface DeadLetter {
  /** Names the message among dead letters. */
  id: string;
  message: BatchMessage;
  receiveCount: number;
  /** When it was set aside, in ms since epoch. */
  deadAt: number;
}

export interface QueueDepth {
  /** Messages that `receive` would deliver now. */
  visible: number;
  /** Messages that are delivered, or released with a delay, and hidden for now. */
  inFlight: number;
  dead: number;
  /** Age in ms of the oldest message that is not dead, by when it was sent; 0 when there is none. */
  oldestMs: number;
}

/** For each receipt given, in the same order, whether it was still good. */
export type ReceiptOutcome = 'done' | 'stale';

/**
 * Batches between ingest and processor, at least once: a message is delivered until a delivery of it is acknowledged, or
 * until it was delivered the allowed number of times (`maxReceives` of the queue) and its visibility ran out again; from
 * then, at the latest when `receive` is next called, it is a dead letter. Order is roughly that of sending, without promise.
 *
 * A delivered message is hidden for [now, now + visibilityMs) by the queue's clock and visible again from then on.
 * Sending one batch twice makes two messages: who processes drops duplicates by batch id.
 *
 * Every method throws RejectedError('invalid') for arguments out of range, and RetryableError when the storage below
 * does not answer or is full.
 */
export interface BatchQueue {
  /**
   * Resolves once the message is durable. After RetryableError it may or may not be; send again.
   * @throws RejectedError 'too-large' for a payload past MAX_INLINE_BYTES; 'invalid' for a broken message.
   */
  send(message: BatchMessage): Promise<void>;

  /** Delivers up to `max` (at most MAX_RECEIVE) visible messages and hides them for `visibilityMs`. Does not wait for any. */
  receive(options: { max: number; visibilityMs: number }): Promise<ReceivedBatch[]>;

  /**
   * Removes the messages for good. A stale receipt changes nothing and is reported. A receipt whose visibility ran out is
   * still good as long as nobody received the message since.
   */
  acknowledge(receipts: string[]): Promise<ReceiptOutcome[]>;

  /** Hides the messages until now + `ms`. Only while they are hidden: 'stale' once the visibility ran out. */
  extend(receipts: string[], ms: number): Promise<ReceiptOutcome[]>;

  /** Gives a message back: visible after `delayMs` (0: at once). 'stale' once its visibility ran out. */
  release(receipt: string, delayMs: number): Promise<ReceiptOutcome>;

  /** The oldest dead letters, at most `limit` (at most MAX_RECEIVE). */
  deadLetters(limit: number): Promise<DeadLetter[]>;

  /** Sends dead letters again: visible now, never received. Unknown ids are ignored. Answers how many there were. */
  redrive(ids: string[] | 'all'): Promise<number>;

  /** Deletes dead letters for good. Unknown ids are ignored. Answers how many there were. */
  discard(ids: string[]): Promise<number>;

  depth(): Promise<QueueDepth>;
}

/** @throws RejectedError as `BatchQueue.send` says. */
export function checkBatchMessage(message: BatchMessage): void {
  const { batchId, tenant, cluster, receivedAt, payload, objectKey } = message;
  if (!isKeySegment(tenant) || !isKeySegment(cluster) || batchId === '' || batchId.length > 512) {
    throw new RejectedError('invalid', `message of batch ${JSON.stringify(batchId)}: its names are broken`);
  }
  checkMs('receivedAt', receivedAt);
  if ((payload === undefined) === (objectKey === undefined)) {
    throw new RejectedError('invalid', `message of batch ${batchId} needs either a payload or an object key`);
  }
  if (objectKey !== undefined) checkObjectKey(objectKey);
  else if (payload.length > MAX_INLINE_BYTES) {
    throw limitExceeded(
      { name: 'queue.maxInlineBytes', value: MAX_INLINE_BYTES, unit: 'bytes' },
      payload.length,
    );
  }
}

/** @throws RejectedError 'invalid' unless `ms` is a non-negative integer; `what` names it in the message. */
export function checkMs(what: string, ms: number): void {
  if (Number.isSafeInteger(ms) && ms >= 0) return;
  throw new RejectedError('invalid', `${what} is ${ms}, it must be a non-negative integer of milliseconds`);
}

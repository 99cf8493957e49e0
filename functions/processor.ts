import middy from '@middy/core';
import { RetryableError } from '../core/errors.ts';
import type { Hub } from '../pipeline/hub.ts';
import { processBatches } from '../pipeline/process-batches.ts';
import { type EventQueue, eventQueue, type SqsRecord } from './event-queue.ts';
import { type InvocationContext, once, withTelemetry } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';

export interface SqsEvent {
  Records: SqsRecord[];
}

/** What goes back to the queue; all else is done. */
export interface SqsResult {
  batchItemFailures: { itemIdentifier: string }[];
}

/** Left of the function's time when it answers with what is done, in ms. */
const ANSWER_MARGIN_MS = 2000;

/** Merges the batches of an event into blocks. Whatever happens, what is stored is acknowledged and the rest comes back. */
export function processorHandler(open: () => FunctionHub) {
  return middy<SqsEvent, SqsResult>({ timeoutEarlyInMillis: 0 })
    .use(withTelemetry(open))
    .handler(async ({ Records }, context) => {
      const { hub } = open();
      const queue = eventQueue(Records);
      reportForeign(hub, queue);
      await untilTimeIsUp(hub, context, storeAll({ ...hub, queue }, queue));
      const remaining = queue.remaining();
      hub.telemetry.count('process_returned_batches_total', remaining.length);
      return { batchItemFailures: remaining.map((itemIdentifier) => ({ itemIdentifier })) };
    });
}

async function storeAll(hub: Hub, queue: EventQueue): Promise<void> {
  try {
    while (queue.undelivered() > 0) await processBatches(hub);
  } catch (error) {
    const isKnown = error instanceof RetryableError;
    const what = isKnown ? error.message : ((error as Error)?.stack ?? String(error));
    hub.telemetry.count('process_failed_rounds_total', 1);
    hub.telemetry.log(isKnown ? 'warn' : 'error', `batches go back to the queue: ${what}`);
  }
}

/** A function that is cut off gives back all of its batches, stored or not; one that answers in time, only the rest. */
async function untilTimeIsUp(hub: Hub, context: InvocationContext, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      hub.telemetry.count('process_late_rounds_total', 1);
      hub.telemetry.log('error', 'time is up, batches go back to the queue');
      resolve();
    }, context.getRemainingTimeInMillis() - ANSWER_MARGIN_MS);
  });
  await Promise.race([work, timeUp]);
  clearTimeout(timer);
}

/** They become dead letters, as they do where the queue is polled. */
function reportForeign(hub: Hub, { foreign }: EventQueue): void {
  if (foreign.length === 0) return;
  hub.telemetry.count('process_foreign_messages_total', foreign.length);
  hub.telemetry.log('error', 'messages that are no batches of this version', { messageIds: [...foreign] });
}

export const handler = processorHandler(once(() => openHub({ service: 'processor' })));

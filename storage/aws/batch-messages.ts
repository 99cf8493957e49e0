import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs';
import type { BatchMessage } from '../batch-queue.ts';
import { checkBatchMessage } from '../batch-queue.ts';
import { PAYLOAD_ATTRIBUTE } from './names.ts';

/** SQS bills a request as one per 64 KiB of its messages, begun or whole. */
export const BILLED_STEP_BYTES = 64 * 1024;

/** First field of every body. A message with another number is of another version of this code. */
const VERSION = 1;

export interface MessageContent {
  body: string;
  attributes: Record<string, MessageAttributeValue>;
}

/**
 * A message as SQS takes it: a short JSON body with the names, and the batch in a binary attribute. SQS counts the bytes
 * of a binary attribute as they are, while base64 in the body would count a third more.
 */
export function toContent({
  batchId,
  tenant,
  cluster,
  receivedAt,
  payload,
  objectKey,
}: BatchMessage): MessageContent {
  const far = objectKey === undefined ? {} : { k: objectKey };
  const body = JSON.stringify({ v: VERSION, b: batchId, t: tenant, c: cluster, r: receivedAt, ...far });
  // SQS takes no empty attribute: a message with neither attribute nor key holds an empty batch.
  if (payload === undefined || payload.length === 0) return { body, attributes: {} };
  // The caller may use its buffer again before the request is on its way.
  const attribute = { DataType: 'Binary', BinaryValue: payload.slice() };
  return { body, attributes: { [PAYLOAD_ATTRIBUTE]: attribute } };
}

/** The message, or undefined when it is none of ours. */
export function fromMessage({ Body, MessageAttributes }: Message): BatchMessage | undefined {
  try {
    const { v, b, t, c, r, k } = JSON.parse(Body ?? '');
    if (v !== VERSION) return undefined;
    const head = { batchId: b, tenant: t, cluster: c, receivedAt: r };
    const bytes = MessageAttributes?.[PAYLOAD_ATTRIBUTE]?.BinaryValue ?? new Uint8Array();
    // A plain view: what the SDK gives may be a Buffer.
    const payload = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const message: BatchMessage = k === undefined ? { ...head, payload } : { ...head, objectKey: k };
    checkBatchMessage(message);
    return message;
  } catch {
    return undefined;
  }
}

/** A message as an event source mapping hands it to a function: the attribute comes as base64. */
export interface EventRecord {
  body: string;
  messageAttributes: Record<string, { binaryValue?: string }>;
}

/** As `fromMessage`, of a record of a function's event. */
export function fromEventRecord({ body, messageAttributes }: EventRecord): BatchMessage | undefined {
  const base64 = messageAttributes[PAYLOAD_ATTRIBUTE]?.binaryValue;
  const BinaryValue = base64 === undefined ? undefined : Buffer.from(base64, 'base64');
  const attribute = { DataType: 'Binary', BinaryValue };
  return fromMessage({ Body: body, MessageAttributes: { [PAYLOAD_ATTRIBUTE]: attribute } });
}

/** What SQS counts of a message: its body, and name, type and value of each attribute, in bytes. */
export function messageBytes({ body, attributes }: MessageContent): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, { DataType = '', BinaryValue }] of Object.entries(attributes)) {
    bytes += name.length + DataType.length + (BinaryValue?.length ?? 0);
  }
  return bytes;
}

/** As how many requests SQS bills a request with messages of so many bytes in all. */
export function billedRequests(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BILLED_STEP_BYTES));
}

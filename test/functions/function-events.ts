// Events in the shapes that API Gateway and SQS send, whole as they come, and a hub to serve them on embedded storage.
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { gunzip } from '../../api/gunzip.ts';
import type { JobsEvent } from '../../functions/compaction-worker.ts';
import type { HttpEvent, HttpResult } from '../../functions/http-event.ts';
import type { FunctionHub } from '../../functions/open-hub.ts';
import type { processorHandler, SqsEvent } from '../../functions/processor.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { toContent } from '../../storage/aws/batch-messages.ts';
import type { BatchMessage } from '../../storage/batch-queue.ts';
import { openHub, type TestHub } from '../pipeline/fixtures.ts';

export const ACCOUNT = '111111111111';
export const ROLE_PREFIX = 'cinderblock-prod-cluster-';

export interface FunctionUnderTest {
  open: () => FunctionHub;
  hub: Hub;
  /** The clock and the log of the hub. */
  control: TestHub;
  /** Sums of what was counted since the last flush, and how often there was one. */
  counts: Map<string, number>;
  flushes: { count: number };
}

/** What `open-hub.ts` opens, on embedded storage in a temporary folder; its clock stands at NOW. */
export async function openFunctionHub(t: TestContext): Promise<FunctionUnderTest> {
  const control = await openHub(t);
  const counts = new Map<string, number>();
  const flushes = { count: 0 };
  const telemetry = {
    count: (name: string, value: number) => void counts.set(name, (counts.get(name) ?? 0) + value),
    gauge: (name: string, value: number) => void counts.set(name, value),
    log: control.telemetry.log,
    begin() {},
    flush: () => void flushes.count++,
  };
  const access = {
    kind: 'role',
    account: ACCOUNT,
    region: 'eu-central-1',
    rolePrefix: ROLE_PREFIX,
    ingestUrl: 'https://abc123.execute-api.eu-central-1.amazonaws.com',
  } as const;
  const hub: Hub = { ...control, gunzip, telemetry, access };
  return { open: () => ({ hub, telemetry, rolePrefix: ROLE_PREFIX }), hub, control, counts, flushes };
}

export interface EventOptions {
  method?: string;
  body?: Uint8Array | string;
  headers?: Record<string, string>;
  authorizer?: HttpEvent['requestContext']['authorizer'];
}

/** As an HTTP API with payload format 2.0 sends it; bytes in base64. */
export function httpEvent(url: string, options: EventOptions = {}): HttpEvent {
  const { method = 'POST', body, authorizer } = options;
  const [rawPath, rawQueryString = ''] = url.split('?') as [string, string?];
  const isBase64Encoded = body instanceof Uint8Array;
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString,
    headers: {
      'content-length': String(body?.length ?? 0),
      host: 'abc123.execute-api.eu-central-1.amazonaws.com',
      'x-forwarded-for': '203.0.113.9',
      ...options.headers,
    },
    requestContext: {
      accountId: ACCOUNT,
      apiId: 'abc123',
      authorizer,
      domainName: 'abc123.execute-api.eu-central-1.amazonaws.com',
      domainPrefix: 'abc123',
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '203.0.113.9', userAgent: 'test' },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey: '$default',
      stage: '$default',
      time: '22/Nov/2026:01:00:00 +0000',
      timeEpoch: 1795309200000,
    },
    body: body === undefined ? undefined : isBase64Encoded ? Buffer.from(body).toString('base64') : body,
    isBase64Encoded,
  };
  return event;
}

/** What the IAM authorizer says of a session of a role. */
export function iamCaller(userArn: string | null) {
  return {
    iam: {
      accessKey: 'ASIAEXAMPLE',
      accountId: ACCOUNT,
      callerId: 'AROAEXAMPLE:agent',
      cognitoIdentity: null,
      principalOrgId: 'o-example',
      userArn,
      userId: 'AROAEXAMPLE:agent',
    },
  };
}

/** What it says of an agent of a cluster. */
export function agentOf(cluster: string, account = ACCOUNT) {
  return iamCaller(`arn:aws:sts::${account}:assumed-role/${ROLE_PREFIX}${cluster}/agent-node-1`);
}

/** What our authorizer says of a caller with these scopes. */
export function callerWith(scopes: string, name = 'grafana') {
  return { lambda: { name, scopes } };
}

/** As the event source mapping of a queue sends messages. */
export function sqsEvent(messages: readonly BatchMessage[]): SqsEvent {
  return {
    Records: messages.map((message) => {
      const { body, attributes } = toContent(message);
      const messageAttributes = Object.entries(attributes).map(([name, { BinaryValue, DataType }]) => {
        const binaryValue = Buffer.from(BinaryValue!).toString('base64');
        const rest = { stringListValues: [], binaryListValues: [], dataType: DataType };
        return [name, { binaryValue, ...rest }] as const;
      });
      return {
        messageId: randomUUID(),
        receiptHandle: randomUUID(),
        body,
        attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: '1700002800000',
          SenderId: 'AROAEXAMPLE:ingest',
          ApproximateFirstReceiveTimestamp: '1700002800001',
        },
        messageAttributes: Object.fromEntries(messageAttributes),
        md5OfBody: '',
        eventSource: 'aws:sqs',
        eventSourceARN: `arn:aws:sqs:eu-central-1:${ACCOUNT}:batches`,
        awsRegion: 'eu-central-1',
      };
    }),
  };
}

/** As the event source mapping of the queue of jobs sends messages. */
export function jobsEvent(bodies: readonly string[]): JobsEvent {
  return {
    Records: bodies.map((body) => ({
      messageId: randomUUID(),
      receiptHandle: randomUUID(),
      body,
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: '1700002800000',
        SenderId: 'AROAEXAMPLE:compaction-planner',
        ApproximateFirstReceiveTimestamp: '1700002800001',
      },
      messageAttributes: {},
      md5OfBody: '',
      eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:eu-central-1:${ACCOUNT}:jobs`,
      awsRegion: 'eu-central-1',
    })),
  };
}

/** What Lambda tells every handler of an invocation. */
type Context = Parameters<ReturnType<typeof processorHandler>>[1];

/** Of an invocation that has `remainingMs` left. */
export function contextOf(remainingMs = 30_000): Context {
  const context: Partial<Context> = {
    awsRequestId: '1b2c3d4e-0000-4000-8000-000000000000',
    functionName: 'test',
    memoryLimitInMB: '512',
    getRemainingTimeInMillis: () => remainingMs,
  };
  return context as Context;
}

/** Bytes of the body of a result. */
export function bodyBytes({ body, isBase64Encoded }: HttpResult): Buffer {
  return Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
}

// biome-ignore lint/suspicious/noExplicitAny: answers are compared field by field, which a type would only repeat.
export function json(result: HttpResult): any {
  return JSON.parse(bodyBytes(result).toString());
}

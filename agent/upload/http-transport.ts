import * as http from 'node:http';
import * as https from 'node:https';
import type { SignedRequest } from './sign-request.ts';

/** What came back. Header names are lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** At most ANSWER_BYTES_MAX bytes of it. */
  readonly body: string;
}

/** Sends one request. Rejects when no whole answer came: then the hub may or may not have acted on it. */
export type Transport = (request: SignedRequest, signal?: AbortSignal) => Promise<HttpAnswer>;

/** An answer is a short JSON; of anything longer only the start is read. */
export const ANSWER_BYTES_MAX = 64 * 1024;
const TIMEOUT_MS = 30_000;

/** Sends over HTTP or HTTPS, keeping one connection open between requests. */
export function httpTransport(options: { timeoutMs?: number } = {}): Transport {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const agents = {
    'http:': new http.Agent({ keepAlive: true, maxSockets: 2 }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: 2 }),
  };
  return (request, signal) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
    const agent = agents[request.url.protocol as keyof typeof agents];
    return sendRequest(request, agent, either).catch((error: unknown) => {
      if (timeout.aborted) throw new Error(`no answer within ${timeoutMs / 1000} s`, { cause: error });
      throw error;
    });
  };
}

function sendRequest(request: SignedRequest, agent: http.Agent, signal: AbortSignal): Promise<HttpAnswer> {
  const { request: open } = request.url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const sent = open(
      request.url,
      {
        method: request.method,
        headers: { ...request.headers, 'content-length': request.body.length },
        agent,
        signal,
      },
      (answer) => readAnswer(answer).then(resolve, reject),
    );
    sent.on('error', reject);
    sent.end(request.body);
  });
}

async function readAnswer(answer: http.IncomingMessage): Promise<HttpAnswer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    if (length < ANSWER_BYTES_MAX) parts.push(part);
    length += part.length;
  }
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(answer.headers))
    headers[name] = Array.isArray(value) ? value[0] : value;
  const body = Buffer.concat(parts).subarray(0, ANSWER_BYTES_MAX).toString('utf8');
  return { status: answer.statusCode ?? 0, headers, body };
}

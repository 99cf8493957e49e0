// What people, tools and agents ask of the deployed hub, over its two APIs.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Credentials, fixedCredentials } from '../../agent/upload/credentials.ts';
import { type HttpAnswer, httpTransport } from '../../agent/upload/http-transport.ts';
import { RequestSigner, type SignedRequest } from '../../agent/upload/sign-request.ts';
import { BATCH_CONTENT_TYPE } from '../../agent/upload/uploader.ts';
import { CPU } from '../core/block/fixtures.ts';
import { REGION } from './stand-in-cloud.ts';

export const SERVICE = 'shop';
export const HOUR_MS = 3_600_000;
/** Seconds on a quiet machine. */
const STORED_TIMEOUT_MS = 120_000;

export interface Answer {
  status: number;
  body: string;
}

/** A Connect call with a token. */
export async function call(
  queryUrl: string,
  token: string,
  method: string,
  request: unknown,
): Promise<Answer> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const response = await fetch(`${queryUrl}/${method}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(request),
  });
  return { status: response.status, body: await response.text() };
}

/** Half-open, ms since epoch. */
export interface TimeRange {
  start: number;
  end: number;
}

/** Total of the flame graph of a service, as Grafana asks for it; of about now, unless the range says otherwise. */
export async function flameGraphTotal(
  queryUrl: string,
  token: string,
  selector: string,
  range: TimeRange = aroundNow(),
): Promise<number> {
  const request = { profileTypeID: CPU, labelSelector: selector, ...range };
  const answer = await call(queryUrl, token, 'querier.v1.QuerierService/SelectMergeStacktraces', request);
  if (answer.status !== 200) throw new Error(`the query answered ${answer.status}: ${answer.body}`);
  return Number(JSON.parse(answer.body).flamegraph?.total ?? 0);
}

function aroundNow(): TimeRange {
  const now = Date.now();
  return { start: now - HOUR_MS, end: now + HOUR_MS };
}

/** Waits until something is as expected. @throws Error that shows what it was last */
export async function until<T>(
  ask: () => Promise<T>,
  isDone: (value: T) => boolean,
  timeoutMs = STORED_TIMEOUT_MS,
): Promise<T> {
  for (const end = Date.now() + timeoutMs; ; await sleep(250)) {
    const value = await ask();
    if (isDone(value)) return value;
    if (Date.now() > end) throw new Error(`after ${timeoutMs / 1000} s it is still ${JSON.stringify(value)}`);
  }
}

/** A batch for a path, signed by an agent. */
export function signBatch(
  ingestUrl: string,
  cluster: string,
  credentials: Credentials,
  body: Uint8Array,
  signedAt = Date.now(),
): Promise<SignedRequest> {
  const signer = new RequestSigner({ credentials: fixedCredentials(credentials), region: REGION });
  const url = new URL(`${ingestUrl}/v1/clusters/${cluster}/batches`);
  return signer.sign({ method: 'POST', url, contentType: BATCH_CONTENT_TYPE, body }, signedAt);
}

/** Sends what was signed, as agents do. */
export const send = httpTransport();

export async function sendBatch(...batch: Parameters<typeof signBatch>): Promise<HttpAnswer> {
  return send(await signBatch(...batch));
}

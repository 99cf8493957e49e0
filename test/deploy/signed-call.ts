import { createHash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../../agent/upload/sign-request.ts';

/** Of the query protocols. */
const VERSIONS = { cloudformation: '2010-05-15', iam: '2010-05-08' };

export interface Caller {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** Calls a service that takes forms and answers XML. @throws Error with what it said */
export function queryCall(
  service: keyof typeof VERSIONS,
  fields: Record<string, string>,
  caller: Caller,
): Promise<string> {
  const body = new URLSearchParams({ Version: VERSIONS[service], ...fields }).toString();
  return post(service, { 'content-type': 'application/x-www-form-urlencoded' }, body, caller);
}

/** Lines of a log group since a moment, ms since epoch. */
export async function linesOf(logGroupName: string, startTime: number, caller: Caller): Promise<string[]> {
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'Logs_20140328.FilterLogEvents',
  };
  const answer = await post('logs', headers, JSON.stringify({ logGroupName, startTime }), caller);
  return JSON.parse(answer).events.map(({ message }: { message: string }) => message);
}

async function post(
  service: string,
  ownHeaders: Record<string, string>,
  body: string,
  { endpoint, region, ...credentials }: Caller,
): Promise<string> {
  const { hostname, host, port, protocol } = new URL(endpoint);
  const hash = createHash('sha256').update(body).digest('hex');
  const headers = { ...ownHeaders, host, 'x-amz-content-sha256': hash };
  const request = {
    method: 'POST',
    protocol,
    hostname,
    port: Number(port),
    path: '/',
    query: {},
    headers,
    body,
  };
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 });
  const signed = await signer.sign(request);
  const response = await fetch(`${endpoint}/`, { method: 'POST', headers: signed.headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${service} answered ${response.status}: ${text}`);
  return text;
}

/** The texts of all elements of a name. */
export function textsOf(xml: string, element: string): string[] {
  return [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].map(([, text]) => text);
}

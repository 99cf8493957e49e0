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
export async function queryCall(
  service: keyof typeof VERSIONS,
  fields: Record<string, string>,
  { endpoint, region, ...credentials }: Caller,
): Promise<string> {
  const body = new URLSearchParams({ Version: VERSIONS[service], ...fields }).toString();
  const { hostname, host, port, protocol } = new URL(endpoint);
  const headers = {
    host,
    'content-type': 'application/x-www-form-urlencoded',
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  };
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
  if (!response.ok) throw new Error(`${service} ${fields.Action} answered ${response.status}: ${text}`);
  return text;
}

/** The texts of all elements of a name. */
export function textsOf(xml: string, element: string): string[] {
  return [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].map(([, text]) => text);
}

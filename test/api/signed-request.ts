import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

/** A hash in the shape that the signer takes. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | Uint8Array) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(data: string | Uint8Array) {
    this.#hash.update(data);
  }
  async digest() {
    return new Uint8Array(this.#hash.digest());
  }
  reset() {}
}

export interface SignOptions {
  accessKeyId: string;
  secret: string;
  /** When, ms since epoch. */
  at: number;
  service?: string;
  region?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
}

/** A POST request signed as agents do: with the signer of the AWS SDK. */
export async function signedRequest(
  url: string,
  body: Uint8Array<ArrayBuffer> | string,
  options: SignOptions,
): Promise<RequestInit> {
  const { host, hostname, pathname } = new URL(url);
  const signer = new SignatureV4({
    service: options.service ?? 'execute-api',
    region: options.region ?? 'local',
    credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secret },
    sha256: Sha256 as never,
  });
  const request = {
    method: 'POST',
    protocol: 'http:',
    hostname,
    path: pathname,
    query: options.query ?? {},
    headers: { host, ...options.headers },
    body,
  };
  const sign = signer.sign.bind(signer) as (
    request: object,
    options: object,
  ) => Promise<{ headers: HeadersInit }>;
  const { headers } = await sign(request, { signingDate: new Date(options.at) });
  return { method: 'POST', headers, body };
}

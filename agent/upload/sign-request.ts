import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { CredentialSource } from './credentials.ts';

/** The service name in the signature's scope, as for an API behind Amazon API Gateway. */
export const SIGNING_SERVICE = 'execute-api';

/** An HTTP request as it goes out. Header names are lower case. */
export interface SignedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

type HashInput = string | ArrayBuffer | ArrayBufferView;

/** SHA-256 and HMAC-SHA-256 of node:crypto in the shape that the signer wants. */
export class Sha256 {
  #hash;

  constructor(secret?: HashInput) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: HashInput): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  /** Part of the interface; a signer makes a new hash for each use instead. */
  reset(): void {
    this.#hash = createHash('sha256');
  }
}

function bytesOf(data: HashInput): Uint8Array | string {
  if (typeof data === 'string') return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data);
}

/** Signs requests to one hub with AWS Signature Version 4. The body's hash is part of what is signed. */
export class RequestSigner {
  readonly #signer: SignatureV4;

  constructor(options: { credentials: CredentialSource; region: string }) {
    this.#signer = new SignatureV4({
      credentials: () => options.credentials.get(),
      region: options.region,
      service: SIGNING_SERVICE,
      sha256: Sha256,
    });
  }

  /**
   * @param signingMs now, ms since epoch, on the hub's clock: signatures far from it are refused
   * @throws CredentialsError when there is nothing to sign with
   */
  async sign(
    request: { method: string; url: URL; contentType: string; body: Uint8Array },
    signingMs: number,
  ): Promise<SignedRequest> {
    const { url, method, contentType, body } = request;
    const signed = await this.#signer.sign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        port: url.port === '' ? undefined : Number(url.port),
        path: url.pathname,
        query: {},
        headers: {
          host: url.host,
          'content-type': contentType,
          'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
        },
        body,
      },
      { signingDate: new Date(signingMs) },
    );
    return { method, url, headers: signed.headers, body };
  }
}

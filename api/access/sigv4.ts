import { createHmac, timingSafeEqual } from 'node:crypto';
import { RejectedError } from '../../core/errors.ts';
import { sha256Hex } from '../read-body.ts';

// AWS Signature Version 4, the verifying side, for key pairs that the hub issued:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

export const SIGNING_ALGORITHM = 'AWS4-HMAC-SHA256';
export const SIGNING_SERVICE = 'execute-api';

/** How far a signer's clock may be from the hub's: as far as API Gateway lets it be on AWS. */
export const SIGNATURE_SKEW_MS = 5 * 60_000;

const MUST_BE_SIGNED = ['host', 'x-amz-content-sha256', 'x-amz-date'];

/** As the algorithm demands it: in lower case. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/** The parts of an Authorization header. */
export interface SignatureClaim {
  accessKeyId: string;
  /** `20261121/local/execute-api/aws4_request` */
  scope: string;
  signedHeaders: string[];
  signature: string;
}

/** @throws RejectedError('unauthenticated') */
export function parseAuthorization(header: string): SignatureClaim {
  const parts = new Map<string, string>();
  for (const part of header.slice(SIGNING_ALGORITHM.length).split(',')) {
    const at = part.indexOf('=');
    parts.set(part.slice(0, Math.max(0, at)).trim(), part.slice(at + 1).trim());
  }
  const [accessKeyId, ...scope] = (parts.get('Credential') ?? '').split('/');
  const signature = parts.get('Signature') ?? '';
  if (!accessKeyId || scope.length !== 4 || !/^[0-9a-f]{64}$/.test(signature)) {
    refuse('the Authorization header is not of AWS Signature Version 4');
  }
  if (scope[2] !== SIGNING_SERVICE || scope[3] !== 'aws4_request') {
    refuse(`the signature is for ${scope[2]}, it must be for the service ${SIGNING_SERVICE}`);
  }
  const signedHeaders = (parts.get('SignedHeaders') ?? '').split(';');
  for (const name of signedHeaders)
    if (!HEADER_NAME.test(name)) refuse('SignedHeaders does not list header names');
  for (const name of MUST_BE_SIGNED) if (!signedHeaders.includes(name)) refuse(`${name} is not signed`);
  return { accessKeyId: accessKeyId!, scope: scope.join('/'), signedHeaders, signature };
}

/**
 * Checks the signature over method, path, query and headers, and that it was made within SIGNATURE_SKEW_MS of `now`.
 * Answers the hash that it states for the body: the body itself is compared by whoever reads it.
 * @throws RejectedError('unauthenticated')
 */
export function verifySignature(
  request: Request,
  claim: SignatureClaim,
  secret: string,
  now: number,
): string {
  checkDate(request, claim, now);
  const contentSha256 = request.headers.get('x-amz-content-sha256') ?? '';
  if (!/^[0-9a-f]{64}$/.test(contentSha256)) refuse('x-amz-content-sha256 is not the SHA-256 of the body');
  const expected = signatureOf(request, claim, secret, contentSha256);
  if (!timingSafeEqual(Buffer.from(expected, 'hex'), Buffer.from(claim.signature, 'hex'))) {
    refuse('the signature does not match');
  }
  return contentSha256;
}

function signatureOf(request: Request, claim: SignatureClaim, secret: string, contentSha256: string): string {
  const text = [
    SIGNING_ALGORITHM,
    request.headers.get('x-amz-date'),
    claim.scope,
    sha256Hex(canonicalRequest(request, claim.signedHeaders, contentSha256)),
  ].join('\n');
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const part of claim.scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(text).digest('hex');
}

function canonicalRequest(request: Request, signedHeaders: string[], contentSha256: string): string {
  const url = new URL(request.url);
  const headers = signedHeaders.map((name) => `${name}:${headerValue(request, name)}\n`).join('');
  return [
    request.method,
    canonicalPath(url.pathname),
    canonicalQuery(url.searchParams),
    headers,
    signedHeaders.join(';'),
    contentSha256,
  ].join('\n');
}

function headerValue(request: Request, name: string): string {
  const value = request.headers.get(name);
  if (value === null) refuse(`${name} is signed but was not sent`);
  return value!.trim().replace(/\s+/g, ' ');
}

/** Every service but S3 encodes the path, as sent, once more. */
function canonicalPath(pathname: string): string {
  return pathname.split('/').map(encodeStrictly).join('/');
}

function canonicalQuery(params: URLSearchParams): string {
  return [...params]
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .join('&');
}

function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function checkDate(request: Request, claim: SignatureClaim, now: number): void {
  const date = request.headers.get('x-amz-date') ?? '';
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (!parts || !claim.scope.startsWith(`${date.slice(0, 8)}/`))
    refuse(`x-amz-date "${date}" is not a signing time`);
  const [year, month, day, hour, minute, second] = parts!.slice(1).map(Number);
  const skew = Date.UTC(year, month - 1, day, hour, minute, second) - now;
  if (Math.abs(skew) <= SIGNATURE_SKEW_MS) return;
  refuse(
    `signed at ${date}, which is ${Math.round(Math.abs(skew) / 1000)} s ${skew < 0 ? 'before' : 'after'} the hub's ` +
      `clock (${new Date(now).toISOString()}); at most ${SIGNATURE_SKEW_MS / 1000} s are allowed`,
  );
}

function refuse(message: string): never {
  throw new RejectedError('unauthenticated', message);
}

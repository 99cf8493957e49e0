import { MalformedInputError } from '../../core/errors.ts';

/** Most parts that a form may have; SDKs send two. */
const PARTS_MAX = 32;

const CRLF = '\r\n';

/**
 * The parts of a `multipart/form-data` body (RFC 7578) by name, as views into the body. Bytes stay bytes whether or
 * not a part has a file name. Of two parts with one name the last wins.
 * @throws MalformedInputError
 */
export function parseMultipart(contentType: string, body: Uint8Array): Map<string, Uint8Array> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`--${boundaryOf(contentType)}`, 'latin1');
  const parts = new Map<string, Uint8Array>();
  let at = bytes.indexOf(delimiter);
  if (at < 0) fail('its boundary does not occur', 0);
  for (let count = 0; ; count++) {
    at += delimiter.length;
    if (bytes.toString('latin1', at, at + 2) === '--') return parts;
    if (count === PARTS_MAX) fail(`has more than ${PARTS_MAX} parts`, at);
    const end = bytes.indexOf(Buffer.concat([Buffer.from(CRLF), delimiter]), at);
    if (end < 0) fail('ends within a part', bytes.length);
    addPart(parts, bytes, at, end);
    at = end + CRLF.length;
  }
}

function addPart(parts: Map<string, Uint8Array>, bytes: Buffer, from: number, end: number): void {
  const blank = bytes.indexOf(CRLF + CRLF, from);
  if (blank < 0 || blank > end) fail('a part has no headers', from);
  const name = partName(bytes.toString('utf8', from, blank));
  if (name === undefined) fail('a part has no name', from);
  parts.set(name!, bytes.subarray(Math.min(end, blank + 4), end));
}

function partName(headers: string): string | undefined {
  const disposition = headers.split(CRLF).find((line) => /^content-disposition:/i.test(line)) ?? '';
  const [, quoted, plain] = /[;\s]name=(?:"([^"]*)"|([^\s;]+))/i.exec(disposition) ?? [];
  return quoted ?? plain;
}

function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw new MalformedInputError('multipart', 'the Content-Type has no boundary');
  return boundary;
}

function fail(message: string, offset: number): never {
  throw new MalformedInputError('multipart', message, offset);
}

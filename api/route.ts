import { timingSafeEqual } from 'node:crypto';
import { RejectedError } from '../core/errors.ts';
import type { Hub } from '../pipeline/hub.ts';
import type { Identity, Permission } from './access/identity.ts';
import { readBody, type SizeLimit, sha256Hex } from './read-body.ts';

/** One request on its way through a route. */
export interface Call {
  readonly hub: Hub;
  readonly request: Request;
  readonly identity: Identity;
  /** Path below the prefix. */
  readonly path: string;
  /** What stands in place of `:name` in the route's path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

export interface Route {
  method: 'GET' | 'POST';
  /** Segments of the form `:name` match any one segment. */
  path: string;
  permission: Permission;
  handle(call: Call): Promise<Response>;
}

/**
 * The body of a call, bounded, and compared with what the sender signed: the signature covers only the hash that the
 * sender states.
 * @throws RejectedError('too-large', or 'unauthenticated' for another body than the signed one); MalformedInputError
 */
export async function bodyOf(call: Call, limit: SizeLimit): Promise<Uint8Array<ArrayBuffer>> {
  const body = await readBody(call.request, limit);
  const { identity } = call;
  if (identity.kind !== 'agent' || identity.contentSha256 === undefined) return body;
  const actual = Buffer.from(sha256Hex(body), 'hex');
  if (!timingSafeEqual(actual, Buffer.from(identity.contentSha256, 'hex'))) {
    throw new RejectedError('unauthenticated', 'the body is not the one that was signed');
  }
  return body;
}

import { Code, ConnectError } from '@connectrpc/connect';
import { CorruptBlockError, MalformedInputError, RejectedError, RetryableError } from '../core/errors.ts';
import type { Hub } from '../pipeline/hub.ts';

/** Says no with a status of its own, where none of the kinds in core/errors.ts fits: no such route, wrong media type. */
export class HttpError extends Error {
  override name = 'HttpError';
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** An error as the wire tells it: Connect's code name with its HTTP status. */
export interface Failure {
  status: number;
  code: string;
  message: string;
  headers: Record<string, string>;
  /** Nobody foresaw it: the caller learns nothing, the log everything. */
  isBug: boolean;
}

const REJECTIONS = {
  unauthenticated: [401, 'unauthenticated'],
  forbidden: [403, 'permission_denied'],
  'too-large': [413, 'resource_exhausted'],
  'rate-limited': [429, 'resource_exhausted'],
  invalid: [400, 'invalid_argument'],
  'not-found': [404, 'not_found'],
} as const;

/** Seconds after which a caller may try again when whoever refused did not say. */
const DEFAULT_RETRY_SECONDS = 5;

/** Browsers ask their user for a name and a token when they see this. */
export const BASIC_CHALLENGE = { 'www-authenticate': 'Basic realm="Cinderblock", charset="UTF-8"' };

export function failureOf(error: unknown): Failure {
  if (error instanceof RejectedError) return rejected(error);
  if (error instanceof MalformedInputError) return failure(400, 'invalid_argument', error.message);
  if (error instanceof RetryableError) {
    return failure(503, 'unavailable', error.message, retryAfter(error.retryAfterSeconds));
  }
  if (error instanceof CorruptBlockError) return failure(500, 'data_loss', error.message);
  if (error instanceof HttpError) return failure(error.status, error.code, error.message, error.headers);
  return { ...failure(500, 'internal', 'internal error; the log of the server says more'), isBug: true };
}

/** `{"code":"invalid_argument","message":"…"}`, the same on every route. */
export function errorResponse({ status, code, message, headers }: Failure): Response {
  return Response.json({ code, message }, { status, headers });
}

/** The same failure for a Connect handler, which writes it in the caller's protocol. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const { code, message, headers } = failureOf(error);
  return new ConnectError(message, CONNECT_CODES[code] ?? Code.Internal, headers, undefined, error);
}

const CONNECT_CODES: Record<string, Code> = {
  invalid_argument: Code.InvalidArgument,
  unauthenticated: Code.Unauthenticated,
  permission_denied: Code.PermissionDenied,
  not_found: Code.NotFound,
  resource_exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  data_loss: Code.DataLoss,
  unimplemented: Code.Unimplemented,
};

function rejected(error: RejectedError): Failure {
  const [status, code] = REJECTIONS[error.reason];
  if (status === 401) return failure(status, code, error.message, BASIC_CHALLENGE);
  const wait = status === 429 || error.retryAfterSeconds !== undefined;
  return failure(status, code, error.message, wait ? retryAfter(error.retryAfterSeconds) : {});
}

function failure(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Failure {
  return { status, code, message, headers, isBug: false };
}

function retryAfter(seconds = DEFAULT_RETRY_SECONDS): Record<string, string> {
  return { 'retry-after': String(Math.max(1, Math.ceil(seconds))) };
}

/** The stack of a bug is for the operator, never for the caller. */
export function logBug(hub: Hub, path: string, error: unknown): void {
  const stack = error instanceof Error ? error.stack : String(error);
  hub.telemetry.log('error', `${path} failed: ${stack}`, { path });
  hub.telemetry.count('api_internal_errors_total', 1, { path });
}

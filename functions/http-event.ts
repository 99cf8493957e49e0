import { errorResponse, failureOf } from '../api/error-response.ts';
import { MalformedInputError, RejectedError } from '../core/errors.ts';

/** A request as an HTTP API of API Gateway hands it over (payload format 2.0), as far as functions use it. */
export interface HttpEvent {
  rawPath: string;
  rawQueryString: string;
  /** By lowercase name; several of one name are joined by commas. */
  headers: Record<string, string | undefined>;
  cookies?: string[];
  body?: string;
  isBase64Encoded: boolean;
  requestContext: {
    /** Owner of the API. */
    accountId: string;
    http: { method: string };
    authorizer?: {
      /** By the IAM authorizer. */
      iam?: { userArn?: string | null };
      /** By our own authorizer: what it answered. */
      lambda?: Record<string, unknown> | null;
    };
  };
}

/** The answer that API Gateway expects. */
export interface HttpResult {
  statusCode: number;
  headers: Record<string, string>;
  cookies?: string[];
  body: string;
  isBase64Encoded: boolean;
}

/** Most that a function may answer, in bytes of the JSON document that carries the answer: Lambda's limit. */
const RESULT_BYTES_MAX = 6 * 1024 * 1024;

/** Left for what surrounds the body in that document: status, headers, cookies. */
const RESULT_HEAD_BYTES = 16 * 1024;

/**
 * The event as a request. Its host is made up: who calls is in the event, not in the URL.
 * @throws MalformedInputError for a path or a header that no request can have
 */
export function toRequest(event: HttpEvent): Request {
  try {
    return buildRequest(event);
  } catch (cause) {
    throw new MalformedInputError('request', (cause as Error).message, undefined, { cause });
  }
}

function buildRequest(event: HttpEvent): Request {
  const { method } = event.requestContext.http;
  // The path may have been decoded on its way: what would end it is encoded again.
  const path = event.rawPath.replace(/[?#]/g, encodeURIComponent);
  const url = `https://hub${path}${event.rawQueryString === '' ? '' : `?${event.rawQueryString}`}`;
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers))
    if (value !== undefined) headers.set(name, value);
  if (event.cookies?.length) headers.set('cookie', event.cookies.join('; '));
  const hasBody = event.body !== undefined && method !== 'GET' && method !== 'HEAD';
  const body = hasBody ? Buffer.from(event.body!, event.isBase64Encoded ? 'base64' : 'utf8') : undefined;
  return new Request(url, { method, headers, body });
}

/**
 * The response as a result: text as it is, anything else in base64. One that is past Lambda's limit would be cut off
 * by it with an error that tells the caller nothing; an answer that says so goes instead.
 */
export async function toResult(response: Response): Promise<HttpResult> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const isBase64Encoded = !isText(response.headers);
  const body = bytes.toString(isBase64Encoded ? 'base64' : 'utf8');
  const length = isBase64Encoded ? body.length : Buffer.byteLength(JSON.stringify(body));
  if (length > RESULT_BYTES_MAX - RESULT_HEAD_BYTES) return toResult(tooLong(bytes.length, length));
  const cookies = response.headers.getSetCookie();
  response.headers.delete('set-cookie');
  return {
    statusCode: response.status,
    headers: { ...Object.fromEntries(response.headers), 'x-content-type-options': 'nosniff' },
    ...(cookies.length > 0 && { cookies }),
    body,
    isBase64Encoded,
  };
}

function isText(headers: Headers): boolean {
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') return false;
  const type = headers.get('content-type') ?? '';
  return type === '' || /^(text\/|application\/([\w.-]+\+)?(json|xml|javascript)\b)/.test(type);
}

function tooLong(bytes: number, encodedBytes: number): Response {
  const message =
    `the answer has ${bytes} bytes, ${encodedBytes} as Lambda carries it, and Lambda carries at most ${RESULT_BYTES_MAX}; ` +
    'ask for a shorter time range, one service or more label matchers, or fewer nodes (max_nodes), and accept gzip';
  return errorResponse(failureOf(new RejectedError('too-large', message)));
}

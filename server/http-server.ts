import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorResponse, failureOf, HttpError } from '../api/error-response.ts';
import { RetryableError } from '../core/errors.ts';
import { Admission } from './admission.ts';
import { bodyStream } from './request-body.ts';

export type Handler = (request: Request) => Promise<Response>;

export interface HttpServer {
  host: string;
  port: number;
  /** Takes no new requests, lets those under way finish for `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

export interface HttpServerOptions {
  host: string;
  /** 0 for any free one. */
  port: number;
  handle: Handler;
  /** What nobody foresaw, for the log. */
  onError(error: unknown): void;
}

const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 120_000;
/** Longer than the idle time of common load balancers (60 s), so that they close first. */
const KEEP_ALIVE_MS = 65_000;
/** How long a refused body may go on flowing before the connection is cut. */
const DRAIN_MS = 2000;
/** Counted for a body that does not say its length. */
const UNKNOWN_BODY_BYTES = 4 * 1024 * 1024;

/** Serves a handler of web-standard requests over HTTP/1.1. Rejects with the system's error when it cannot listen. */
export async function listen(options: HttpServerOptions): Promise<HttpServer> {
  const admission = new Admission();
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (message, out) => {
      serve(message, out, admission, options).catch((error) => {
        options.onError(error);
        out.destroy();
      });
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return { host: options.host, port, close: (graceMs) => closeServer(server, graceMs) };
}

async function serve(
  message: IncomingMessage,
  out: ServerResponse,
  admission: Admission,
  { handle, onError }: HttpServerOptions,
): Promise<void> {
  const leave = admission.enter(bodyLength(message));
  if (!leave)
    return send(
      message,
      out,
      refusal(new RetryableError('too many requests at once', { retryAfterSeconds: 1 })),
    );
  out.on('close', leave);
  const gone = new AbortController();
  out.on('close', () => {
    if (!out.writableFinished) gone.abort();
  });
  const request = toRequest(message, gone.signal);
  const response = request
    ? await handle(request)
    : refusal(new HttpError(400, 'invalid_argument', 'broken URL'));
  try {
    await send(message, out, response);
  } catch (error) {
    // A caller that went away is none of our business; a body that could not be made is.
    if (!gone.signal.aborted) onError(error);
    out.destroy();
  }
}

function bodyLength({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return UNKNOWN_BODY_BYTES;
  return Number(headers['content-length'] ?? 0);
}

function toRequest(message: IncomingMessage, signal: AbortSignal): Request | undefined {
  const headers = new Headers();
  for (let i = 0; i < message.rawHeaders.length; i += 2) {
    headers.append(message.rawHeaders[i]!, message.rawHeaders[i + 1]!);
  }
  const method = message.method ?? 'GET';
  const hasBody = bodyLength(message) > 0 && method !== 'GET' && method !== 'HEAD';
  // Glued, not resolved: a path such as //other/x must stay a path.
  const url = `http://localhost${message.url?.startsWith('/') ? '' : '/'}${message.url ?? ''}`;
  try {
    if (!hasBody) return new Request(url, { method, headers, signal });
    const body = bodyStream(message);
    // The type of RequestInit in lib.dom does not know `duplex`, which streams need.
    return new Request(url, { method, headers, signal, body, duplex: 'half' } as RequestInit);
  } catch {
    return undefined;
  }
}

function refusal(error: Error): Response {
  return errorResponse(failureOf(error));
}

async function send(message: IncomingMessage, out: ServerResponse, response: Response): Promise<void> {
  out.statusCode = response.status;
  for (const [name, value] of response.headers) out.appendHeader(name, value);
  out.setHeader('x-content-type-options', 'nosniff');
  if (!message.complete) drainThenClose(message, out);
  if (message.method === 'HEAD' || !response.body) {
    await response.body?.cancel();
    if (message.method !== 'HEAD') out.setHeader('content-length', 0);
    out.end();
    return;
  }
  await sendBody(out, response.body.getReader());
}

/** A body of one piece goes with its length; a longer one piece by piece, no faster than it is taken. */
async function sendBody(out: ServerResponse, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let piece = await reader.read();
  const next = piece.done ? piece : await reader.read();
  if (next.done) {
    const bytes = piece.value ?? new Uint8Array(0);
    out.setHeader('content-length', bytes.length);
    out.end(bytes);
    return;
  }
  out.write(piece.value);
  for (piece = next; !piece.done; piece = await reader.read()) {
    if (out.destroyed) return reader.cancel();
    if (!out.write(piece.value)) await drained(out);
  }
  out.end();
}

function drained(out: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      out.off('drain', done);
      out.off('close', done);
      resolve();
    };
    out.on('drain', done);
    out.on('close', done);
  });
}

/**
 * The answer comes before the whole body: most clients read it only once they have sent all, and lose it if the
 * connection closes under them. So the rest flows away, for a while.
 */
function drainThenClose(message: IncomingMessage, out: ServerResponse): void {
  out.setHeader('connection', 'close');
  message.resume();
  const timer = setTimeout(() => message.destroy(), DRAIN_MS);
  message.on('close', () => clearTimeout(timer));
}

/** How often connections that became idle are looked for while the server closes. */
const IDLE_CHECK_MS = 20;

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // A connection whose last request just ended would otherwise be kept alive for the next one.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}

import {
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  type Interceptor,
} from '@connectrpc/connect';
import type { Compression, UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { MalformedInputError } from '../core/errors.ts';
import type { Permission } from './access/identity.ts';
import { callKey } from './connect-call.ts';
import { errorResponse, failureOf, HttpError, logBug, toConnectError } from './error-response.ts';
import { gunzip, gzip } from './gunzip.ts';
import type { SizeLimit } from './read-body.ts';
import { bodyOf, type Call, type Route } from './route.ts';

const compressionGzip: Compression = {
  name: 'gzip',
  compress: async (bytes) => gzip(bytes),
  decompress: async (bytes, readMaxBytes) => {
    try {
      return gunzip(bytes, readMaxBytes) as Uint8Array<ArrayBuffer>;
    } catch (error) {
      throw toConnectError(error);
    }
  },
};

/** Errors of use cases become Connect's, and what nobody foresaw goes to the log. */
const mapErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    const call = request.contextValues.get(callKey);
    if (call && failureOf(error).isBug && !isConnectError(error)) logBug(call.hub, call.path, error);
    throw toConnectError(error);
  }
};

/**
 * A route per RPC of some services: Connect and gRPC-web, protobuf and JSON, on the same path. gRPC proper needs HTTP/2
 * trailers.
 * @param register names the services to the router
 */
export function connectRoutes(
  permission: Permission,
  limit: SizeLimit,
  register: (router: ConnectRouter) => void,
): Route[] {
  const router = createConnectRouter(optionsFor(limit.value));
  register(router);
  return router.handlers.map((handler) => toRoute(handler, permission, limit));
}

function optionsFor(readMaxBytes: number) {
  return { grpc: false, acceptCompression: [compressionGzip], readMaxBytes, interceptors: [mapErrors] };
}

function toRoute(handler: UniversalHandler, permission: Permission, limit: SizeLimit): Route {
  return {
    method: 'POST',
    path: handler.requestPath,
    permission,
    async handle(call) {
      const body = await bodyOf(call, limit);
      const response = await handler({
        httpVersion: '1.1',
        method: call.request.method,
        url: call.request.url,
        header: call.request.headers,
        body: once(body),
        signal: call.request.signal,
        contextValues: createContextValues().set(callKey, call),
      });
      return toResponse(response, call);
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function toResponse({ status, header, body }: UniversalServerResponse, call: Call): Promise<Response> {
  if (status === 415) {
    const contentType = call.request.headers.get('content-type') ?? '(none)';
    const refused = new HttpError(
      415,
      'invalid_argument',
      `Content-Type ${contentType}: send application/proto or json`,
    );
    return errorResponse(failureOf(refused));
  }
  const pieces: Uint8Array[] = [];
  if (body) for await (const piece of body) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  if (status === 500) refuseUnparsed(bytes);
  return new Response(bytes, { status, headers: header });
}

/** The library takes protobuf that it cannot parse for a failure of the server; the caller sent it. */
function refuseUnparsed(answer: Buffer): void {
  const marker = '{"code":"internal","message":"parse binary: ';
  if (!answer.subarray(0, marker.length).equals(Buffer.from(marker))) return;
  throw new MalformedInputError(
    'protobuf',
    JSON.parse(answer.toString('utf8')).message.slice('parse binary: '.length),
  );
}

function isConnectError(error: unknown): boolean {
  return error instanceof Error && error.name === 'ConnectError';
}

import { createConnectRouter, createContextValues, type Interceptor } from '@connectrpc/connect';
import type { Compression, UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { MalformedInputError } from '../core/errors.ts';
import type { Hub } from '../pipeline/hub.ts';
import type { Permission } from './access/identity.ts';
import { callKey } from './connect-call.ts';
import { errorResponse, failureOf, HttpError, toConnectError } from './error-response.ts';
import { FeatureFlagsService } from './gen/capabilities/v1/feature_flags_pb.js';
import { QueryService } from './gen/cinderblock/v1/query_pb.js';
import { PusherService } from './gen/push/v1/push_pb.js';
import { QuerierService } from './gen/querier/v1/querier_pb.js';
import { SettingsService } from './gen/settings/v1/settings_pb.js';
import { VCSService } from './gen/vcs/v1/vcs_pb.js';
import { Version } from './gen/version/v1/version_pb.js';
import { gunzip, gzip } from './gunzip.ts';
import { pushService } from './ingest/push-service.ts';
import { querierService } from './query/querier-service.ts';
import { queryService } from './query/query-service.ts';
import { featureFlagsService, settingsService, versionService } from './query/side-services.ts';
import { bodyOf, type Call, type Route } from './route.ts';

const QUERY_BYTES_MAX = { name: 'queryBytesMax', value: 1024 * 1024 };

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

/** A route per RPC: Connect and gRPC-web, protobuf and JSON, on the same path. gRPC proper needs HTTP/2 trailers. */
export function connectRoutes(hub: Hub): Route[] {
  return [...pushHandlers(hub), ...queryHandlers()];
}

function pushHandlers(hub: Hub): Route[] {
  const limit = { name: 'pprofBytesMax', value: hub.settings.pprofBytesMax };
  const router = createConnectRouter(optionsFor(limit.value)).service(PusherService, pushService);
  return router.handlers.map((handler) => toRoute(handler, 'ingest', limit));
}

function queryHandlers(): Route[] {
  // Fields of our own service are always there, zero or not; others get the sparse JSON that their clients know.
  const wholeJson = { jsonOptions: { alwaysEmitImplicit: true } };
  const router = createConnectRouter(optionsFor(QUERY_BYTES_MAX.value))
    .service(QuerierService, querierService)
    .service(QueryService, queryService, wholeJson)
    .service(FeatureFlagsService, featureFlagsService)
    .service(SettingsService, settingsService)
    .service(Version, versionService)
    .service(VCSService, {});
  return router.handlers.map((handler) => toRoute(handler, 'query', QUERY_BYTES_MAX));
}

function optionsFor(readMaxBytes: number) {
  return { grpc: false, acceptCompression: [compressionGzip], readMaxBytes, interceptors: [mapErrors] };
}

function toRoute(
  handler: UniversalHandler,
  permission: Permission,
  limit: { name: string; value: number },
): Route {
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

/** The stack of a bug is for the operator, never for the caller. */
export function logBug(hub: Hub, path: string, error: unknown): void {
  const stack = error instanceof Error ? error.stack : String(error);
  hub.telemetry.log('error', `${path} failed: ${stack}`, { path });
  hub.telemetry.count('api_internal_errors_total', 1, { path });
}

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ingestOtlp } from '../../pipeline/ingest-profiles.ts';
import { clusterOf } from '../access/identity.ts';
import { failureOf, HttpError } from '../error-response.ts';
import { decodeContent } from '../read-body.ts';
import { bodyOf, type Call, type Route } from '../route.ts';

const PROTOBUF = 'application/x-protobuf';
const CONTENT_TYPES = new Set([PROTOBUF, 'application/protobuf']);

/** google.rpc.Code, which OTLP carries in its errors. */
const RPC_CODES: Record<string, number> = {
  invalid_argument: 3,
  not_found: 5,
  permission_denied: 7,
  resource_exhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
};

/**
 * OTLP profiles over HTTP, protobuf only. Senders retry 429, 502, 503 and 504 and drop on anything else, so what may
 * go through later must never be answered with another status.
 */
export const otlpRoutes: Route[] = [
  { method: 'POST', path: '/v1development/profiles', permission: 'ingest', handle: postProfiles },
];

async function postProfiles(call: Call): Promise<Response> {
  try {
    return await ingest(call);
  } catch (error) {
    const failure = failureOf(error);
    // What nobody foresaw is for the log, and the router writes that.
    if (failure.isBug) throw error;
    return answer(
      failure.status,
      statusMessage(RPC_CODES[failure.code] ?? 2, failure.message),
      failure.headers,
    );
  }
}

async function ingest(call: Call): Promise<Response> {
  const { hub, request, identity } = call;
  const contentType = (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (!CONTENT_TYPES.has(contentType)) {
    throw new HttpError(415, 'invalid_argument', `Content-Type ${contentType || '(none)'}: send ${PROTOBUF}`);
  }
  const { pprofBytesMax } = hub.settings;
  const body = await bodyOf(call, { name: 'pprofBytesMax', value: pprofBytesMax });
  const bytes = decodeContent(request, body, pprofBytesMax);
  const { rejectedProfiles, message } = await ingestOtlp(hub, { cluster: clusterOf(identity), bytes });
  return answer(200, exportResponse(rejectedProfiles, message));
}

function answer(status: number, body: Uint8Array, headers: Record<string, string> = {}): Response {
  return new Response(body.slice(), { status, headers: { ...headers, 'content-type': PROTOBUF } });
}

/** ExportProfilesServiceResponse; `partial_success` (1) only when something was left out. */
function exportResponse(rejectedProfiles: number, message: string): Uint8Array {
  const out = new BinaryWriter();
  if (rejectedProfiles === 0 && message === '') return out.finish();
  out.tag(1, WireType.LengthDelimited).fork();
  if (rejectedProfiles !== 0) out.tag(1, WireType.Varint).int64(rejectedProfiles);
  if (message !== '') out.tag(2, WireType.LengthDelimited).string(message);
  return out.join().finish();
}

/** google.rpc.Status: code (1), message (2). */
function statusMessage(code: number, message: string): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.Varint)
    .int32(code)
    .tag(2, WireType.LengthDelimited)
    .string(message)
    .finish();
}

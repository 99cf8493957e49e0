import { MalformedInputError, RejectedError } from '../../core/errors.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { recordHeartbeat } from '../../pipeline/record-heartbeat.ts';
import { bodyOf, type Call, type Route } from '../route.ts';

export const BATCH_CONTENT_TYPE = 'application/vnd.cinderblock.batch';

const HEARTBEAT_BYTES_MAX = { name: 'heartbeatBytesMax', value: 64 * 1024 };

/** What agents send, signed, under their own cluster. Answers carry `Date`, by which agents learn how far their clock is off. */
export const agentRoutes: Route[] = [
  { method: 'POST', path: '/v1/clusters/:cluster/batches', permission: 'agent', handle: postBatch },
  { method: 'POST', path: '/v1/clusters/:cluster/heartbeat', permission: 'agent', handle: postHeartbeat },
];

/** 202 with the batch id once the batch is durable; `duplicate` when it came before. */
async function postBatch(call: Call): Promise<Response> {
  const cluster = ownCluster(call);
  const { batchBytesMax } = call.hub.settings;
  const bytes = await bodyOf(call, { name: 'batchBytesMax', value: batchBytesMax });
  const { batchId, duplicate } = await ingestBatch(call.hub, { cluster, bytes });
  return Response.json({ batchId, duplicate }, { status: 202, headers: dateOf(call) });
}

async function postHeartbeat(call: Call): Promise<Response> {
  const cluster = ownCluster(call);
  const body = parseJson(await bodyOf(call, HEARTBEAT_BYTES_MAX));
  return Response.json(await recordHeartbeat(call.hub, { cluster, body }), { headers: dateOf(call) });
}

/** The cluster of the signer, which must be the one in the path. */
function ownCluster({ identity, params }: Call): string {
  if (identity.kind !== 'agent') throw new RejectedError('unauthenticated', 'only agents call this');
  if (identity.cluster !== params.cluster) {
    throw new RejectedError(
      'forbidden',
      `the key is of cluster ${identity.cluster}, the path of ${params.cluster}`,
    );
  }
  return identity.cluster;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MalformedInputError('heartbeat', 'is not JSON', undefined, { cause });
  }
}

function dateOf({ hub }: Call): Record<string, string> {
  return { date: new Date(hub.clock()).toUTCString() };
}

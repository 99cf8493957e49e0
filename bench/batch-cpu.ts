import { createHash } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { type BatchOrigin, batchIdOf } from '../core/batch/batch-origin.ts';
import { BlockBuilder } from '../core/block/block-builder.ts';
import { ingestHandler } from '../functions/ingest.ts';
import type { FunctionHub } from '../functions/open-hub.ts';
import { processorHandler } from '../functions/processor.ts';
import { defaultHubSettings, type Hub } from '../pipeline/hub.ts';
import { toContent } from '../storage/aws/batch-messages.ts';
import { dynamodbBlockCatalog } from '../storage/aws/dynamodb-block-catalog.ts';
import { dynamodbLeaseStore } from '../storage/aws/dynamodb-lease-store.ts';
import { dynamodbRegistry } from '../storage/aws/dynamodb-registry.ts';
import { dynamoTable } from '../storage/aws/dynamodb-table.ts';
import { s3ObjectStore } from '../storage/aws/s3-object-store.ts';
import { sqsBatchQueue } from '../storage/aws/sqs-batch-queue.ts';
import { gunzipBounded } from '../storage/gzip.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import { Fleet, FleetDataset } from './fleet.ts';
import { costOf } from './measure.ts';

// CPU time of the two functions that every batch passes, from event to answer: the handlers and the SDK as they are
// deployed, with its serializing and signing, on a wire that answers at once. What is missing is TLS.

/** CPU time per batch in each function, ms of one core here, and the length of the batches measured. */
export interface BatchCpu {
  readonly ingestMs: number;
  readonly processorMs: number;
  readonly batchBytes: number;
}

const NOW = 1_760_000_000_000;
const FLUSH_MS = 60_000;
/** Batches of one event of the processor: what 6 MB of base64 hold. */
const EVENT_BATCHES = 45;
/** Services on each node; with them a batch has about 100 KB. */
const SERVICES = 8;
/** Before the clock starts: an environment serves for hours, and its first second is spent compiling JavaScript. */
const WARM_ROUNDS = 6;
const ROUNDS = 5;

/** Measures warm functions; takes some seconds. */
export async function measureBatchCpu(): Promise<BatchCpu> {
  const batches = nodeBatches();
  const open = openOnInstantWire();
  const ingest = ingestHandler(() => open);
  const processor = processorHandler(() => open);
  const uploads = batches.map(({ bytes }) => uploadEvent(bytes));
  const records = batches.map(queueRecord);
  const ingestMs = await cpuPerRound(async () => {
    for (const upload of uploads) {
      const { statusCode, body } = await ingest(upload, context);
      if (statusCode !== 202) throw new Error(`ingest answered ${statusCode}: ${body}`);
    }
  });
  const processorMs = await cpuPerRound(async () => {
    const { batchItemFailures } = await processor({ Records: records }, context);
    if (batchItemFailures.length > 0) throw new Error(`${batchItemFailures.length} batches came back`);
  });
  const batchBytes = batches.reduce((sum, { bytes }) => sum + bytes.length, 0) / batches.length;
  return { ingestMs: ingestMs / EVENT_BATCHES, processorMs: processorMs / EVENT_BATCHES, batchBytes };
}

/** Of a round of EVENT_BATCHES, in ms: the median. */
async function cpuPerRound(round: () => Promise<void>): Promise<number> {
  for (let i = 0; i < WARM_ROUNDS; i++) await round();
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) times.push((await costOf(round)).cpuMs);
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
}

/** What as many nodes send of one minute: a pod of each service on each. */
function nodeBatches(): { batchId: string; bytes: Uint8Array }[] {
  const options = { pods: EVENT_BATCHES, stacks: 300, samplesPerWindow: 35 };
  const fleets = Array.from(
    { length: SERVICES },
    (_, i) => new Fleet({ ...options, seed: i + 1, service: `shop-${i}` }),
  );
  return Array.from({ length: EVENT_BATCHES }, (_, node) => nodeBatch(fleets, node));
}

function nodeBatch(fleets: readonly Fleet[], node: number): { batchId: string; bytes: Uint8Array } {
  const origin = originOf(fleets, node);
  const batchId = batchIdOf(origin);
  const builder = new BlockBuilder();
  for (const fleet of fleets) {
    const into = new FleetDataset(builder.dataset(fleet.service), fleet.paths);
    for (let start = NOW - FLUSH_MS; start < NOW; start += fleet.windowMs) {
      fleet.addWindow(into, builder.batch(batchId), node, start);
    }
  }
  const meta = { blockId: batchId.replaceAll('/', '_'), tenant: '', level: 0, resolutionSeconds: 0, origin };
  return { batchId, bytes: builder.write(meta, zstdCodec).bytes };
}

function originOf(fleets: readonly Fleet[], node: number): BatchOrigin {
  const kept = fleets.reduce((sum, fleet) => sum + (FLUSH_MS / fleet.windowMs) * fleet.samplesPerWindow, 0);
  return {
    ...{ cluster: 'bench', node: `node-${node}`, bootId: 'boot', sequence: 1 },
    ...{ taken: kept, lost: 0, dropped: 0, kept, droppedBatches: 0, droppedBatchSamples: 0 },
    ...{ firstWindow: NOW - FLUSH_MS, lastWindow: NOW, agentVersion: '0.1.0', engine: 'perf' },
  };
}

function uploadEvent(bytes: Uint8Array) {
  const account = '111111111111';
  const userArn = `arn:aws:sts::${account}:assumed-role/hub-cluster-bench/agent`;
  return {
    rawPath: '/v1/clusters/bench/batches',
    rawQueryString: '',
    headers: {
      'content-type': 'application/vnd.cinderblock.batch',
      'x-amz-content-sha256': createHash('sha256').update(bytes).digest('hex'),
    },
    requestContext: { accountId: account, http: { method: 'POST' }, authorizer: { iam: { userArn } } },
    body: Buffer.from(bytes).toString('base64'),
    isBase64Encoded: true,
  };
}

function queueRecord({ batchId, bytes }: { batchId: string; bytes: Uint8Array }) {
  const message = { batchId, tenant: 'bench', cluster: 'bench', receivedAt: NOW, payload: bytes };
  const { body, attributes } = toContent(message);
  const messageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, { BinaryValue }]) => {
      return [name, { binaryValue: Buffer.from(BinaryValue!).toString('base64') }];
    }),
  );
  return { messageId: batchId, body, messageAttributes, attributes: { ApproximateReceiveCount: '1' } };
}

const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => 60_000 } as never;

/** The ports on AWS with the SDK's own clients, whose requests are answered in this process. */
function openOnInstantWire(): FunctionHub {
  const common = {
    region: 'eu-central-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    requestHandler: { handle: async (request: WireRequest) => ({ response: answer(request) }) } as never,
  };
  const table = dynamoTable(new DynamoDBClient(common), 'hub');
  const clock = () => NOW;
  const queueUrl = 'https://sqs.eu-central-1.amazonaws.com/111111111111/batches';
  const telemetry = { count() {}, gauge() {}, log() {}, begin() {}, flush() {} };
  const hub: Hub = {
    objects: s3ObjectStore(new S3Client(common), 'blocks'),
    catalog: dynamodbBlockCatalog(table, clock),
    queue: sqsBatchQueue(new SQSClient(common), { queueUrl, deadLetterUrl: `${queueUrl}-dead` }),
    registry: dynamodbRegistry(table, clock),
    leases: dynamodbLeaseStore(table, clock),
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: () => () => true,
    clock,
    random: Math.random,
    tenant: 'bench',
    settings: defaultHubSettings,
    telemetry,
  };
  return { hub, telemetry, rolePrefix: 'hub-cluster-' };
}

interface WireRequest {
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
}

/** The least that the SDK takes for an answer: a cluster that is active, the digest of a message, else nothing. */
function answer({ headers, body }: WireRequest) {
  const operation = headers['x-amz-target'] ?? '';
  let fields: object = {};
  if (operation.endsWith('.GetItem')) fields = { Item: { status: { S: 'active' }, cluster: { S: 'bench' } } };
  if (operation.endsWith('.SendMessage')) {
    const digest = createHash('md5')
      .update(JSON.parse(new TextDecoder().decode(body)).MessageBody)
      .digest('hex');
    fields = { MessageId: 'm', MD5OfMessageBody: digest };
  }
  const type = operation === '' ? 'application/xml' : 'application/x-amz-json-1.0';
  const bytes = operation === '' ? new Uint8Array(0) : Buffer.from(JSON.stringify(fields));
  return { statusCode: 200, headers: { 'content-type': type, 'x-amzn-requestid': 'r' }, body: bytes };
}

if (import.meta.main) {
  const { ingestMs, processorMs, batchBytes } = await measureBatchCpu();
  console.log(
    `CPU per batch of ${(batchBytes / 1000).toFixed(0)} KB: ingest ${ingestMs.toFixed(2)} ms, processor ${processorMs.toFixed(2)} ms`,
  );
}

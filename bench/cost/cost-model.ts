// What a hub on AWS costs a month. Pure arithmetic: measured CPU times, sizes of real messages and counted requests, times
// list prices. Where a count is asserted by a test, the comment says which.
import { defaultHubSettings } from '../../pipeline/hub.ts';
import {
  BILLED_STEP_BYTES,
  billedRequests,
  messageBytes,
  toContent,
} from '../../storage/aws/batch-messages.ts';
import { MAX_INLINE_BYTES } from '../../storage/batch-queue.ts';
import { FIND_READ_UNITS, housekeeping, lossSums, plans } from './background-cost.ts';
import { type CostComponent, perBatch, round } from './cost-component.ts';
import { ASSUMPTIONS, type BatchCpu, type CostInputs, type HubShape } from './cost-inputs.ts';
import { billedMs, compute } from './function-time.ts';
import { ledgerWriteUnits, lossReadUnits } from './ledger-units.ts';
import { priceOf } from './list-prices.ts';

/** An event of a function holds so much, binary content as base64, and about 1 KB of names per message. */
const EVENT_BYTES = 6 * 1024 * 1024;
const EVENT_RECORD_BYTES = 1000;
/** The longest upload, and the most that one block is made of, bytes. */
const { batchBytesMax, processBytesMax } = defaultHubSettings;
const API_STEP_BYTES = 512 * 1024;
/** Write units per level-0 block: publish, its share of the swap that removes it, forget. docs/design/0003. */
const BLOCK_WRITE_UNITS = { publish: 3, swap: 4, forget: 2 };
/** Of a job: reads of settings and of the lease's holder, and its lease. test/functions/compaction-requests.test.ts. */
const JOB_READ_UNITS = 4;
const JOB_WRITE_UNITS = 3;
/** Its message is sent, received and deleted. */
const JOB_QUEUE_REQUESTS = 3;
/** Of each block that is merged: looked up, found for the swap, found for deletion, forgotten. */
const MERGED_READ_UNITS = 4;
/** Messages per request to SQS, and their bytes. */
const MESSAGES_PER_REQUEST = 10;
const REQUEST_BYTES = 1024 * 1024;

export interface Bill {
  readonly components: readonly CostComponent[];
  /** US dollars a month. */
  readonly total: number;
  readonly batches: number;
  readonly gigabytes: number;
  readonly batchesPerBlock: number;
  /** Everything that grows with batches, US dollars per million of them. */
  readonly perMillionBatches: number;
  /** The whole bill, heartbeats, queries and what is always there included, US dollars per million batches. */
  readonly allPerMillionBatches: number;
}

/** What a month costs, component by component. */
export function monthlyBill(inputs: CostInputs, cpu: BatchCpu, shape: HubShape): Bill {
  const flow = flowOf(inputs, shape);
  const components = [
    ingestApi(flow),
    ingestFunction(flow, cpu, shape),
    queue(flow, shape),
    processor(flow, cpu, shape),
    index(flow),
    ledger(flow, inputs),
    clusterCheck(flow),
    objects(flow),
    storage(flow, inputs),
    compaction(flow, cpu, shape),
    plans({ ...flow, storedGb: newlyStoredGigabytes(flow) }, shape),
    lossSums(flow, inputs, shape),
    housekeeping(storedGigabytes(flow, inputs), shape),
    heartbeats(inputs, shape),
    logs(flow, cpu, shape),
    queries(inputs, shape),
    fixed(shape),
  ];
  const total = sum(components);
  const growing = sum(components.filter(({ perBatch }) => perBatch));
  const { batches, bytes, batchesPerBlock } = flow;
  return {
    components,
    total,
    batches,
    gigabytes: (batches * bytes) / 1e9,
    batchesPerBlock,
    perMillionBatches: growing / (batches / 1e6),
    allPerMillionBatches: total / (batches / 1e6),
  };
}

/** What flows through the hub in a month. */
interface Flow {
  /** Batches that nodes make. */
  readonly batches: number;
  /** Bytes of one. */
  readonly bytes: number;
  /** Requests that carry them: as many without a relay. */
  readonly uploads: number;
  readonly batchesPerUpload: number;
  readonly uploadBytes: number;
  /** Whether an upload travels inside its message. */
  readonly inline: boolean;
  /** Bytes of its message. */
  readonly messageBytes: number;
  readonly uploadsPerBlock: number;
  readonly batchesPerBlock: number;
  readonly blocks: number;
}

function flowOf(inputs: CostInputs, shape: HubShape): Flow {
  const bytes = inputs.batchKb * 1000;
  const batches = (inputs.nodes * ASSUMPTIONS.monthSeconds) / inputs.flushSeconds;
  const batchesPerUpload = inputs.relay ? relayed(inputs.nodes, bytes) : 1;
  const uploadBytes = batchesPerUpload * bytes;
  const inline = uploadBytes <= MAX_INLINE_BYTES;
  const message = sizeOfMessage(inline ? uploadBytes : undefined);
  const uploads = batches / batchesPerUpload;
  const mergeable = Math.max(1, Math.floor(processBytesMax / uploadBytes));
  const uploadsPerBlock = Math.min(gathered(uploads / ASSUMPTIONS.monthSeconds, message, shape), mergeable);
  const batchesPerBlock = uploadsPerBlock * batchesPerUpload;
  return {
    batches,
    bytes,
    uploads,
    batchesPerUpload,
    uploadBytes,
    inline,
    messageBytes: message,
    uploadsPerBlock,
    batchesPerBlock,
    blocks: batches / batchesPerBlock,
  };
}

/** As many as fit an upload, and as there are. */
function relayed(nodes: number, bytes: number): number {
  return Math.max(1, Math.min(ASSUMPTIONS.relayBatches, nodes, Math.floor(batchBytesMax / bytes)));
}

/** A message of the queue with so many bytes of batch, or with a key in their place. */
function sizeOfMessage(payloadBytes: number | undefined): number {
  const head = {
    batchId: 'cluster-name/node-name-of-usual-length/0123456789abcdef/123456',
    tenant: 'default',
    cluster: 'cluster-name',
    receivedAt: 1_760_000_000_000,
  };
  const message =
    payloadBytes === undefined
      ? {
          ...head,
          objectKey: `inbox/default/cluster-name/${head.batchId.replaceAll('/', '=')}=01234567.batch`,
        }
      : { ...head, payload: new Uint8Array(payloadBytes) };
  return messageBytes(toContent(message));
}

/**
 * Messages of one call of the processor: the first, and what a poller gets while the window is open, as far as the event
 * holds them.
 * @param rate messages a second
 */
function gathered(rate: number, bytes: number, shape: HubShape): number {
  const arriving = 1 + (rate / ASSUMPTIONS.pollers) * shape.processorWindowSeconds;
  const fitting = Math.floor(EVENT_BYTES / (Math.ceil(bytes / 3) * 4 + EVENT_RECORD_BYTES));
  return Math.max(1, Math.min(arriving, shape.processorBatches, fitting));
}

function ingestApi({ uploads, uploadBytes }: Flow): CostComponent {
  const steps = Math.max(1, Math.ceil(uploadBytes / API_STEP_BYTES));
  return perBatch('ingest API', priceOf('httpApi', uploads * steps), `${steps} × 512 KB a request`);
}

function ingestFunction(flow: Flow, cpu: BatchCpu, shape: HubShape): CostComponent {
  const ms = ingestMs(flow, cpu, shape);
  const usd = priceOf('lambdaRequest', flow.uploads) + compute(flow.uploads, ms, shape.ingestMemoryMb);
  return perBatch('ingest function', usd, `${ms} ms at ${shape.ingestMemoryMb} MB a request`);
}

function ingestMs({ uploadBytes }: Flow, cpu: BatchCpu, { ingestMemoryMb }: HubShape): number {
  return billedMs(cpu.ingestMs * (uploadBytes / 100_000), ASSUMPTIONS.ingestWaitMs, ingestMemoryMb);
}

/** Asserted: test/storage/aws/batch-messages.test.ts (steps), request-counts.test.ts (requests). */
function queue(flow: Flow, { messageGroups }: HubShape): CostComponent {
  const together = Math.min(
    MESSAGES_PER_REQUEST,
    Math.max(1, Math.floor(REQUEST_BYTES / flow.messageBytes)),
    flow.uploadsPerBlock,
  );
  const send = billedRequests(flow.messageBytes);
  const receive = Math.max(1 / together, billedRequests(flow.messageBytes * together) / together);
  const requests = send + receive + 1 / together;
  const group = messageGroups ? priceOf('sqsFairRequest', flow.uploads * requests) : 0;
  const usd = priceOf('sqsRequest', flow.uploads * requests) + group;
  const steps = `${send} × ${BILLED_STEP_BYTES / 1024} KiB to send, ${receive.toFixed(1)} to receive`;
  return perBatch('queue', usd, `${steps}, ${(1 / together).toFixed(1)} to delete`);
}

function processor(flow: Flow, cpu: BatchCpu, shape: HubShape): CostComponent {
  const cpuMs = cpu.processorMs * (flow.bytes / 100_000) * flow.batchesPerBlock;
  const ms = billedMs(cpuMs, ASSUMPTIONS.processorWaitMs, shape.processorMemoryMb);
  const usd = priceOf('lambdaRequest', flow.blocks) + compute(flow.blocks, ms, shape.processorMemoryMb);
  return perBatch(
    'processor',
    usd,
    `${ms} ms at ${shape.processorMemoryMb} MB for ${round(flow.batchesPerBlock)} batches`,
  );
}

/** Requests asserted in test/functions/request-counts.test.ts; units in docs/design/0003-storage-on-aws.md. */
function index({ blocks }: Flow): CostComponent {
  const { publish, swap, forget } = BLOCK_WRITE_UNITS;
  const units = publish + swap + forget;
  return perBatch(
    'block catalog',
    priceOf('dynamoWriteUnit', blocks * units),
    `${units} write units a block`,
  );
}

/** One write a batch (asserted in test/functions/request-counts.test.ts), of an item that grows within a quarter of an hour. */
function ledger({ batches }: Flow, { flushSeconds }: CostInputs): CostComponent {
  const units = ledgerWriteUnits(flushSeconds);
  return perBatch(
    'ledger',
    priceOf('dynamoWriteUnit', batches * units),
    `${round(units)} write units a batch`,
  );
}

/** Whether the cluster is active is asked on every request: one read (asserted there too). */
function clusterCheck({ uploads }: Flow): CostComponent {
  return perBatch('cluster check', priceOf('dynamoReadUnit', uploads), '1 read unit a request');
}

function objects({ blocks, uploads, inline }: Flow): CostComponent {
  const { getsPerBlock, blocksPerMerge } = ASSUMPTIONS;
  const pointed = inline ? 0 : uploads;
  const puts = blocks * (1 + 1 / blocksPerMerge) + pointed;
  const gets = blocks * getsPerBlock + pointed;
  const basis = inline ? 'a PUT and its share of a merge, per block' : 'a PUT per upload and per block';
  return perBatch('object requests', priceOf('s3Put', puts) + priceOf('s3Get', gets), basis);
}

function storage(flow: Flow, inputs: CostInputs): CostComponent {
  const gb = storedGigabytes(flow, inputs);
  return perBatch('storage', priceOf('s3GbMonth', gb), `${round(gb)} GB kept`);
}

function storedGigabytes(flow: Flow, { retentionDays }: CostInputs): number {
  const days = ASSUMPTIONS.monthSeconds / 86_400;
  return newlyStoredGigabytes(flow) * (retentionDays / days);
}

/** What comes in within a month, as it is stored. */
function newlyStoredGigabytes({ batches, bytes }: Flow): number {
  return (batches * bytes) / 1e9 / ASSUMPTIONS.storedReduction;
}

/** PUTs, GETs and write units of blocks are in other components. */
function compaction(flow: Flow, cpu: BatchCpu, shape: HubShape): CostComponent {
  const { batches, bytes, blocks } = flow;
  const { monthSeconds, blocksPerMerge, compactionCpu, splitMib, splitCpu } = ASSUMPTIONS;
  const { jobWaitMs, lambdaCoreSpeed } = ASSUMPTIONS;
  const hourMib = (newlyStoredGigabytes(flow) * 1e9) / (monthSeconds / 3600) / 2 ** 20;
  const passes = compactionCpu + (hourMib > splitMib ? splitCpu : 0);
  const ms = cpu.processorMs * passes * (bytes / 100_000);
  const jobs = blocks / blocksPerMerge;
  const usd =
    compute(batches, ms / lambdaCoreSpeed, shape.workerMemoryMb) +
    compute(jobs, jobWaitMs, shape.workerMemoryMb) +
    priceOf('lambdaRequest', jobs) +
    priceOf('sqsRequest', jobs * JOB_QUEUE_REQUESTS) +
    priceOf('dynamoReadUnit', jobs * JOB_READ_UNITS + blocks * MERGED_READ_UNITS) +
    priceOf('dynamoWriteUnit', jobs * JOB_WRITE_UNITS);
  return perBatch('compaction', usd, `${round(ms)} ms of a core a batch, at ${shape.workerMemoryMb} MB`);
}

function heartbeats(inputs: CostInputs, shape: HubShape): CostComponent {
  const beats = (inputs.nodes * ASSUMPTIONS.monthSeconds) / inputs.heartbeatSeconds;
  const requests = inputs.relay ? beats / Math.min(ASSUMPTIONS.relayBatches, inputs.nodes) : beats;
  const ms = billedMs(ASSUMPTIONS.heartbeatCpuMs, ASSUMPTIONS.heartbeatWaitMs, shape.ingestMemoryMb);
  const usd =
    priceOf('httpApi', requests) +
    priceOf('lambdaRequest', requests) +
    compute(requests, ms, shape.ingestMemoryMb) +
    priceOf('dynamoReadUnit', requests) +
    priceOf('dynamoWriteUnit', beats) +
    priceOf('logInfrequentGb', (requests * shape.accessLogBytes) / 1e9);
  const basis = `every ${inputs.heartbeatSeconds} s: a request and a write unit each`;
  return { name: 'heartbeats', usd, basis, perBatch: false };
}

/** An access log line per request; of metrics, a line per call of the processor, and of ingest one a while at most. */
function logs(flow: Flow, cpu: BatchCpu, shape: HubShape): CostComponent {
  const { accessLogBytes, metricsLineBytes, metricsEverySeconds } = shape;
  const lines = Math.min(
    flow.uploads,
    environments(flow, cpu, shape) * (ASSUMPTIONS.monthSeconds / metricsEverySeconds),
  );
  const usd =
    priceOf('logInfrequentGb', (flow.uploads * accessLogBytes) / 1e9) +
    priceOf('logGb', ((flow.blocks + lines) * metricsLineBytes) / 1e9);
  return perBatch(
    'logs',
    usd,
    `${accessLogBytes} bytes a request, ${metricsLineBytes} a call of the processor`,
  );
}

/** Environments of the ingest function at work at once, and one to spare. */
function environments(flow: Flow, cpu: BatchCpu, shape: HubShape): number {
  return 1 + Math.ceil((flow.uploads / ASSUMPTIONS.monthSeconds) * (ingestMs(flow, cpu, shape) / 1000));
}

/** Every answer says how complete it is, for which it reads sums of loss: as few for any fleet. */
function queries(inputs: CostInputs, shape: HubShape): CostComponent {
  const { queryHours, querySeconds, queryBlocks } = ASSUMPTIONS;
  const count = (inputs.queriesPerDay * ASSUMPTIONS.monthSeconds) / 86_400;
  const lossUnits = lossReadUnits(queryHours);
  const usd =
    priceOf('httpApi', count) +
    priceOf('lambdaRequest', count) +
    compute(count, querySeconds * 1000, shape.queryMemoryMb) +
    priceOf('dynamoReadUnit', count * (FIND_READ_UNITS + queryBlocks + lossUnits)) +
    priceOf('s3Get', count * queryBlocks);
  const basis = `${inputs.queriesPerDay} a day, ${FIND_READ_UNITS + queryBlocks + lossUnits} read units each, ${lossUnits} of them for sums of loss`;
  return { name: 'queries', usd, basis, perBatch: false };
}

function fixed({ alarmMetrics, customMetrics }: HubShape): CostComponent {
  const polls = (ASSUMPTIONS.pollers * ASSUMPTIONS.monthSeconds) / ASSUMPTIONS.pollSeconds;
  const usd =
    priceOf('alarmMonth', alarmMetrics) +
    priceOf('customMetricMonth', customMetrics) +
    priceOf('dashboardMonth', 1) +
    priceOf('sqsRequest', polls);
  const basis = `${alarmMetrics} metrics with alarms, ${customMetrics} of our own, a dashboard, idle polls`;
  return { name: 'always there', usd, basis, perBatch: false };
}

function sum(components: readonly CostComponent[]): number {
  return components.reduce((total, { usd }) => total + usd, 0);
}

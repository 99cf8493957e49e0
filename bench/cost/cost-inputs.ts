// What the model is given: a fleet, CPU times, the hub as it is set up, and what nobody counted.

/** What a fleet does. */
export interface CostInputs {
  readonly nodes: number;
  /** How often a node makes a batch, s. */
  readonly flushSeconds: number;
  /** Size of a batch, 1,000 bytes. */
  readonly batchKb: number;
  readonly retentionDays: number;
  readonly queriesPerDay: number;
  /** Whether batches of a cluster's nodes are merged there before they are sent. */
  readonly relay: boolean;
  /** How often a node says that it lives, s. */
  readonly heartbeatSeconds: number;
}

/** CPU time of one whole core for one batch of 100 KB, ms. */
export interface BatchCpu {
  readonly ingestMs: number;
  readonly processorMs: number;
}

/** How the hub is set up. */
export interface HubShape {
  readonly ingestMemoryMb: number;
  readonly processorMemoryMb: number;
  readonly queryMemoryMb: number;
  readonly plannerMemoryMb: number;
  readonly workerMemoryMb: number;
  readonly housekeeperMemoryMb: number;
  /** How often compaction is planned, s: of the newest hours, and of all that there is. */
  readonly planSeconds: number;
  readonly planAllSeconds: number;
  /** How often what was lost is summed, s. */
  readonly lossSumSeconds: number;
  /** Calls of the housekeeper, all of its tasks together. */
  readonly housekeepingCallsPerDay: number;
  /** Most batches of one call of the processor, and how long one may wait for more, s. */
  readonly processorBatches: number;
  readonly processorWindowSeconds: number;
  /** Whether messages name a group, which is billed on top. */
  readonly messageGroups: boolean;
  /** Metrics that alarms look at, and metrics of our own. */
  readonly alarmMetrics: number;
  readonly customMetrics: number;
  /** A line of the ingest API's access log, bytes. */
  readonly accessLogBytes: number;
  /** A line of metrics of a function, bytes, and the least time between two of the ingest function, s. */
  readonly metricsLineBytes: number;
  readonly metricsEverySeconds: number;
}

/** What nobody counted, with its value. Printed with every bill. */
export const ASSUMPTIONS = {
  /** Seconds of a month. */
  monthSeconds: 2_628_000,
  /** Speed of a core of Lambda on arm64, in cores of the machine that measured. */
  lambdaCoreSpeed: 1,
  /** A function waits for so long: a read and a write of the table, sending a message. ms. */
  ingestWaitMs: 22,
  /** Writing an object and the two items of a block, ms. */
  processorWaitMs: 50,
  /** CPU of a heartbeat, and waiting for the table, ms. */
  heartbeatCpuMs: 2,
  heartbeatWaitMs: 10,
  /** Event source mappings begin with so many pollers, each of which gathers batches of its own. */
  pollers: 5,
  /** An idle poller asks so often, s. */
  pollSeconds: 20,
  /** What is stored is so many times smaller than what was sent, once compacted. */
  storedReduction: 4,
  /** Compaction reads what was stored with so many GETs a block, and merges one block of 12. */
  getsPerBlock: 2,
  blocksPerMerge: 12,
  /** Compaction's CPU per batch, in that of the processor. It has one core, whatever the memory. */
  compactionCpu: 1,
  /** Hours of more than so much, stored, MiB, are split into shards before they are closed: a third on top. */
  splitMib: 320,
  splitCpu: 1 / 3,
  /** A job waits for storage so long, ms. */
  jobWaitMs: 1000,
  /** A plan of the newest hours, and one of all, read so many hours of blocks that name their batches, in the mean. */
  planFreshHours: 6.5,
  planAllHours: 132,
  /** Blocks of an hour are ended behind so much, stored, MiB; so many services run on a node. */
  familyMib: 64,
  servicesPerNode: 20,
  /** A batch that a row names: stored as its part of a run, bytes; reading and comparing it, ms of a core. */
  namedBatchBytes: 0.3,
  namedBatchMs: 0.000011,
  /** Reading and adding up a record of the ledger, ms of a core: 3 s for a day of 1,000 nodes. */
  lossRecordMs: 0.002,
  /** A call of the housekeeper waits for the table and the bucket so long, ms. */
  housekeepingWaitMs: 500,
  /** Blocks are checked for damage so fast, with a GET per so much, MB. */
  scrubMbPerSecond: 100,
  scrubGetMb: 1,
  /** Clusters of which sums of loss speak. */
  clusters: 10,
  /** A query: range, h; time of the function, s; blocks that compaction left of it, each a read unit and a GET. */
  queryHours: 1,
  querySeconds: 0.3,
  queryBlocks: 60,
  /** Batches that one relay merges into an upload, when they fit. */
  relayBatches: 45,
} as const;

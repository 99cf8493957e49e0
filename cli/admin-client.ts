import { HubClient } from './hub-client.ts';
import type { Terminal } from './terminal.ts';

/** Numbers of 64 bits are texts in JSON. */
type Whole = string;

export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface ClusterRole {
  readonly roleArn: string;
  /** Newest first. */
  readonly externalIds: readonly string[];
  readonly ingestUrl: string;
  readonly region: string;
  readonly account: string;
}

/** What a cluster was given: one of the two. */
export interface GivenAccess {
  readonly cluster: string;
  readonly keyPair?: KeyPair;
  readonly role?: ClusterRole;
}

export interface AgentInfo {
  readonly node: string;
  readonly version: string;
  readonly engine: string;
  readonly lastSeenMs: Whole;
  readonly lagMs: Whole;
  readonly clockSkewMs: Whole;
  readonly samplesTaken: Whole;
  readonly samplesLost: Whole;
  readonly samplesDropped: Whole;
  readonly spooledBatches: Whole;
  readonly spooledBytes: Whole;
  readonly cpuPercent: number;
  readonly rssBytes: Whole;
  readonly lastError: string;
}

export interface ListedCluster {
  readonly id: string;
  readonly displayName: string;
  readonly status: string;
  readonly agents: readonly AgentInfo[];
}

export interface ClusterInfo {
  readonly cluster: string;
  readonly displayName: string;
  readonly status: string;
  readonly createdAtMs: Whole;
  readonly nowMs: Whole;
  readonly heartbeatMs: Whole;
  readonly agents: readonly AgentInfo[];
  readonly accessKeys: readonly {
    readonly accessKeyId: string;
    readonly createdAtMs: Whole;
    readonly revokedAtMs?: Whole;
  }[];
  readonly role?: ClusterRole;
  readonly loss: readonly {
    readonly taken: Whole;
    readonly lostByKernel: Whole;
    readonly droppedByAgent: Whole;
    readonly missingBatches: Whole;
    readonly unaccounted: Whole;
  }[];
}

export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAtMs: Whole;
  readonly revokedAtMs?: Whole;
}

export interface QueueInfo {
  readonly visible: Whole;
  readonly inFlight: Whole;
  readonly dead: Whole;
  readonly oldestMs: Whole;
  readonly nowMs: Whole;
  readonly deadLetters: readonly {
    readonly id: string;
    readonly batchId: string;
    readonly cluster: string;
    readonly receivedAtMs: Whole;
    readonly deadAtMs: Whole;
    readonly receiveCount: number;
    readonly bytes: Whole;
  }[];
}

export interface QuarantinedInfo {
  readonly id: string;
  readonly batchId: string;
  readonly cluster: string;
  readonly receivedAtMs: Whole;
  readonly quarantinedAtMs: Whole;
  readonly bytes: Whole;
  readonly reason: string;
}

/** For how long windows of each resolution are kept, ms. */
export interface KeepInfo {
  readonly rawMs: Whole;
  readonly fiveMinutesMs: Whole;
  readonly hourMs: Whole;
}

export interface RetentionInfo {
  readonly policies: readonly { readonly selector: string; readonly keep: KeepInfo }[];
  readonly fallback: KeepInfo;
  readonly rawKeepMinMs: Whole;
}

export interface DeletionInfo {
  readonly id: string;
  readonly selector: string;
  readonly start: Whole;
  readonly end: Whole;
  readonly reason: string;
  readonly createdAtMs: Whole;
  readonly doneAtMs?: Whole;
  readonly pendingBlocks: Whole;
  readonly outOfReachBlocks: Whole;
  readonly rewrittenBlocks: Whole;
  readonly deletedRows: Whole;
  readonly deletedSamples: Whole;
  readonly check?: {
    readonly blocks: Whole;
    readonly rows: Whole;
    readonly samples: Whole;
    readonly unread: readonly string[];
  };
}

export interface BlockInfo {
  readonly blockId: string;
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly minTime: Whole;
  readonly maxTime: Whole;
  readonly bytes: Whole;
  readonly createdAtMs: Whole;
  readonly services: readonly string[];
  /** Absent where `problem` says why. */
  readonly samples?: Whole;
  readonly problem: string;
}

export interface DamagedBlockInfo {
  readonly blockId: string;
  readonly minTime: Whole;
  readonly maxTime: Whole;
  /** missing or corrupt. */
  readonly kind: string;
  readonly problem: string;
}

export interface QuarantinedBlockInfo {
  readonly blockId: string;
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly minTime: Whole;
  readonly maxTime: Whole;
  readonly bytes: Whole;
  readonly services: readonly string[];
  readonly reason: string;
  readonly quarantinedAtMs: Whole;
}

export interface BlockRewriteInfo {
  readonly blockId: string;
  readonly salvage: boolean;
  readonly requestedAtMs: Whole;
  readonly doneAtMs?: Whole;
  readonly problem: string;
  readonly damaged: boolean;
  readonly newBlockId: string;
  readonly bytesBefore: Whole;
  readonly bytesAfter: Whole;
  readonly current: boolean;
  readonly lost: readonly {
    readonly service: string;
    readonly profileType: string;
    readonly rows: Whole;
    readonly samples: Whole;
    readonly total: string;
    readonly minTime: Whole;
    readonly maxTime: Whole;
    readonly problem: string;
  }[];
}

export interface QuarantinedGroupInfo {
  readonly group: string;
  readonly reason: string;
  readonly blockIds: readonly string[];
  readonly failures: number;
  readonly sinceMs: Whole;
  readonly untilMs: Whole;
}

export interface CompactionJobInfo {
  readonly group: string;
  readonly step: string;
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly blockIds: readonly string[];
  readonly versionIds: readonly string[];
  readonly downsampleTo: readonly number[];
}

export interface CompactionStatus {
  readonly counts: readonly {
    readonly level: number;
    readonly resolutionSeconds: number;
    readonly blocks: Whole;
    readonly bytes: Whole;
    readonly minTime: Whole;
    readonly maxTime: Whole;
  }[];
  readonly quarantined: readonly QuarantinedGroupInfo[];
  readonly backlogAgeMs: Whole;
  readonly plannedJobs: Whole;
  readonly markedBlocks: Whole;
  readonly nowMs: Whole;
}

/** What AdminService answers to each call that the command line makes. */
interface Answers {
  ListClusters: { readonly clusters: readonly ListedCluster[]; readonly nowMs: Whole };
  AddCluster: GivenAccess & { readonly addedAtMs: Whole };
  GetCluster: ClusterInfo;
  RotateCluster: GivenAccess & { readonly oldUntilMs?: Whole };
  DisableCluster: object;
  EnableCluster: object;
  RemoveCluster: { readonly revokedKeys: number };
  IssueToken: { readonly token: string; readonly info: TokenInfo };
  ListTokens: { readonly tokens: readonly TokenInfo[]; readonly nowMs: Whole };
  RevokeToken: { readonly info: TokenInfo };
  GetQueue: QueueInfo;
  RedriveDeadLetters: { readonly redriven: Whole };
  DiscardDeadLetters: { readonly discarded: Whole };
  ListQuarantine: { readonly batches: readonly QuarantinedInfo[] };
  RequeueQuarantined: object;
  DiscardQuarantined: object;
  GetRetention: RetentionInfo;
  SetRetention: RetentionInfo;
  ApplyRetention: {
    readonly expiredBlocks: Whole;
    readonly expiredBytes: Whole;
    readonly partlyBlocks: Whole;
    readonly partlyBytes: Whole;
    readonly rewrittenBlocks: Whole;
    readonly skipped: boolean;
  };
  DeleteProfiles: {
    readonly id: string;
    readonly samples: Whole;
    readonly blocks: Whole;
    readonly complete: boolean;
    readonly outOfReachBlocks: Whole;
  };
  ListDeletions: { readonly deletions: readonly DeletionInfo[] };
  ListBlocks: { readonly blocks: readonly BlockInfo[]; readonly matching: Whole };
  SweepOrphans: {
    readonly objects: Whole;
    readonly rows: Whole;
    readonly orphanCount: Whole;
    readonly orphanBytes: Whole;
    readonly orphans: readonly string[];
    readonly missing: readonly string[];
    readonly postponed: boolean;
  };
  ScrubBlocks: {
    readonly blocks: Whole;
    readonly bytes: Whole;
    readonly damaged: readonly DamagedBlockInfo[];
    readonly finished: boolean;
  };
  QuarantineBlock: { readonly block: QuarantinedBlockInfo };
  ListQuarantinedBlocks: { readonly blocks: readonly QuarantinedBlockInfo[] };
  RestoreBlock: { readonly problem: string; readonly replaced: readonly string[] };
  DiscardBlock: { readonly block: QuarantinedBlockInfo };
  RewriteBlock: { readonly rewrite: BlockRewriteInfo };
  ListBlockRewrites: { readonly rewrites: readonly BlockRewriteInfo[] };
  PlanCompaction: {
    readonly jobs: readonly CompactionJobInfo[];
    readonly quarantined: readonly QuarantinedGroupInfo[];
    readonly blocks: Whole;
    readonly backlogAgeMs: Whole;
  };
  RunCompaction: {
    readonly jobs: Whole;
    readonly blocksIn: Whole;
    readonly blocksOut: Whole;
    readonly bytesIn: Whole;
    readonly bytesOut: Whole;
    readonly samples: Whole;
    readonly skipped: Whole;
    readonly failed: Whole;
    readonly left: Whole;
  };
  GetCompactionStatus: CompactionStatus;
  ReleaseCompactionGroup: object;
}

/** AdminService of one hub. Errors are those of HubClient. */
export class AdminClient {
  readonly hub: HubClient;

  /** @throws UsageError when the URL is none */
  constructor(values: { readonly url?: string; readonly token?: string }, terminal: Terminal) {
    this.hub = new HubClient(values, terminal);
  }

  async call<M extends keyof Answers>(method: M, request: object): Promise<Answers[M]> {
    const { answer } = await this.hub.call(`cinderblock.v1.AdminService/${method}`, request);
    return answer as unknown as Answers[M];
  }
}

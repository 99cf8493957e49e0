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

// What the hub knows besides profiles: who may send and read, which agents live, and which batches came. Four small
// ports that one registry offers together. Times are ms since epoch and come from the caller.
//
// Every method throws RejectedError('invalid') for empty names, or numbers that are not finite, and RetryableError when
// the storage below does not answer.

import type { SpoolAccount } from '../core/batch/spool-account.ts';

/** A removed cluster keeps its name and its profiles, and has no access. It may be added again, with fresh access. */
export type ClusterStatus = 'active' | 'disabled' | 'removed';

export interface Cluster {
  /** Stands in object keys and routes: A-Z a-z 0-9 . _ = - */
  cluster: string;
  displayName: string;
  status: ClusterStatus;
  createdAt: number;
  /**
   * Where access is by roles: what the cluster's account shows to become the hub's role (`sts:ExternalId`), newest first;
   * more than one while they are rotated.
   */
  externalIds?: string[];
}

/**
 * A key pair with which a cluster's agents sign (AWS Signature Version 4). Verifying recomputes an HMAC, so the secret
 * must be stored in a form that gives it back: it cannot be hashed. Protect the store accordingly; the embedded one keeps
 * it in a database file that only its owner can read (mode 0600).
 */
export interface Credential {
  accessKeyId: string;
  secret: string;
  cluster: string;
  createdAt: number;
  /** Good until then. It may lie in the future, so that agents have time to change keys: compare it with `isRevoked`. */
  revokedAt?: number;
}

/** A token for people and tools. Only its hash is stored; the token itself is shown once, when it is issued. */
export interface ApiToken {
  /** Hash of the token, in any text form that the caller uses throughout. */
  tokenHash: string;
  name: string;
  scopes: string[];
  createdAt: number;
  /** Good until then. It may lie in the future: compare it with `isRevoked`. */
  revokedAt?: number;
}

/** Whether a credential or a token is good no more at `now`. */
export function isRevoked({ revokedAt }: { revokedAt?: number }, now: number): boolean {
  return revokedAt !== undefined && revokedAt <= now;
}

export interface IdentityRegistry {
  /** 'exists' when the name is taken, whatever its status; nothing changes then. */
  createCluster(cluster: Cluster): Promise<'created' | 'exists'>;
  getCluster(cluster: string): Promise<Cluster | undefined>;
  /** All clusters, by name. */
  listClusters(): Promise<Cluster[]>;
  /** @throws RejectedError 'not-found' when there is no such cluster. */
  setClusterStatus(cluster: string, status: ClusterStatus): Promise<void>;
  /** Writes the whole record over one whose status is `was`, in one step; false, and nothing changes, when there is none. */
  replaceCluster(cluster: Cluster, was: ClusterStatus): Promise<boolean>;

  /** @throws RejectedError 'not-found' when there is no such cluster; 'invalid' when the access key id is taken. */
  addCredential(credential: Credential): Promise<void>;
  /** Also a revoked one, and one of a disabled cluster: who verifies a signature looks at both. */
  findCredential(accessKeyId: string): Promise<Credential | undefined>;
  /** Of one cluster, by creation, without the secrets. */
  listCredentials(cluster: string): Promise<Omit<Credential, 'secret'>[]>;
  /** Revokes it at `at`, which may lie in the future. False when there is none or it is revoked by then: no key lives longer. */
  revokeCredential(accessKeyId: string, at: number): Promise<boolean>;

  /** @throws RejectedError 'invalid' when the hash is taken. */
  addApiToken(token: ApiToken): Promise<void>;
  /** Also a revoked one: who lets a caller in looks at `isRevoked` and `scopes`. */
  findApiToken(tokenHash: string): Promise<ApiToken | undefined>;
  /** All, by creation. */
  listApiTokens(): Promise<ApiToken[]>;
  /** As revokeCredential. */
  revokeApiToken(tokenHash: string, at: number): Promise<boolean>;
}

/** What an agent says about itself. */
export interface Heartbeat {
  cluster: string;
  node: string;
  /** Changes with every start of the agent. */
  bootId: string;
  /** Of the agent. */
  version: string;
  /** What samples there, e.g. `perf` or `ebpf`. */
  engine: string;
  /** When the hub received it. */
  at: number;
  /** The agent's clock minus the hub's. */
  clockSkewMs: number;
  /** Running totals since the boot, by name. */
  counters: Record<string, number>;
  /** What waits on its disk. */
  spool?: SpoolAccount;
  lastError?: string;
}

/** A spool that another took the place of, as its last heartbeat told it: its folder is gone, and what it held. */
export interface FormerSpool extends SpoolAccount {
  /** When the hub received that heartbeat, and of which boot it was. */
  at: number;
  bootId: string;
}

/** The newest heartbeat of an agent, and since when the hub knows the node. */
export interface AgentRow extends Heartbeat {
  firstSeenAt: number;
  /** Oldest first, the newest FORMER_SPOOLS_MAX; absent when there is none. Those that were empty are left out. */
  formerSpools?: FormerSpool[];
}

export interface AgentRegistry {
  /** Keeps the newest by `at` per (cluster, node); one that is older than what is kept changes nothing. */
  recordHeartbeat(heartbeat: Heartbeat): Promise<void>;
  /** By (cluster, node), of one cluster or all. */
  listAgents(cluster?: string): Promise<AgentRow[]>;
  /** Drops agents last seen before `before` (exclusive): nodes that are gone; and such former spools. Answers how many agents. */
  forgetAgents(before: number): Promise<number>;
}

/** What came in one batch, by the counts its agent declares. Identified by (cluster, node, bootId, sequence). */
export interface BatchRecord {
  cluster: string;
  node: string;
  bootId: string;
  /** 0, 1, 2 … within one boot: a gap is a batch that is late or lost. */
  sequence: number;
  samplesTaken: number;
  /** Lost by the kernel before the agent saw them. */
  samplesLost: number;
  /** Dropped by the agent, for a reason that it counts. */
  samplesDropped: number;
  /** In the batch. */
  samplesKept: number;
  /** Start of its first and of its last window, in ms since epoch. */
  firstWindow: number;
  lastWindow: number;
  receivedAt: number;
}

/** Sequences [first, end) that were all recorded. */
export interface SequenceRange {
  first: number;
  end: number;
  /** Start of the first window of the batch `first`, ms since epoch. */
  since: number;
}

/** Sums over the batches whose first window starts within an hour, or a shorter step when one was asked for. */
export interface HourCounts {
  /** Start of the hour or step, in ms since epoch, a multiple of its length. */
  hour: number;
  batches: number;
  /** How often one of them came again with the same content: an answer was lost, or somebody replays. */
  duplicates: number;
  samplesTaken: number;
  samplesLost: number;
  samplesDropped: number;
  samplesKept: number;
}

/** The recorded batches of one boot of one agent. */
export interface BootSequences {
  cluster: string;
  node: string;
  bootId: string;
  /** Ascending, as few as possible: two ranges never touch, so each space between two is a gap. */
  sequences: SequenceRange[];
  /** Ascending by hour; hours without a batch are absent. */
  hours: HourCounts[];
  lastReceivedAt: number;
}

/** Batches whose first window starts within [from, until). */
export interface SequenceSearch {
  cluster?: string;
  from: number;
  until: number;
  /** What batches are summed by, a divisor of an hour in ms; absent = 3,600,000. */
  stepMs?: number;
}

export interface BootHour {
  cluster: string;
  node: string;
  bootId: string;
  /** Ms since epoch, a whole hour. */
  hour: number;
}

/** What the sums of loss are made of. */
export interface BatchLedger {
  /**
   * 'recorded' the first time. Again: 'duplicate' when all but `receivedAt` is equal, 'conflict' when not, which only a
   * broken or lying agent brings about. The first record stays in both cases.
   */
  recordBatch(record: BatchRecord): Promise<'recorded' | 'duplicate' | 'conflict'>;
  /** Grouped and ordered by (cluster, node, bootId). */
  listBatchSequences(search: SequenceSearch): Promise<BootSequences[]>;
  /** One by one, by sequence, those of a boot whose first window starts in the hour that begins at `hour`. */
  listBootBatches(boot: BootHour): Promise<BatchRecord[]>;
  /** Drops records received before `before` (exclusive), once they are too old to be repeated. Answers how many. */
  forgetBatches(before: number): Promise<number>;
}

/** Small values that the hub keeps about itself. */
export interface Settings {
  setting(key: string): Promise<string | undefined>;
  putSetting(key: string, value: string): Promise<void>;
  /** Adds 1 to a counter, in one step, and answers its new value: 1 the first time. Counters and settings share no keys. */
  nextCount(key: string): Promise<number>;
}

export interface Registry extends IdentityRegistry, AgentRegistry, BatchLedger, Settings {}

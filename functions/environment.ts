// What the functions are told by the infrastructure, and nothing else: lib/ sets these, functions/ read them. Free of any
// SDK, so that both sides import it.

/** Every function that opens the hub. */
export interface HubEnvironment {
  /** Bucket of blocks, waiting batches and quarantine. */
  CINDERBLOCK_BUCKET: string;
  CINDERBLOCK_TABLE: string;
  CINDERBLOCK_QUEUE_URL: string;
  CINDERBLOCK_DEAD_LETTER_URL: string;
  /** maxReceiveCount of the queue's redrive policy. */
  CINDERBLOCK_MAX_RECEIVES: string;
  CINDERBLOCK_TENANT: string;
  /** Dimension of the metrics. */
  CINDERBLOCK_STAGE: string;
  /** What the names of cluster roles begin with; the cluster's id is the rest. */
  CINDERBLOCK_CLUSTER_ROLE_PREFIX: string;
}

/** Functions that tell operators how a cluster gets in. */
export interface AdminEnvironment extends HubEnvironment {
  /** Of the ingest API, without a slash at the end. */
  CINDERBLOCK_INGEST_URL: string;
  /** Account of the hub, where the cluster roles are. */
  CINDERBLOCK_ACCOUNT: string;
}

/** The function that answers queries. The last three are absent where no workers are. */
export interface QueryEnvironment extends HubEnvironment {
  /** Most workers that one query asks. */
  CINDERBLOCK_QUERY_WORKERS?: string;
  /** ARN of the function that reads shares of large queries. */
  CINDERBLOCK_QUERY_WORKER_FUNCTION?: string;
  /** From how many stored bytes on a query asks workers; absent = the setting's default. */
  CINDERBLOCK_QUERY_FAN_OUT_BYTES?: string;
}

/** The function that reads shares of large queries: blocks, and nothing else of a hub. */
export interface QueryWorkerEnvironment {
  CINDERBLOCK_BUCKET: string;
  CINDERBLOCK_TENANT: string;
  CINDERBLOCK_STAGE: string;
}

/** The function that plans compaction. */
export interface PlannerEnvironment extends HubEnvironment {
  /** Where jobs go. */
  CINDERBLOCK_COMPACTION_QUEUE_URL: string;
}

/** The function that runs jobs of compaction. */
export interface CompactorEnvironment extends HubEnvironment {
  /** Labels that series lose from windows of 1 h on, separated by commas; absent = none. */
  CINDERBLOCK_ROLL_UP_LABELS?: string;
}

/** What schedules say to the planner: how far back to look. pipeline/plan-jobs.ts. */
export interface PlannerEvent {
  scope: 'fresh' | 'recent' | 'all';
}

/** What is done beside compaction, and how often. */
export const HOUSEKEEPING = {
  'delete-blocks': 'rate(5 minutes)',
  'sum-loss': 'rate(5 minutes)',
  'enforce-retention': 'rate(1 hour)',
  'rewrite-blocks': 'rate(1 hour)',
  'sweep-orphans': 'rate(1 day)',
  'scrub-blocks': 'rate(1 hour)',
  'forget-agents': 'rate(1 day)',
} as const;

export type HousekeepingTask = keyof typeof HOUSEKEEPING;

/** What schedules say to the housekeeper. */
export interface HousekeepingEvent {
  task: HousekeepingTask;
}

/** The function that lets people and tools in. */
export interface AuthorizerEnvironment {
  CINDERBLOCK_TABLE: string;
  CINDERBLOCK_STAGE: string;
  /** Issuer of the tokens of people, as in their `iss` claim. */
  CINDERBLOCK_OIDC_ISSUER: string;
  /** The page's client id: `aud` of the tokens, or `client_id` of Cognito's access tokens. */
  CINDERBLOCK_OIDC_CLIENT_ID: string;
  /** Claim that lists a person's groups. */
  CINDERBLOCK_OIDC_GROUPS_CLAIM: string;
  /** Members may administer clusters and tokens. */
  CINDERBLOCK_ADMIN_GROUP: string;
}

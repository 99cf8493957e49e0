import { gunzip } from '../api/gunzip.ts';
import { RejectedError } from '../core/errors.ts';
import { defaultHubSettings, type Hub } from '../pipeline/hub.ts';
import { openAwsStorage } from '../storage/aws/open-aws-storage.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import type { AdminEnvironment, HubEnvironment } from './environment.ts';
import { awsPlace, readEnvironment, type Variables } from './read-environment.ts';
import { createTelemetry, type FunctionTelemetry } from './telemetry.ts';

/** What a function works with: a hub, and what of its environment is no part of the hub. */
export interface FunctionHub {
  readonly hub: Hub;
  readonly telemetry: FunctionTelemetry;
  /** What the names of cluster roles begin with. */
  readonly rolePrefix: string;
}

const HUB_VARIABLES: readonly (keyof HubEnvironment)[] = [
  'CINDERBLOCK_BUCKET',
  'CINDERBLOCK_TABLE',
  'CINDERBLOCK_QUEUE_URL',
  'CINDERBLOCK_DEAD_LETTER_URL',
  'CINDERBLOCK_MAX_RECEIVES',
  'CINDERBLOCK_TENANT',
  'CINDERBLOCK_STAGE',
  'CINDERBLOCK_CLUSTER_ROLE_PREFIX',
];

const ADMIN_VARIABLES: readonly (keyof AdminEnvironment)[] = [
  ...HUB_VARIABLES,
  'CINDERBLOCK_INGEST_URL',
  'CINDERBLOCK_ACCOUNT',
];

export interface OpenOptions {
  /** Name of the function, for its logs and metrics. */
  readonly service: string;
  /** Least time between two lines of metrics: see TelemetryOptions. */
  readonly metricsEveryMs?: number;
  /** @default the environment of this process */
  readonly variables?: Variables;
  /**
   * Whether it tells operators how a cluster gets in.
   * @default false
   */
  readonly isAdmin?: boolean;
  /** Only for functions that match labels: it is a sixth of the code of queries. */
  readonly compileRegex?: Hub['compileRegex'];
}

/**
 * The hub on AWS: the use cases' ports on S3, DynamoDB and SQS. Nothing is asked of AWS before the first call.
 * @throws Error that names the variables that are missing
 */
export function openHub(options: OpenOptions): FunctionHub {
  const {
    service,
    metricsEveryMs,
    variables = process.env,
    isAdmin = false,
    compileRegex = noRegex,
  } = options;
  const names = isAdmin ? ADMIN_VARIABLES : HUB_VARIABLES;
  const environment: Partial<AdminEnvironment> & HubEnvironment = readEnvironment(variables, names);
  const place = awsPlace(variables);
  const telemetry = createTelemetry({ service, stage: environment.CINDERBLOCK_STAGE, metricsEveryMs });
  const clock = Date.now;
  const storage = openAwsStorage({
    ...place,
    bucket: environment.CINDERBLOCK_BUCKET,
    table: environment.CINDERBLOCK_TABLE,
    queueUrl: environment.CINDERBLOCK_QUEUE_URL,
    deadLetterUrl: environment.CINDERBLOCK_DEAD_LETTER_URL,
    maxReceives: Number(environment.CINDERBLOCK_MAX_RECEIVES),
    clock,
  });
  const { objects, catalog, queue, registry, leases } = storage;
  const rolePrefix = environment.CINDERBLOCK_CLUSTER_ROLE_PREFIX;
  const hub: Hub = {
    ...{ objects, catalog, queue, registry, leases },
    access: {
      kind: 'role',
      region: place.region,
      rolePrefix,
      // Only functions that tell operators are told these two, and nobody else asks.
      account: environment.CINDERBLOCK_ACCOUNT ?? '',
      ingestUrl: environment.CINDERBLOCK_INGEST_URL ?? '',
    },
    codec: zstdCodec,
    gunzip,
    compileRegex,
    clock,
    random: Math.random,
    tenant: environment.CINDERBLOCK_TENANT,
    settings: defaultHubSettings,
    telemetry,
  };
  return { hub, telemetry, rolePrefix };
}

function noRegex(): never {
  throw new RejectedError('invalid', 'this function matches no labels');
}

import middy from '@middy/core';
import { MalformedInputError, RejectedError, RetryableError } from '../core/errors.ts';
import { defaultHubSettings, type Hub } from '../pipeline/hub.ts';
import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import type { QueryShare, ShareSum } from '../pipeline/query-workers.ts';
import type { BlockHub } from '../pipeline/read-blocks.ts';
import { decodeShare } from '../pipeline/share-codec.ts';
import { encodeShareSum } from '../pipeline/share-sum-codec.ts';
import { sumShare } from '../pipeline/sum-stacks.ts';
import { openAwsObjects } from '../storage/aws/open-aws-objects.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';
import type { QueryWorkerEnvironment } from './environment.ts';
import { type InvocationContext, once, withTelemetry } from './invocation.ts';
import { awsPlace, readEnvironment, type Variables } from './read-environment.ts';
import { createTelemetry, type FunctionTelemetry } from './telemetry.ts';
import { timeLimit } from './time-limit.ts';

/** What the query function sends. */
export interface ShareEvent {
  /** See pipeline/share-codec.ts, in base64. */
  share: string;
}

/** What it gets. Whatever fails otherwise ends the invocation. */
export interface ShareResult {
  /** See pipeline/share-sum-codec.ts, in base64. */
  sum?: string;
  /** The sum does not fit an answer, in words. */
  tooLarge?: string;
}

/** What a worker works with: blocks, and no catalog. */
export interface WorkerHub {
  readonly hub: BlockHub & Pick<Hub, 'tenant'>;
  readonly telemetry: FunctionTelemetry;
}

/** Left of the function's time when it gives up on a share, in ms. */
const CLEAN_UP_MS = 1000;

const VARIABLES: readonly (keyof QueryWorkerEnvironment)[] = [
  'CINDERBLOCK_BUCKET',
  'CINDERBLOCK_TENANT',
  'CINDERBLOCK_STAGE',
];

/** @throws Error that names the variables that are missing */
export function openWorker(variables: Variables = process.env): WorkerHub {
  const environment: QueryWorkerEnvironment = readEnvironment(variables, VARIABLES);
  const telemetry = createTelemetry({ service: 'query-worker', stage: environment.CINDERBLOCK_STAGE });
  const hub = {
    objects: openAwsObjects({ ...awsPlace(variables), bucket: environment.CINDERBLOCK_BUCKET }),
    codec: zstdCodec,
    compileRegex: compileLinearRegex,
    tenant: environment.CINDERBLOCK_TENANT,
    settings: defaultHubSettings,
    telemetry,
  };
  return { hub, telemetry };
}

/**
 * Reads and merges the blocks of a share, for the query function. The share names blocks; whose they are, and where, this
 * function knows by itself.
 */
export function queryWorkerHandler(open: () => WorkerHub) {
  return middy<ShareEvent, ShareResult>({ timeoutEarlyInMillis: 0 })
    .use(withTelemetry(open))
    .handler(async ({ share: text }, context) => {
      const { hub } = open();
      const sum = await sumShare(withinTime(hub, context), shareOf(text, hub));
      return resultOf(sum, hub);
    });
}

/** @throws MalformedInputError */
function shareOf(text: unknown, { codec, tenant }: WorkerHub['hub']): QueryShare {
  if (typeof text !== 'string') throw new MalformedInputError('event', 'has no share');
  return decodeShare(Buffer.from(text, 'base64'), codec, tenant);
}

function resultOf(sum: ShareSum, { codec, telemetry }: WorkerHub['hub']): ShareResult {
  try {
    return { sum: Buffer.from(encodeShareSum(sum, codec)).toString('base64') };
  } catch (error) {
    if (!(error instanceof RejectedError && error.reason === 'too-large')) throw error;
    telemetry.count('worker_oversized_sums_total', 1);
    return { tooLarge: error.message };
  }
}

/** Nobody waits any longer: what goes on after the answer would be frozen, and wake up beside the next share. */
function withinTime<Ports extends BlockHub>(hub: Ports, context: InvocationContext): Ports {
  const limited = timeLimit(context, (message) => new RetryableError(message), CLEAN_UP_MS);
  return { ...hub, objects: limited(hub.objects), codec: limited(hub.codec) };
}

export const handler = queryWorkerHandler(once(openWorker));

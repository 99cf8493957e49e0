import { RejectedError, RetryableError } from '../../core/errors.ts';

/** What a caller can do about an error of an AWS service, see core/errors.ts. */
export type Reaction =
  /** Call again: throttled, not answered, or lost a race that the next call may win. */
  | 'retry'
  /** A condition of the request did not hold: an answer, not a failure. */
  | 'condition'
  /** What was asked for is not there: an answer too. */
  | 'absent'
  /** The deployment is wrong (policy, name, region) or we are: let it crash, so that somebody looks. */
  | 'bug';

/** Names that say "slow down" or "not now", over the three services (their API references, "Common errors"). */
const RETRY_NAMES = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'InternalServerError',
  'RequestTimeout',
  'OperationAborted',
  'ConditionalRequestConflict',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'BandwidthLimitExceeded',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'TransactionConflictException',
  'TransactionInProgressException',
  'OverLimit',
  'KmsThrottled',
  // Credentials of a role that ran out while the call was under way: the next call signs with new ones.
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestExpired',
  'RequestTimeTooSkewed',
  'CredentialsProviderError',
  // From below HTTP.
  'TimeoutError',
  'AbortError',
]);

const RETRY_SYSTEM_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

const COLLISION_NAMES = new Set([
  'ConditionalRequestConflict',
  'OperationAborted',
  'TransactionConflictException',
  'TransactionInProgressException',
]);

const CONDITION_NAMES = new Set(['ConditionalCheckFailedException', 'PreconditionFailed']);
const ABSENT_NAMES = new Set(['NoSuchKey', 'NotFound']);

/** Sorts an error that an SDK client threw, by its name, its HTTP status and its system code. */
export function reactionTo(error: unknown): Reaction {
  const name = errorName(error);
  if (CONDITION_NAMES.has(name)) return 'condition';
  if (ABSENT_NAMES.has(name)) return 'absent';
  if (name === 'TransactionCanceledException') return reactionToCancellation(error);
  const status = statusOf(error);
  const code = (error as { code?: unknown }).code;
  const system = typeof code === 'string' && RETRY_SYSTEM_CODES.has(code);
  if (RETRY_NAMES.has(name) || system || status === 429 || (status !== undefined && status >= 500))
    return 'retry';
  // S3 answers 412 and 409 to a conditional put; some servers name the 412 otherwise, so its status decides.
  if (status === 412) return 'condition';
  return 'bug';
}

/**
 * Whether a call lost to another one of the same moment: the SDK takes that as final, but the same call may win when it is
 * made again at once.
 */
export function isCollision(error: unknown): boolean {
  const name = errorName(error);
  if (name === 'TransactionCanceledException') return reactionToCancellation(error) === 'retry';
  return COLLISION_NAMES.has(name);
}

/** The reasons of a cancelled transaction, one code per item; 'None' for items that were not at fault. */
export function cancellationCodes(error: unknown): string[] {
  const reasons = (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons ?? [];
  return reasons.map((reason) => reason.Code ?? 'None');
}

/** The service's own name of the error. */
export function errorName(error: unknown): string {
  const { name, Code } = error as { name?: unknown; Code?: unknown };
  if (typeof Code === 'string' && (name === undefined || name === 'Error' || name === 'Unknown')) return Code;
  // SQS still sends names of its former query protocol, with a prefix.
  return typeof name === 'string' ? name.replace(/^AWS\.SimpleQueueService\./, '') : 'Unknown';
}

export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** What an adapter throws for an error that is no answer. `doing` says what was being done, e.g. "put a/b". */
export function storageError(doing: string, error: unknown): unknown {
  if (error instanceof RejectedError || error instanceof RetryableError) return error;
  const told = `cannot ${doing}: ${errorName(error)}: ${(error as Error).message}`;
  if (reactionTo(error) === 'retry') return new RetryableError(told, { cause: error });
  return new Error(told, { cause: error });
}

/** Runs calls of an SDK client; what they throw is turned into our own errors. */
export async function answered<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw storageError(doing, error);
  }
}

/** A condition that failed decides over conflicts beside it: it will not hold the next time either. */
function reactionToCancellation(error: unknown): Reaction {
  const codes = cancellationCodes(error);
  if (codes.includes('ConditionalCheckFailed')) return 'condition';
  const passing = ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'];
  return codes.some((code) => passing.includes(code)) ? 'retry' : 'bug';
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError, RetryableError } from '../../../core/errors.ts';
import { answered, isCollision, type Reaction, reactionTo } from '../../../storage/aws/aws-errors.ts';
import { awsError } from './command-clients.ts';

const cancelled = (...codes: string[]) =>
  awsError('TransactionCanceledException', 400, 'cancelled', {
    CancellationReasons: codes.map((Code) => ({ Code })),
  });

const CASES: [Error, Reaction][] = [
  [awsError('SlowDown', 503), 'retry'],
  [awsError('Unheard', 500), 'retry'],
  [awsError('Unheard', 429), 'retry'],
  [awsError('ConditionalRequestConflict', 409), 'retry'],
  [awsError('ProvisionedThroughputExceededException', 400), 'retry'],
  [awsError('ThrottlingException', 400), 'retry'],
  [awsError('RequestThrottled', 403), 'retry'],
  [awsError('AWS.SimpleQueueService.RequestThrottled', 403), 'retry'],
  [awsError('TransactionConflictException', 400), 'retry'],
  [awsError('ExpiredTokenException', 400), 'retry'],
  [awsError('TimeoutError'), 'retry'],
  [Object.assign(new Error('reset'), { code: 'ECONNRESET' }), 'retry'],
  [cancelled('None', 'TransactionConflict'), 'retry'],
  [cancelled('ThrottlingError'), 'retry'],
  [cancelled('ProvisionedThroughputExceeded', 'None'), 'retry'],
  [cancelled('TransactionConflict', 'ConditionalCheckFailed'), 'condition'],
  [cancelled('ValidationError'), 'bug'],
  [cancelled(), 'bug'],
  [awsError('PreconditionFailed', 412), 'condition'],
  [awsError('Unknown', 412), 'condition'],
  [awsError('ConditionalCheckFailedException', 400), 'condition'],
  [awsError('NoSuchKey', 404), 'absent'],
  [awsError('NotFound', 404), 'absent'],
  [awsError('NoSuchBucket', 404), 'bug'],
  [awsError('AccessDenied', 403), 'bug'],
  [awsError('ResourceNotFoundException', 400), 'bug'],
  [awsError('ValidationException', 400), 'bug'],
  [awsError('QueueDoesNotExist', 400), 'bug'],
  [new TypeError('x is not a function'), 'bug'],
];

test('errors are sorted by what the caller can do', () => {
  for (const [error, reaction] of CASES) {
    const codes = JSON.stringify(error);
    assert.equal(reactionTo(error), reaction, `${error.name} ${codes}`);
  }
});

test('collisions are told from throttling: they are tried again at once', () => {
  assert.equal(isCollision(awsError('ConditionalRequestConflict', 409)), true);
  assert.equal(isCollision(cancelled('TransactionConflict')), true);
  assert.equal(isCollision(cancelled('TransactionConflict', 'ConditionalCheckFailed')), false);
  assert.equal(isCollision(awsError('SlowDown', 503)), false);
});

test('what a caller sees: our own errors, with what was being done and the cause', async () => {
  const fail = (error: Error) => answered('put a/b', () => Promise.reject(error));
  const slow = awsError('SlowDown', 503, 'Please reduce your request rate.');
  await assert.rejects(fail(slow), (error) => {
    assert.ok(error instanceof RetryableError);
    assert.equal(error.message, 'cannot put a/b: SlowDown: Please reduce your request rate.');
    assert.equal(error.cause, slow);
    return true;
  });
  await assert.rejects(fail(awsError('AccessDenied', 403)), (error) => {
    assert.ok(error instanceof Error && !(error instanceof RetryableError));
    assert.match(error.message, /cannot put a\/b: AccessDenied/);
    return true;
  });
  const refused = new RejectedError('invalid', 'no');
  await assert.rejects(fail(refused), (error) => error === refused);
});

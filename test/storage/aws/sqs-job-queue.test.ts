import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import { QUEUE_MESSAGE_BYTES } from '../../../storage/aws/names.ts';
import { sqsJobQueue } from '../../../storage/aws/sqs-job-queue.ts';
import { JOB_MESSAGE_BYTES_MAX } from '../../../storage/job-queue.ts';
import { awsError, scriptedClient } from './command-clients.ts';

test('jobs go out ten per request, which has room for ten of the longest', async () => {
  const client = scriptedClient(() => ({}));
  const messages = Array.from({ length: 23 }, (_, i) => `job ${i}`);
  await sqsJobQueue(client, 'jobs').send(messages);
  assert.deepEqual(
    client.commands.map(({ name, input }) => [name, input.QueueUrl, input.Entries.length]),
    [10, 10, 3].map((count) => ['SendMessageBatch', 'jobs', count]),
  );
  const sent = client.commands.flatMap(({ input }) => input.Entries);
  assert.deepEqual(
    sent.map(({ MessageBody }) => MessageBody),
    messages,
  );
  for (const { input } of client.commands)
    assert.equal(new Set(input.Entries.map(({ Id }: { Id: string }) => Id)).size, input.Entries.length);
  assert.ok(10 * JOB_MESSAGE_BYTES_MAX <= QUEUE_MESSAGE_BYTES);
});

test('no jobs are no request', async () => {
  const client = scriptedClient(() => ({}));
  await sqsJobQueue(client, 'jobs').send([]);
  assert.deepEqual(client.commands, []);
});

test('a job that is not taken, a throttle and a wrong policy are told', async () => {
  const failed = { Failed: [{ Id: '0', SenderFault: false, Code: 'InternalError', Message: 'not now' }] };
  const send = (answer: unknown) =>
    sqsJobQueue(
      scriptedClient(() => answer),
      'jobs',
    ).send(['a']);
  await assert.rejects(
    send(failed),
    (error) => error instanceof RetryableError && /not now/.test(error.message),
  );
  await assert.rejects(send(awsError('RequestThrottled', 403)), RetryableError);
  await assert.rejects(send(awsError('AccessDenied', 403)), /cannot send jobs: AccessDenied/);
});

test('it tells how many jobs wait', async () => {
  const waiting = (Attributes?: object) =>
    sqsJobQueue(
      scriptedClient(() => ({ Attributes })),
      'jobs',
    ).waiting();
  assert.equal(await waiting({ ApproximateNumberOfMessages: '7' }), 7);
  assert.equal(await waiting(), 0);
});

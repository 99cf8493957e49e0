import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { RetryableError } from '../../../core/errors.ts';
import { lambdaFunction, openFunction } from '../../../storage/aws/lambda-function.ts';
import { awsError, scriptedClient } from './command-clients.ts';

const NAME = 'arn:aws:lambda:eu-central-1:111111111111:function:query-worker';

test('an event goes out as it is, and the answer comes back', async () => {
  const client = scriptedClient(() => ({ Payload: Buffer.from('{"sum":"λ"}') }));
  assert.equal(await lambdaFunction(client, NAME, 1000)('{"share":"s"}'), '{"sum":"λ"}');
  const [{ name, input }] = client.commands as [(typeof client.commands)[number]];
  assert.deepEqual([name, input.FunctionName, input.Payload.toString()], ['Invoke', NAME, '{"share":"s"}']);
  // Waits for the answer, which is the default; and asks for no log.
  assert.deepEqual(Object.keys(input), ['FunctionName', 'Payload']);
});

test('what a function throws is told, up to a length', async () => {
  const thrown = { errorMessage: 'x'.repeat(2000) };
  const client = scriptedClient(() => ({
    FunctionError: 'Unhandled',
    Payload: Buffer.from(JSON.stringify(thrown)),
  }));
  await assert.rejects(lambdaFunction(client, NAME, 1000)('{}'), ({ message }: Error) => {
    assert.match(message, /query-worker ended with Unhandled: \{"errorMessage":"xxx/);
    return message.length < 700;
  });
});

test('throttles are for later, missing rights for somebody to mend', async () => {
  const failing = (error: Error) =>
    lambdaFunction(
      scriptedClient(() => error),
      NAME,
      1000,
    )('{}');
  await assert.rejects(failing(awsError('TooManyRequestsException', 429)), RetryableError);
  await assert.rejects(
    failing(awsError('AccessDeniedException', 403)),
    (error) => !(error instanceof RetryableError) && /cannot invoke arn:.*AccessDenied/.test(String(error)),
  );
});

/** A Lambda on loopback, and its function. */
async function serve(t: TestContext, listener: RequestListener, timeoutMs: number) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) process.env[name] ??= 'test';
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return openFunction({ region: 'eu-central-1', endpoint }, 'query-worker', timeoutMs);
}

test('a connection that was closed meanwhile is made again, once', async (t) => {
  let requests = 0;
  const invoke = await serve(
    t,
    (request, response) => {
      if (++requests === 1) request.socket.destroy();
      else response.end('{"sum":""}');
    },
    5000,
  );
  assert.equal(await invoke('{}'), '{"sum":""}');
  assert.equal(requests, 2);
  const never = await serve(
    t,
    (request) => {
      requests++;
      request.socket.destroy();
    },
    5000,
  );
  requests = 0;
  await assert.rejects(never('{}'), RetryableError);
  assert.equal(requests, 2);
});

test('who does not answer in time is waited for no longer, all attempts together', async (t) => {
  let requests = 0;
  const invoke = await serve(t, () => void requests++, 300);
  await assert.rejects(invoke('{}'), RetryableError);
  assert.ok(requests <= 2);
});

import { InvokeCommand, type InvokeCommandOutput, LambdaClient } from '@aws-sdk/client-lambda';
import { answered } from './aws-errors.ts';
import { type AwsPlace, clientOptions } from './client-options.ts';

/** The part of an SDK client that is used. */
export interface LambdaCaller {
  send(command: InvokeCommand, options: { abortSignal: AbortSignal }): Promise<InvokeCommandOutput>;
}

/** Calls a function with an event of JSON and waits for its answer, which is JSON too. */
export type InvokeFunction = (event: string) => Promise<string>;

/**
 * How often a call is made, the first time included: connections that a frozen function left open are closed at the other
 * end. What is throttled is not waited for.
 */
const MAX_ATTEMPTS = 2;

/** Of what a function threw, as much is told. */
const ERROR_LENGTH_MAX = 500;

/**
 * A function by its name or ARN.
 * @param timeoutMs after which a call fails, all attempts together
 */
export function lambdaFunction(client: LambdaCaller, name: string, timeoutMs: number): InvokeFunction {
  return async (event) => {
    const command = new InvokeCommand({ FunctionName: name, Payload: Buffer.from(event) });
    const abortSignal = AbortSignal.timeout(timeoutMs);
    const { FunctionError, Payload } = await answered(`invoke ${name}`, () =>
      client.send(command, { abortSignal }),
    );
    const answer = Buffer.from(Payload ?? []).toString();
    if (FunctionError === undefined) return answer;
    throw new Error(`${name} ended with ${FunctionError}: ${answer.slice(0, ERROR_LENGTH_MAX)}`);
  };
}

/** Opens a client; nothing is asked of AWS before the first call. */
export function openFunction(place: AwsPlace, name: string, timeoutMs: number): InvokeFunction {
  const { requestHandler, ...options } = clientOptions(place);
  const client = new LambdaClient({
    ...options,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { ...requestHandler, requestTimeout: timeoutMs },
  });
  return lambdaFunction(client, name, timeoutMs);
}

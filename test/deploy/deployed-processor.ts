// Faults of the deployed processor: told wrongly where things are, and its process killed.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import {
  GetFunctionConfigurationCommand,
  LambdaClient,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';

const run = promisify(execFile);

/** What a function may be told wrongly: services where nobody listens; a table that its policy does not name. */
export const WRONG_SETTINGS = {
  'reaches nothing': { AWS_ENDPOINT_URL: 'https://127.0.0.1:9' },
  'is not allowed to write': { CINDERBLOCK_TABLE: 'another-table' },
};

/** @returns tells the function what it was told before */
export async function misinform(
  functionName: string,
  wrong: Record<string, string>,
): Promise<() => Promise<void>> {
  const lambda = new LambdaClient({});
  const config = new GetFunctionConfigurationCommand({ FunctionName: functionName });
  const variables = (await lambda.send(config)).Environment?.Variables ?? {};
  const tell = async (Variables: Record<string, string>) => {
    const Environment = { Variables };
    await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: functionName, Environment }));
  };
  await tell({ ...variables, ...wrong });
  return () => tell(variables);
}

/** Kills every process that runs a function, below the stand-in's. @returns how many there were */
export async function killFunction(standInPid: number, functionName: string): Promise<number> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,args=']);
  let killed = 0;
  for (const line of stdout.split('\n')) {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    if (Number(parent) !== standInPid || !command.includes(functionName)) continue;
    process.kill(Number(pid), 'SIGKILL');
    killed++;
  }
  return killed;
}

/** The queue of batches and its dead letters. */
export class DeployedQueue {
  readonly #sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
  readonly #queueUrl: string;
  readonly #deadLetterUrl: string;

  constructor(queueUrl: string, deadLetterUrl: string) {
    this.#queueUrl = queueUrl;
    this.#deadLetterUrl = deadLetterUrl;
  }

  /** Deployed, a batch is hidden for six minutes after a failure. */
  async hideFor(seconds: number): Promise<void> {
    const Attributes = { VisibilityTimeout: String(seconds) };
    await this.#sqs.send(new SetQueueAttributesCommand({ QueueUrl: this.#queueUrl, Attributes }));
  }

  /** Batches that wait or are being worked on; dead letters. */
  async depth(): Promise<{ waiting: number; dead: number }> {
    const [waiting, dead] = await Promise.all(
      [this.#queueUrl, this.#deadLetterUrl].map((url) => this.#count(url)),
    );
    return { waiting, dead };
  }

  async #count(QueueUrl: string): Promise<number> {
    const { Attributes = {} } = await this.#sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    return (
      Number(Attributes.ApproximateNumberOfMessages) +
      Number(Attributes.ApproximateNumberOfMessagesNotVisible)
    );
  }
}

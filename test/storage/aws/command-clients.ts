// Clients in place of those of the SDK: one answers from a script, one passes on and may fail at a given command. Both
// keep what was asked.

export interface Command {
  /** As the API calls it, e.g. `PutItem`. */
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the inputs of three services.
  input: any;
}

interface SdkCommand {
  constructor: { name: string };
  input: unknown;
}

function toCommand(command: unknown): Command {
  const sent = command as SdkCommand;
  return { name: sent.constructor.name.replace(/Command$/, ''), input: sent.input };
}

/** A client whose answers, or errors, a script gives. */
export function scriptedClient(answer: (command: Command, ordinal: number) => unknown) {
  const commands: Command[] = [];
  const send = async (sdkCommand: unknown) => {
    const command = toCommand(sdkCommand);
    commands.push(command);
    const answered = answer(command, commands.length - 1);
    if (answered instanceof Error) throw answered;
    return answered ?? {};
  };
  // biome-ignore lint/suspicious/noExplicitAny: stands for the clients of three services.
  return { commands, send: send as any };
}

/** When a command gets lost: before it has its effect, or its answer after. */
export type LossAt = 'before' | 'after';

/** A client that passes commands on; the one at `failAt` gets lost, as by a crash or a time-out. */
export function lossyClient(client: { send: unknown }, failAt = -1, loss: LossAt = 'before') {
  const commands: Command[] = [];
  const pass = (client.send as (command: unknown) => Promise<unknown>).bind(client);
  const send = async (sdkCommand: unknown) => {
    const ordinal = commands.push(toCommand(sdkCommand)) - 1;
    if (ordinal === failAt && loss === 'before') throw lost();
    const answer = await pass(sdkCommand);
    if (ordinal === failAt) throw lost();
    return answer;
  };
  // biome-ignore lint/suspicious/noExplicitAny: stands for the clients of three services.
  return { commands, send: send as any };
}

function lost(): Error {
  return awsError('TimeoutError', undefined, 'injected');
}

/** An error as the SDK throws it. */
export function awsError(name: string, status?: number, message = 'injected', fields: object = {}): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status }, ...fields });
}

/** How many commands of each name, e.g. `2 PutItem, 1 Query`. */
export function tally(commands: Command[]): string {
  const counts = new Map<string, number>();
  for (const { name } of commands) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort()
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

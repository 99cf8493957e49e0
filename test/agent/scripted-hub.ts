import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the hub got it. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** What the hub does with one request. */
export type Reaction = (request: ReceivedRequest, response: ServerResponse) => void;

/** A hub on 127.0.0.1 that reacts to each request as a script says, and to all after the script as its end says. */
export class ScriptedHub {
  readonly received: ReceivedRequest[] = [];
  readonly #script: Reaction[];
  readonly #otherwise: Reaction;
  readonly #server = createServer((request, response) => void this.#react(request, response));

  constructor(script: Reaction[], otherwise: Reaction = accept) {
    this.#script = [...script];
    this.#otherwise = otherwise;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #react(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const received = { path: request.url!, headers: request.headers, body: Buffer.concat(parts) };
    this.received.push(received);
    // The hub's time is what the script says.
    response.sendDate = false;
    (this.#script.shift() ?? this.#otherwise)(received, response);
  }
}

/** Answers as a hub does that has stored the batch, or taken the heartbeat. */
export function accept({ path }: ReceivedRequest, response: ServerResponse): void {
  const isBatch = path.endsWith('/batches');
  const body = isBatch ? { batchId: 'any', duplicate: false } : { nowMs: Date.now(), settings: {} };
  answer(isBatch ? 202 : 200, body)(undefined, response);
}

/** Answers with a status, a JSON body and headers. */
export function answer(status: number, body: object, headers: Record<string, string> = {}) {
  return (_: unknown, response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
}

/** Breaks the connection without an answer. */
export function hangUp(_: unknown, response: ServerResponse): void {
  response.socket?.destroy();
}
